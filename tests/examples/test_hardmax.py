"""hardmax: the limits of softmax and of the soft maximum, ties, and mpmath's values in between."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from softgrad.examples import hardmax
from tests.examples.results import result_of

EPS = np.finfo(np.float64).eps
ROWS = {"distinct": [1.0, 2.0, 3.0, 4.0, 5.0], "tied": [1.0, 3.0, 3.0]}


@pytest.mark.parametrize("name", ROWS)
def test_soft_maxima_against_mpmath(name: str) -> None:
    row = getattr(result_of("hardmax"), name)
    logits = ROWS[name]
    assert row.logits.tolist() == logits
    for place in range(0, len(hardmax.TEMPERATURES), 10):
        temperature = float(hardmax.TEMPERATURES[place])
        with mpmath.workdps(80):
            terms = [mpmath.exp((z - max(logits)) / mpmath.mpf(temperature)) for z in logits]
            soft = [float(term / sum(terms)) for term in terms]
            excess = float(temperature * mpmath.log(sum(terms)))
        # An exponent z / T is rounded before it is used.
        tolerance = (8 + np.ptp(logits) / temperature) * EPS
        np.testing.assert_allclose(row.soft[place], soft, rtol=tolerance)
        assert row.excess[place] == pytest.approx(excess, rel=tolerance, abs=0.0)


def test_the_limits() -> None:
    row = result_of("hardmax").distinct
    assert row.hard.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    # The second largest is 1 below the largest.
    assert np.max(np.abs(row.soft[0] - row.hard)) < 2.0 * np.exp(-1.0 / hardmax.TEMPERATURES[0])
    # softmax(z / T) is within (max z - min z) / T of uniform.
    assert np.max(np.abs(row.soft[-1] - 1.0 / 5.0)) < 4.0 / hardmax.TEMPERATURES[-1] / 5.0
    assert np.all(row.excess > 0.0)
    assert np.all(row.excess < hardmax.TEMPERATURES * np.log(5.0))


def test_equal_maxima_share_at_every_temperature_and_hardmax_takes_the_first() -> None:
    row = result_of("hardmax").tied
    assert row.hard.tolist() == [0.0, 1.0, 0.0]
    np.testing.assert_array_equal(row.soft[:, 1], row.soft[:, 2])
    assert row.soft[0, 1] == 0.5
