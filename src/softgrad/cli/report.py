"""How results are shown: lines and a confusion matrix for people, one JSON object for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from softgrad.cli.classes import Classes
from softgrad.cli.errors import printable
from softgrad.cli.model import Scores

# More columns do not fit a terminal.
MOST_IN_MATRIX = 20


class Output:
    """Where the lines go: to stdout, or to stderr where stdout is kept for one JSON object."""

    def __init__(self, json_only: bool) -> None:
        self.json_only = json_only
        self.stream = sys.stderr if json_only else sys.stdout

    def line(self, text: str) -> None:
        print(printable(text), file=self.stream, flush=True)

    def result(self, result: Mapping[str, object]) -> None:
        """The JSON object, where it was asked for."""
        if self.json_only:
            print(json.dumps(result, allow_nan=False))

    def confusion(self, scores: Scores, classes: Classes, part: str) -> None:
        """The confusion matrix: a table on a terminal, aligned text elsewhere."""
        names = [printable(name) for name in classes.names]
        if len(names) > MOST_IN_MATRIX:
            self.line(f"confusion matrix not shown: {len(names)} classes, more than {MOST_IN_MATRIX}")
            return
        rows = [[name, *map(str, counts)] for name, counts in zip(names, scores.confusion.tolist(), strict=True)]
        title = f"confusion matrix, {part} (rows: true class, columns: predicted)"
        self.line(title)
        if self.stream.isatty():
            _print_table(Console(file=self.stream), names, rows)
        else:
            for line in aligned([["", *names], *rows], right=True):
                self.line(line)


def note(text: str) -> None:
    """Something that a user should know, beside the output of a command."""
    print(f"note: {printable(text)}", file=sys.stderr)


def confusion_as_json(scores: Scores) -> list[list[int]] | None:
    """The confusion matrix where it is small enough to be shown."""
    counts: list[list[int]] = scores.confusion.tolist()
    return counts if len(counts) <= MOST_IN_MATRIX else None


def _print_table(console: Console, names: list[str], rows: list[list[str]]) -> None:
    if _width(names, rows) > console.width:
        # Numbers head the columns; the names stay beside the rows.
        rows = [[f"{row[0]} [{number}]", *row[1:]] for number, row in enumerate(rows, start=1)]
        names = [f"[{number}]" for number in range(1, len(names) + 1)]
    # Lines that the terminal folds can still be read, cells that rich folds cannot.
    console.width = max(console.width, _width(names, rows))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for name in names:
        table.add_column(Text(name), justify="right")
    for number, (name, *counts) in enumerate(rows):
        # Zeros recede, the diagonal stands out.
        styles = ["bold green" if i == number else "dim" if c == "0" else "red" for i, c in enumerate(counts)]
        table.add_row(Text(name, style="bold"), *(Text(c, style=s) for c, s in zip(counts, styles, strict=True)))
    console.print(table)


def aligned(rows: list[list[str]], *, right: bool = False) -> list[str]:
    """The lines of a table of text; `right`: all but the first cells end below each other."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(_padded(cell, widths[place], right and place > 0) for place, cell in enumerate(row)) for row in rows
    ]


def _padded(cell: str, width: int, right: bool) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if right else cell + blank


def _widths(names: list[str], rows: list[list[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(["", *names], *rows, strict=True)]


def _width(names: list[str], rows: list[list[str]]) -> int:
    widths = _widths(names, rows)
    return sum(widths) + 2 * len(widths)
