"""The table of a training, and what its columns are for."""

from __future__ import annotations

from dataclasses import replace

from softgrad.cli.classes import label_kind
from softgrad.cli.errors import UserError, asked
from softgrad.cli.kinds import Kind
from softgrad.cli.reading import check_declared
from softgrad.cli.sources import open_source
from softgrad.cli.tables import LabelKind, Table
from softgrad.cli.training import target_of
from softgrad.cli.training_request import Request
from softgrad.cli.training_rows import Roles

_ROWS_AT_ONCE = 1 << 16
# What cannot be a feature, in words.
_REFUSED: dict[Kind, str] = {
    "date": "dates{1}, which are neither numbers nor categories: {0} takes each as a text",
    "nothing": "no value in any row",
    "other": "what is neither number nor text{1}",
}


def opened(request: Request) -> tuple[Table, Roles, list[str]]:
    """The table, the roles of its columns, and what there is to say about it.

    Raises
    ------
    UserError
        It cannot be read, a column is not there, or one is of no use.
    """
    options = request.reading.options(request.data)
    needed = [name for name in (request.target, request.sample_weight) if name is not None]
    for name in needed:
        if name in options.drop:
            raise UserError(f"{asked('--drop', name)}: this column of {request.data} is the target or the weight")
    if options.columns is not None:
        options = replace(options, columns=tuple(dict.fromkeys((*options.columns, *needed))))
    source = open_source(request.data, options, request.kept)
    check_declared(source.names, request.reading, request.data)
    table = Table(source, options, request.reading.declared)
    target = target_of(table, request.target)
    if request.sample_weight is not None:
        table.place(request.sample_weight)
        if request.sample_weight == target:
            raise UserError(f"{asked('--sample-weight', target)}: this column of {table.name} is the target")
    features = [name for name in table.names if name not in (target, request.sample_weight)]
    notes = list(table.found_notes())
    if _counts_the_rows(table, features, request):
        features = features[1:]
        notes.append("the first column has no name and counts the rows: it is left out; --number '' keeps it")
    if not features:
        raise UserError(f"{table.name} has no column besides the target {target!r}")
    for name in features:
        kind = table.kind(name)
        if kind in _REFUSED:
            holds = _REFUSED[kind].format(asked("--text", name), table.shown(name))
            raise UserError(f"{table.name}: column {name!r} holds {holds}; {asked('--drop', name)} leaves it out")
    labels, note = _labels(table, target, request)
    return table, Roles(features, target, labels, request.sample_weight), [*notes, *note]


def _counts_the_rows(table: Table, features: list[str], request: Request) -> bool:
    """Whether the first column, without a name, holds the numbers of the rows, as R and pandas write them."""
    if not features or features[0] != "" or "" in request.reading.declared or table.kind("") != "integer":
        return False
    first = None
    for part in table.parts(_ROWS_AT_ONCE):
        numbers = part.numbers("", truths=False)
        first = numbers[0] if first is None else first
        if not (numbers == first + part.row_numbers - 1).all():
            return False
    return True


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
