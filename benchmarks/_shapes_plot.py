"""Draws the time of an entry against the number of classes, from the rows of the question about shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks._results import Row, Spread
from benchmarks._shapes_point import Point

SIZE = "12 MB"
_COLUMNS = 4
_COLORS = {"softgrad": "tab:blue", "PyTorch": "tab:red", "JAX": "tab:green"}


def _libraries(row: Row) -> Iterator[tuple[str, Spread]]:
    yield "softgrad", row.softgrad
    yield from row.peers.items()


def _draw(axes: Axes, rows: Mapping[Point, Row]) -> None:
    lines: dict[str, list[tuple[int, float]]] = {}
    for point, row in rows.items():
        for name, spread in _libraries(row):
            lines.setdefault(name, []).append((point.classes, 1e9 * spread.median / (point.rows * point.classes)))
    for name, places in lines.items():
        axes.loglog(*zip(*places, strict=True), color=_COLORS[name], label=name)
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)


def draw(rows: Sequence[Row]) -> Figure:
    """A panel for each function, all at one size."""
    at_size = {point: row for row in rows if (point := Point.of(row.work)).size == SIZE}
    if not at_size:
        raise ValueError(f"no row is of an array of {SIZE}, which the picture shows")
    functions = list(dict.fromkeys(point.function for point in at_size))
    figure = Figure(figsize=(12.0, 6.0), layout="constrained")
    panels = figure.subplots(-(-len(functions) // _COLUMNS), _COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes, function in zip(panels.flat, functions, strict=False):
        _draw(axes, {point: row for point, row in at_size.items() if point.function == function})
        axes.set_title(function, fontsize=10)
        axes.xaxis.set_tick_params(labelbottom=True)
    for axes in panels.flat[len(functions) :]:
        axes.axis("off")
    figure.legend(*panels.flat[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    figure.suptitle(f"{SIZE} of float32")
    figure.supxlabel("classes")
    figure.supylabel("nanoseconds for an entry")
    return figure
