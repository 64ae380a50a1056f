"""Draws what docs/performance.json and the first table of docs/accuracy.md say, for those who would rather look."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

COLORS = {"softgrad": "tab:blue", "NumPy": "tab:gray", "SciPy": "tab:orange", "PyTorch": "tab:red", "JAX": "tab:green"}
QUESTIONS = ("cross_entropy", "softmax")
# What has lost all digits stands at the edge, where it cannot be taken for a measured error.
LOST = 1e18


def draw_figures(app: Sphinx) -> None:
    docs = Path(app.srcdir)
    folder = docs / "figures"
    folder.mkdir(exist_ok=True)
    save(times(json.loads((docs / "performance.json").read_text(encoding="utf-8"))), folder / "times.svg")
    save(errors((docs / "accuracy.md").read_text(encoding="utf-8")), folder / "errors.svg")


def save(figure: Figure, path: Path) -> None:
    FigureCanvasSVG(figure)
    with matplotlib.rc_context({"svg.hashsalt": "softgrad"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def times(measured: dict[str, dict[str, list[dict[str, object]]]]) -> Figure:
    """How many times softgrad's time the others take, a panel for each question."""
    figure = Figure(figsize=(8.5, 6.5), layout="constrained")
    rows = [measured["questions"][question] for question in QUESTIONS]
    panels = figure.subplots(len(rows), 1, sharex=True, height_ratios=[len(each) for each in rows])
    for axes, each in zip(panels, rows, strict=True):
        draw_times(axes, each)
    figure.legend(*panels[-1].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    panels[-1].set_xlabel("time, in units of softgrad's (less than 1: faster than softgrad)")
    return figure


def draw_times(axes: Axes, rows: list[dict]) -> None:
    for name in ("NumPy", "SciPy", "PyTorch", "JAX"):
        places = [
            (row["peers"][name]["median"] / row["softgrad"]["median"], number)
            for number, row in enumerate(rows)
            if name in row["peers"]
        ]
        if places:
            axes.plot(*zip(*places, strict=True), "o", color=COLORS[name], label=name)
    axes.axvline(1.0, color=COLORS["softgrad"], label="softgrad")
    axes.set_yticks(range(len(rows)), [row["work"] for row in rows])
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", alpha=0.3)
    axes.set_ylim(len(rows) - 0.5, -0.5)


def errors(page: str) -> Figure:
    """The worst error of each result, a panel for each of the wide dtypes."""
    figure = Figure(figsize=(8.5, 4.5), layout="constrained")
    heads, *rows = table(page)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, dtype in zip(panels, ("float64", "float32"), strict=True):
        draw_errors(axes, heads, [row for row in rows if row[1] == dtype])
        axes.set_title(dtype)
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    figure.supxlabel("worst error in ulp, of all inputs; at the edge: all digits lost, or inf")
    return figure


def table(page: str) -> Iterator[list[str]]:
    """The heads and rows of the table under "The worst error of all inputs"."""
    section = page.split("## The worst error of all inputs", 1)[1].split("\n## ", 1)[0]
    for line in re.findall(r"^\|(.+)\|$", section, re.MULTILINE):
        cells = [cell.strip(" *") for cell in line.split("|")]
        if not re.fullmatch(r"[- |]+", line):
            yield cells


def draw_errors(axes: Axes, heads: list[str], rows: list[list[str]]) -> None:
    # result, dtype, bound, then softgrad with each instruction set, then the peers with their versions.
    for column, head in enumerate(heads[3:], start=3):
        name = head.split()[0]
        known = name in COLORS
        places = [(value(row[column]), number) for number, row in enumerate(rows) if row[column] != "-"]
        marker = "o" if known else "D"
        axes.plot(
            *zip(*places, strict=True),
            marker,
            color=COLORS[name if known else "softgrad"],
            label=name if known else f"softgrad, {name}",
        )
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_xscale("log")
    axes.grid(axis="x", alpha=0.3)


def value(cell: str) -> float:
    return LOST if cell in ("lost", "inf") else float(cell)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("builder-inited", draw_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
