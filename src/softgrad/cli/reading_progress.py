"""How far a pass over files has come: bytes and rows, on stderr, where it takes its time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TextColumn

# A pass that is over before is not worth a line; then as often as a log that is being followed should show life.
_SECONDS_BEFORE = 2.0
_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_DRAWINGS = 0.1

# What is told of a pass: in words, and how much of it is done, from 0 to 1.
Show = Callable[[str, float], None]


class ReadingProgress:
    """The passes over files or parts of files, one after the other.

    Parameters
    ----------
    sizes : sequence of int or None
        Of these, in bytes; None of a pipe.

    Attributes
    ----------
    show : callable or None
        What shows a pass instead of a bar or lines of its own, while a training does.
    """

    def __init__(self, sizes: Sequence[int | None]) -> None:
        self._sizes = [size or 0 for size in sizes]
        self._of_rows: int | None = None
        self._due = 0.0
        self.show: Show | None = None
        self._bar: Progress | None = None

    @contextmanager
    def reading(self, file: int) -> Iterator[None]:
        """The pass over the file of this number; that over the first begins one over all, that over the last ends it.

        All rows are told of then.
        """
        if file == 0:
            self._rows = 0
            self._due = max(self._due, time.monotonic() + _SECONDS_BEFORE)
        ended = True
        try:
            yield
            ended = file == len(self._sizes) - 1
            if ended:
                self._of_rows = self._rows
        finally:
            if ended and self._bar is not None:
                self._bar.stop()
                self._bar = None

    def at(self, file: int, share: float, rows: int) -> None:
        """A share of the file of this number is read, and so many rows of all."""
        self._rows = rows
        now = time.monotonic()
        if now < self._due:
            return
        done, whole = sum(self._sizes[:file]) + int(share * self._sizes[file]), sum(self._sizes)
        of_rows = f"{rows:,}" if self._of_rows is None else f"{rows:,} of {self._of_rows:,}"
        text = f"{decimal(done)} of {decimal(whole)}, {of_rows} rows"
        self._due = now + self._draw(text, done / max(whole, 1))

    def _draw(self, text: str, share: float) -> float:
        """Gives the seconds after which it is worth to draw again."""
        if self.show is not None:
            self.show(text, share)
            return _SECONDS_BETWEEN_DRAWINGS
        console = Console(stderr=True)
        if console.is_dumb_terminal or not sys.stderr.isatty():
            print(f"reading: {text}", file=sys.stderr, flush=True)
            return _SECONDS_BETWEEN_LINES
        if self._bar is None:
            columns = TextColumn("reading"), BarColumn(), TextColumn("{task.fields[text]}")
            self._bar = Progress(*columns, console=console, transient=True)
            self._bar.add_task("reading", total=1.0, text=text)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=share, text=text)
        return _SECONDS_BETWEEN_DRAWINGS
