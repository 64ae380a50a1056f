"""Every picture: drawn, labelled, and readable: no text outside of it, none over another, no legend over a label."""

from __future__ import annotations

import functools
import io
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from softgrad.cli.experiment import scripts
from softgrad.examples._experiment import picture, png
from tests.examples.results import result_of

# They take a quarter of a minute, and some minutes.
SLOW = {"back-propagation", "cluster", "hugging-face", "language-model"}
names = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in scripts()]
)


@functools.cache
def drawn(name: str) -> Figure:
    figure = picture(result_of(name))
    figure.draw_without_rendering()
    return figure


def tick_labels(axes: Axes) -> list[Text]:
    if not axes.axison:
        return []
    found = []
    for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim()))):
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if low <= tick.get_loc() <= high:
                found.append(tick.label1)
    return found


@pytest.mark.slow
@names
def test_png_is_not_blank(name: str) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(png(result_of(name)))).convert("RGB"))
    assert pixels.shape[0] >= 500
    assert pixels.shape[1] >= 1000
    inked = np.any(pixels != 255, axis=2)
    assert 0.02 < inked.mean() < 0.9
    # Every ninth of the picture has something in it, in colour somewhere.
    for band in np.array_split(inked, 3):
        for part in np.array_split(band, 3, axis=1):
            assert part.mean() > 0.002
    assert np.ptp(pixels.astype(int), axis=2).max() > 100


@pytest.mark.slow
@names
def test_axes_are_labelled(name: str) -> None:
    plots = [axes for axes in drawn(name).axes if axes.lines or axes.patches]
    assert plots
    for axes in plots:
        assert axes.has_data()
        assert axes.get_title()
        place = axes.get_subplotspec()
        beside = [other for other in plots if other.get_subplotspec().rowspan == place.rowspan]
        # Rows and columns of axes have the label once.
        above = [other for other in plots if other.get_subplotspec().colspan == place.colspan]
        assert any(other.get_ylabel() for other in beside)
        # Bars have names instead.
        assert axes.patches or any(other.get_xlabel() for other in above)


@names
def test_no_text_is_cut_or_covered(name: str) -> None:
    figure = drawn(name)
    texts = [title for part in [figure, *figure.subfigs] if (title := part._suptitle) is not None]
    for axes in figure.axes:
        texts += [axes.title, *axes.texts, *tick_labels(axes)]
        texts += [axes.xaxis.label, axes.yaxis.label] if axes.axison else []
    boxes = {text: text.get_window_extent() for text in texts if text.get_text() and text.get_visible()}
    assert len(boxes) > 10
    for text, box in boxes.items():
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
    for (text, box), (other, other_box) in combinations(boxes.items(), 2):
        assert not box.overlaps(other_box), (text, other)
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend is None:
            continue
        frame = legend.get_window_extent()
        for text, box in boxes.items():
            assert not frame.overlaps(box), (name, text)
        for line in axes.lines:
            # In the coordinates of the picture, also for a line across the axes.
            points = line.get_transform().transform(line.get_xydata())
            assert not any(frame.contains(*point) for point in points), line
