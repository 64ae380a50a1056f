"""The table of a training, and what its columns are for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from softgrad.cli.classes import label_kind
from softgrad.cli.errors import UserError, asked
from softgrad.cli.kinds import Kind
from softgrad.cli.readers import Readers
from softgrad.cli.reading import check_declared
from softgrad.cli.roles import Roles
from softgrad.cli.sources import open_source
from softgrad.cli.tables import LabelKind, Table
from softgrad.cli.training import target_of
from softgrad.cli.training_request import Request

_ROWS_AT_ONCE = 1 << 16
# What cannot be a feature, in words.
_REFUSED: dict[Kind, str] = {
    "date": "dates{1}, which are neither numbers nor categories: {0} takes each as a text",
    "nothing": "no value in any row",
    "other": "what is neither number nor text{1}",
}


def opened(request: Request) -> Table:
    """The table.

    Raises
    ------
    UserError
        It cannot be read, or a column is not there.
    """
    options = request.reading.options(request.data)
    needed = [*request.targets, *([] if request.sample_weight is None else [request.sample_weight])]
    for name in needed:
        if name in options.drop:
            raise UserError(f"{asked('--drop', name)}: this column of {request.data} is the target or the weight")
    if options.columns is not None:
        options = replace(options, columns=tuple(dict.fromkeys((*options.columns, *needed))))
    source = open_source(request.data, options, request.kept)
    check_declared(source.names, request.reading, request.data)
    return Table(source, options, request.reading.declared)


def roles_of(table: Table, request: Request, readers: Readers) -> tuple[Roles, list[str]]:
    """The roles of its columns, and what there is to say about it.

    Raises
    ------
    UserError
        A column is not there, or is of no use.
    """
    weight = request.sample_weight
    probabilities = _probabilities(table, request)
    target = ", ".join(request.targets) if probabilities else target_of(table, request.targets)
    of_target = probabilities or [target]
    if weight is not None:
        table.place(weight)
        if weight in of_target:
            raise UserError(f"{asked('--sample-weight', weight)}: this column of {table.name} is the target")
    features = [name for name in table.names if name not in (*of_target, weight)]
    notes = list(table.found_notes())
    if table.untyped:
        table.know_cells(readers.of_shards(table, Table.cells_of))
    if _counts_the_rows(table, features, request, readers):
        features = features[1:]
        notes.append("the first column has no name and counts the rows: it is left out; --number '' keeps it")
    if not features:
        raise UserError(f"{table.name} has no column besides the target {target!r}")
    for name in features:
        kind = table.kind(name)
        if kind in _REFUSED:
            holds = _REFUSED[kind].format(asked("--text", name), table.shown(name))
            raise UserError(f"{table.name}: column {name!r} holds {holds}; {asked('--drop', name)} leaves it out")
    missing = request.reading.missing or "error"
    if probabilities:
        labels: LabelKind = "text" if len(request.targets) > 1 else "integer"
    else:
        labels, note = _labels(table, target, request)
        notes += note
    return Roles(features, target, labels, weight, missing, probabilities), notes


def _probabilities(table: Table, request: Request) -> list[str]:
    """The columns with the probabilities of the classes, in their order; none where there are labels.

    Several targets are such columns, each called as its class; a target of lists has those of the classes 0, 1, ...
    """
    if len(request.targets) > 1:
        columns = sorted(request.targets)
    else:
        columns = table.elements(request.targets[0]) if request.targets else []
    if not columns:
        return []
    for name in columns:
        table.place(name)
    unsuited = {"--select-C": request.select_C, "--report": request.report, "--label-as": request.label_as}
    for option, value in unsuited.items():
        if value:
            raise UserError(f"{option} takes labels; {asked('--target', request.targets[0])} has probabilities")
    if len(columns) == 1:
        raise UserError(f"{table.name}: target {request.targets[0]!r} holds lists of one; two classes are needed")
    return columns


def _counts_the_rows(table: Table, features: list[str], request: Request, readers: Readers) -> bool:
    """Whether the first column, without a name, holds the numbers of the rows, as R and pandas write them."""
    if not features or features[0] != "" or "" in request.reading.declared or table.kind("") != "integer":
        return False
    expected = None
    for counted in readers.of_shards(table, _counted):
        if counted is None or expected not in (None, counted[0]):
            return False
        expected = sum(counted)
    return True


def _counted(table: Table, number: int) -> tuple[float, int] | None:
    """The first number of a shard and how many rows it has; None if the column without a name does not count these."""
    first, rows = None, 0
    for part in table.shard(number, _ROWS_AT_ONCE):
        numbers = part.numbers("", truths=False)
        first = float(numbers[0]) if first is None else first
        if not (numbers == first + rows + np.arange(part.rows)).all():
            return None
        rows += part.rows
    return None if first is None else (first, rows)


def _labels(table: Table, target: str, request: Request) -> tuple[LabelKind, list[str]]:
    if request.label_as == "text":
        return "text", []
    cells = table.cells.get(target)
    codes = cells is not None and cells.kind == "integer" and cells.leading_zero is not None
    if codes and target not in request.reading.declared:
        return "text", [
            f"labels of {target!r} have leading zeros: they are text, unless {asked('--number', target)} says otherwise"
        ]
    return label_kind(table, target), []
