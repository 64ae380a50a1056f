"""What an experiment is, and what is done with its result: tables of its numbers and one picture."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
import rich.table
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.text import Text

Array = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Cell = str | int | float

# Cells that rich folds cannot be read; lines that the terminal folds can.
WIDER_THAN_ANY_TABLE = 1000


@dataclass(frozen=True)
class Table:
    """Some numbers of a result.

    Parameters
    ----------
    title : str
        What the table shows.
    columns : dict of str to str
        Heading and format specification of each column.
    rows : sequence of sequences
        The cells: str, int or float, full precision.
    """

    title: str
    columns: dict[str, str]
    rows: Sequence[Sequence[Cell]]


class Result(Protocol):
    """What `run` of an experiment returns."""

    def tables(self) -> list[Table]:
        """The numbers of the experiment."""
        ...

    def draw(self, figure: Figure) -> None:
        """Draw the picture of the experiment into an empty figure."""
        ...


def print_tables(tables: Sequence[Table], stream: TextIO) -> None:
    """Print the tables, each under its title."""
    console = Console(file=stream, width=WIDER_THAN_ANY_TABLE, highlight=False)
    for table in tables:
        shown = rich.table.Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for number, heading in enumerate(table.columns):
            words = isinstance(table.rows[0][number], str)
            shown.add_column(Text(heading), justify="left" if words else "right")
        for row in table.rows:
            cells = zip(row, table.columns.values(), strict=True)
            shown.add_row(*(Text(format(cell, specification)) for cell, specification in cells))
        console.print(Text(table.title, style="bold"), shown, "", sep="\n")


def picture(result: Result) -> Figure:
    """The picture of a result."""
    figure = Figure(figsize=(12.0, 5.5), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    result.draw(figure)
    return figure


def png(result: Result) -> bytes:
    """The picture of a result, as a file holds it."""
    file = io.BytesIO()
    picture(result).savefig(file, format="png")
    return file.getvalue()


def main(script: str, description: str | None, run: Callable[[], Result]) -> None:
    """Run an experiment as a script: print its tables, write its picture into the current folder."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    result = run()
    print_tables(result.tables(), sys.stdout)
    path = Path(Path(script).stem.replace("_", "-") + ".png")
    path.write_bytes(png(result))
    print(f"picture written to {path}")
