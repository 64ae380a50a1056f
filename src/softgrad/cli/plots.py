"""The picture of a training: the loss curve and the confusion matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from softgrad.cli.files import replacing
from softgrad.cli.tables import IntArray

# With more classes neither counts nor names can be read in the picture.
MOST_WITH_COUNTS = 12
MOST_WITH_NAMES = 40


def draw_training(
    path: Path, title: str, loss_curve: Sequence[float], names: Sequence[str], confusion: IntArray, part: str
) -> None:
    """Write the picture as PNG; `part` says which rows the confusion matrix counts."""
    figure = Figure(figsize=(12.0, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, parse_math=False)
    left, right = figure.subplots(1, 2)
    _draw_curve(left, loss_curve)
    _draw_confusion(figure, right, names, confusion, part)
    with replacing(path) as file, warnings.catch_warnings():
        # Names in scripts that the font lacks become boxes; the counts are still there.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="png", dpi=120)


def _draw_curve(axes: Axes, loss_curve: Sequence[float]) -> None:
    axes.plot(range(len(loss_curve)), loss_curve, color="tab:blue", marker=".", markersize=5)
    if min(loss_curve) > 0.0 and max(loss_curve) > 5.0 * min(loss_curve):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("iteration")
    axes.set_ylabel("objective (mean loss and penalty)")
    axes.set_title(f"training (ends at {loss_curve[-1]:.4g})")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)


def _draw_confusion(figure: Figure, axes: Axes, names: Sequence[str], confusion: IntArray, part: str) -> None:
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    figure.colorbar(image, ax=axes, label="share of the true class", fraction=0.046)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    accuracy = confusion.trace() / confusion.sum()
    axes.set_title(f"confusion matrix of the {part} (accuracy {accuracy:.4f})")
    count = len(names)
    if count <= MOST_WITH_NAMES:
        short = [_short(name) for name in names]
        steep = max(map(len, short)) * count > 60
        axes.set_xticks(range(count), short, rotation=90 if steep else 0, parse_math=False)
        axes.set_yticks(range(count), short, parse_math=False)
    if count <= MOST_WITH_COUNTS:
        # Cells of the widest numbers just touch at this size.
        size = min(10.0, 360.0 / (count * len(str(confusion.max()))))
        for (row, column), value in np.ndenumerate(confusion):
            color = "white" if shares[row, column] > 0.5 else "black"
            if value:
                axes.text(column, row, str(value), ha="center", va="center", color=color, fontsize=size)


def _short(name: str) -> str:
    """The beginning and the end of a long name: either may be what tells it from the others."""
    return name if len(name) <= 16 else f"{name[:8]}…{name[-7:]}"
