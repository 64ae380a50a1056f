"""The figure of the landing page shows what the code and docs/performance.json give."""

from __future__ import annotations

import re

import numpy as np
from benchmarks.__main__ import RESULTS
from benchmarks._landing_figure import FIGURE, GAPS, drawn, errors, errors_in
from benchmarks._results import Report

EPS = float(np.finfo(np.float32).eps)
COMMITTED = FIGURE.read_text(encoding="utf-8")


def test_it_is_drawn_from_its_errors_and_from_the_figures_that_were_measured() -> None:
    assert drawn(errors_in(COMMITTED), Report.load(RESULTS)) == COMMITTED


def test_its_errors_are_those_of_the_code() -> None:
    shown, found = errors_in(COMMITTED), errors()
    assert list(shown) == list(found)
    # On another processor an exponential may be rounded otherwise, and with it, in the others, the sum that holds a 1.
    of_the_sum = EPS / np.log1p(np.exp(-GAPS.astype(np.float64)))
    for name, of_name in found.items():
        most = 4 * EPS + (0.0 if name == "softgrad" else 2 * of_the_sum)
        assert np.all(np.abs(np.subtract(shown[name], of_name)) <= most)


def test_it_shows_what_the_words_in_its_place_say() -> None:
    shown = errors_in(COMMITTED)
    assert max(shown["softgrad"]) <= 2 * EPS
    for name in ("PyTorch", "NumPy"):
        assert shown[name][-1] == 1.0
    bars = re.findall(r'<rect class="(\w+)" x', COMMITTED)
    assert bars == ["softgrad", "JAX", "PyTorch", "NumPy"]
