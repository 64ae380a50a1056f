"""Draws how linear_cross_entropy grows, from a run in which `linear_head_growth` was asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.__main__ import ROOT
from benchmarks._results import Report, Row, Spread

PLOT = ROOT / "docs" / "guide" / "linear-cross-entropy.svg"
_COLORS = {
    "softgrad": "tab:blue",
    "three products": "black",
    "logits": "black",
    "PyTorch": "tab:red",
    "PyTorch, chunked": "tab:orange",
    "JAX": "tab:green",
}


def size(row: Row) -> tuple[int, ...]:
    """N, D and V of a row of times; N and V of one of memory."""
    return tuple(int(number) for number in re.findall(r"\d+", row.work))


def _growing(rows: Sequence[Row], axis: int, fixed: dict[int, int]) -> list[Row]:
    """The rows in which one of the sizes grows, the others being as they are fixed."""
    chosen = [row for row in rows if all(size(row)[which] == value for which, value in fixed.items())]
    return sorted(chosen, key=lambda row: size(row)[axis])


def _draw(axes: Axes, rows: Sequence[Row], axis: int, unit: float) -> None:
    floors, peers = (dict.fromkeys(name for row in rows for name in getattr(row, kind)) for kind in ("floors", "peers"))
    names = ["softgrad", *floors, *peers]
    for name in names:
        points = [(size(row)[axis], spread) for row in rows if (spread := _spread(row, name)) is not None]
        axes.loglog(
            [place for place, _ in points],
            [spread.median / unit for _, spread in points],
            color=_COLORS[name],
            linestyle="--" if name in floors else "-",
            marker=".",
            label=name,
        )
    places = [size(row)[axis] for row in rows]
    axes.set_xticks(places, [f"{place:,}" for place in places])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)


def _spread(row: Row, name: str) -> Spread | None:
    return row.softgrad if name == "softgrad" else row.floors.get(name) or row.peers.get(name)


def draw(report: Report) -> Figure:
    rows = report.questions["linear_head_growth"]
    times, memory = [row for row in rows if row.unit == "s"], [row for row in rows if row.unit == "B"]
    figure = Figure(figsize=(10.0, 7.0), layout="constrained")
    (by_classes, by_rows), (kept_by_classes, kept_by_rows) = figure.subplots(2, 2, sharey="row")
    _draw(by_classes, _growing(times, 2, {0: 512, 1: 256}), 2, 1.0)
    _draw(by_rows, _growing(times, 0, {1: 256, 2: 32_768}), 0, 1.0)
    _draw(kept_by_classes, _growing(memory, 1, {0: 1024}), 1, 2.0**20)
    _draw(kept_by_rows, _growing(memory, 0, {1: 32_768}), 0, 2.0**20)
    by_classes.set_title("512 rows, 256 features")
    by_rows.set_title("32,768 classes, 256 features")
    kept_by_classes.set_title("1,024 rows")
    kept_by_rows.set_title("32,768 classes")
    by_classes.set_ylabel("value and gradients, seconds")
    kept_by_classes.set_ylabel("beyond inputs and results, MiB")
    for axes, words in ((kept_by_classes, "classes V"), (kept_by_rows, "rows N")):
        axes.set_xlabel(words)
    by_classes.legend()
    kept_by_classes.legend()
    return figure
