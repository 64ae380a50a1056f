"""What a table was understood as, column by column, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from softgrad.cli.errors import asked, listing
from softgrad.cli.kinds import MISSING_NUMBERS, Kind
from softgrad.cli.learning import MOST_CATEGORIES, Numbers, Texts
from softgrad.cli.report import Output, aligned
from softgrad.cli.tables import Table

# A terminal shows no more of a cell; and no table of more columns.
_WIDEST, MOST_COLUMNS = 30, 40
# Texts that are often no value.
_WORDS_FOR_NOTHING = (*MISSING_NUMBERS, "?", "-", "--", ".")
# With fewer rows a column tells the class, or has another number in each row, by chance.
_ENOUGH_ROWS = 30


@dataclass(frozen=True)
class ColumnFacts:
    """A column: what it is taken as, what it holds, how many cells are missing, and its first cell."""

    name: str
    kind: Kind
    holds: str
    missing: int
    example: str

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "kind": self.kind,
            "holds": self.holds,
            "missing": self.missing,
            "example": self.example,
        }


def facts(kind: Kind, column: Numbers | Texts) -> ColumnFacts:
    """Of a column of numbers or texts."""
    if isinstance(column, Texts):
        holds = f"more than {MOST_CATEGORIES} different" if column.too_many else f"{column.different} different"
    elif column.rows == column.missing:
        holds = ""
    else:
        holds = f"{column.least[0]:.4g} to {column.most[0]:.4g}"
    return ColumnFacts(column.name, kind, holds, column.missing, column.example)


def show(found: Sequence[ColumnFacts], output: Output) -> None:
    """Print a table of the columns; an svmlight file has none with names."""
    if not found:
        return
    headings = ["column", "holds", "values", "missing", "example"]
    rows = [
        [_short(fact.name), fact.kind, _short(fact.holds), str(fact.missing or ""), _short(fact.example)]
        for fact in found[:MOST_COLUMNS]
    ]
    for line in aligned([headings, *rows]):
        output.line(line.rstrip())
    if len(found) > MOST_COLUMNS:
        output.line(f"... and {len(found) - MOST_COLUMNS} columns more")


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."


def oddities(table: Table, learnt: Mapping[str, Numbers | Texts], declared: Mapping[str, Kind]) -> Iterator[str]:
    """What a user should know before the training is believed, each with the option that helps."""
    for name, column in learnt.items():
        if name not in declared:
            told = list(_odd_cells(name, table)) if name in table.cells else []
            yield from told
            if isinstance(column, Texts) and not told:
                yield from _words_for_nothing(name, column)
        yield from _odd_values(name, column)


def _odd_cells(name: str, table: Table) -> Iterator[str]:
    kind, cells, origin = table.kind(name), table.cells[name], table.origin
    as_text = asked("--text", name)
    if kind in ("integer", "number"):
        if cells.leading_zero is not None:
            leading = cells.leading_zero.told(origin)
            yield (f"column {name!r} has numbers with leading zeros, {leading}: {as_text} if they are codes")
    elif kind != "text" or cells.no_number is None:
        return
    elif 2 * cells.numbers >= cells.given and cells.no_number != cells.like_number:
        others = cells.given - cells.worded - cells.numbers
        yield (
            f"column {name!r} holds numbers but for {others} of {cells.given} cells, {cells.no_number.told(origin)}, "
            f"so it is taken as text: {asked('--na', cells.no_number.cell)} if that says that a value is missing, "
            f"{asked('--number', name)} to refuse it, {as_text} if it is right"
        )
    elif 2 * cells.dates >= cells.given:
        yield (
            f"column {name!r} is taken as text though {cells.dates} of {cells.given} cells are dates: "
            f"{asked('--drop', name)} leaves it out, {as_text} if it is right"
        )
    elif cells.like_number is not None and 2 * cells.like_numbers >= cells.given:
        yield (
            f"column {name!r} is taken as text though its cells look like numbers, {cells.like_number.told(origin)}: "
            f"--decimal and --thousands say how numbers are written, a unit has to be removed, {as_text} if it is right"
        )


def _words_for_nothing(name: str, column: Texts) -> Iterator[str]:
    words = [text for text in column.texts if text.lower() in _WORDS_FOR_NOTHING]
    if words:
        yield (
            f"column {name!r} has among its texts {listing(map(repr, words))}: "
            f"{' '.join(asked('--na', word) for word in words)} if that says that a value is missing, "
            f"{asked('--text', name)} if it is right"
        )


def _odd_values(name: str, column: Numbers | Texts) -> Iterator[str]:
    given = column.rows - column.missing
    drop = asked("--drop", name)
    if isinstance(column, Numbers):
        same = column.least[0] == column.most[0]
        if column.counts_the_rows and given > 1:
            yield f"column {name!r} counts the rows: {drop} if it is an index"
        elif column.numbers_the_rows and given >= _ENOUGH_ROWS:
            yield f"column {name!r} has another whole number in each row: {drop} if it is an identifier"
    else:
        same = column.different == 1
        if column.different == given and given > 1:
            yield f"column {name!r} has another text in each row: {drop} if it is a name or an identifier"
    if same and given > 1:
        yield f"column {name!r} is constant: {drop}, it tells nothing"
    elif column.tells_the_class and given >= _ENOUGH_ROWS:
        yield f"column {name!r} tells the class by itself: {drop} if it is not known before the class is"
