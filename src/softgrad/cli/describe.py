"""`softgrad describe`: what each column of a file is taken as, without a training."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from softgrad.cli.arrow_arrays import as_numpy
from softgrad.cli.columns import as_it_is, read
from softgrad.cli.data import Data
from softgrad.cli.description import ColumnFacts, facts, oddities, show
from softgrad.cli.learning import Numbers, Texts, learner
from softgrad.cli.reading import Reading, check_declared
from softgrad.cli.report import Output
from softgrad.cli.sources import open_source
from softgrad.cli.tables import Table
from softgrad.linear_model._data._pieces import piece_rows

_ROWS_AT_ONCE = 1 << 16


def describe(data: Data, reading: Reading, output: Output) -> None:
    """Run the command."""
    options = reading.options(data)
    source = open_source(data, options, "memory")
    check_declared(source.names, reading, data)
    table = Table(source, options, reading.declared)
    learnt = _learnt(table)
    columns = [_facts(table, name, learnt) for name in table.names]
    notes, warnings = list(table.found_notes()), list(oddities(table, learnt, reading.declared))
    rows = next(iter(learnt.values())).rows if learnt else sum(part.rows for part in table.parts(_ROWS_AT_ONCE))
    output.line(f"{data}: {data.size(options, rows, len(columns))}")
    for note in notes:
        output.line(f"note: {note}")
    show(columns, output)
    for warning in warnings:
        output.line(f"warning: {warning}")
    output.result(
        {
            "data": str(data),
            "rows": rows,
            "columns": [column.as_json() for column in columns],
            "notes": notes,
            "warnings": warnings,
        }
    )


def _learnt(table: Table) -> dict[str, Numbers | Texts]:
    """What is known of the columns of numbers and text."""
    kinds = {name: table.kind(name) for name in table.names}
    usable = {name: kind for name, kind in kinds.items() if kind in ("integer", "number", "truth value", "text")}
    learnt = {name: learner(name, kind, "error") for name, kind in usable.items()}
    columns = [as_it_is(name, kind) for name, kind in usable.items()]
    for part in table.parts(piece_rows(len(columns), np.dtype(np.float64))):
        values = read(part, columns)
        everyone, nobody = np.ones(part.rows, np.bool_), np.zeros(part.rows, np.int64)
        for name, column in learnt.items():
            of_column = values.numbers[name] if isinstance(column, Numbers) else values.words[name]
            column.add(of_column, everyone, nobody, part.row_numbers)  # type: ignore[arg-type]
    return learnt


def _facts(table: Table, name: str, learnt: dict[str, Numbers | Texts]) -> ColumnFacts:
    if name in learnt:
        return facts(table.kind(name), learnt[name])
    missing, example = 0, ""
    for part in table.parts(_ROWS_AT_ONCE):
        cells = part.cells(name)
        given = as_numpy(cells.is_valid())
        missing += int((~given).sum())
        if not example and given.any():
            example = _shown(cells.slice(int(given.argmax()), 1))
    return ColumnFacts(name, table.kind(name), "", missing, example)


def _shown(single: pa.Array) -> str:
    try:
        return str(single[0].as_py())
    except (ArithmeticError, ValueError):
        # Python has no day after the year 9999, not every time zone, and no decimals of any scale.
        return str(single.to_string(skip_new_lines=True)[1:-1])
