"""Progress of the training on stderr: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from softgrad.cli.reading_progress import ReadingProgress

if TYPE_CHECKING:
    from softgrad.linear_model import IterationReport

    Callback = Callable[[IterationReport], None]

# A log that is being followed should show life at least this often.
SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def training_progress(tol: float, reading: ReadingProgress | None) -> Iterator[Callback]:
    """What shows the iterations of a fit whose tolerance is `tol`, and passes over files if it reads any."""
    console = Console(stderr=True)
    if console.is_dumb_terminal or not sys.stderr.isatty():
        yield _plain_lines()
        return
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("iteration {task.fields[iteration]}, objective {task.fields[objective]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[read]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("training", total=1.0, iteration=0, objective="...", read="")
        share = ShareDone(tol)

        def show(report: IterationReport) -> None:
            progress.update(
                task,
                completed=share(report),
                iteration=report.iteration,
                objective=f"{report.objective:.6g}",
            )

        if reading is not None:
            reading.show = lambda text, _: progress.update(task, read=text)
        try:
            yield show
        finally:
            if reading is not None:
                reading.show = None


class ShareDone:
    """How much of the way is done, from 0 to 1, never falling.

    The gap shrinks by factors, so the way is measured on its logarithm; a solver that runs out of iterations
    is done as well.
    """

    def __init__(self, tol: float) -> None:
        self.tol = tol
        self.first: float | None = None
        self.share = 0.0

    def __call__(self, report: IterationReport) -> float:
        gap = report.relative_gap
        share = report.iteration / report.max_iter
        if gap <= self.tol:
            share = 1.0
        elif math.isfinite(gap):
            self.first = self.first or gap
            share = max(share, math.log(self.first / gap) / math.log(self.first / self.tol))
        self.share = min(1.0, max(self.share, share))
        return self.share


def _plain_lines() -> Callback:
    shown = time.monotonic()

    def show(report: IterationReport) -> None:
        nonlocal shown
        now = time.monotonic()
        if _is_round(report.iteration) or now - shown >= SECONDS_BETWEEN_LINES:
            shown = now
            print(
                f"iteration {report.iteration}, objective {report.objective:.6g}, gap {report.relative_gap:.1e}",
                file=sys.stderr,
                flush=True,
            )

    return show


def _is_round(iteration: int) -> bool:
    """The first ten, then 20, 50, 100, ...: as many lines for a long training as for a few short ones."""
    digits = str(iteration)
    return iteration <= 10 or (digits[0] in "125" and not digits[1:].strip("0"))
