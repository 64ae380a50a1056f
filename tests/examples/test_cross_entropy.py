"""cross-entropy: the published values to their four decimals, and soft targets."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from softgrad.examples import cross_entropy
from tests.examples.results import result_of
from tests.oracles.bounds import printed

EPS = np.finfo(np.float64).eps


def test_the_published_numbers_to_their_four_decimals() -> None:
    result = result_of("cross-entropy")
    np.testing.assert_allclose(result.probabilities, [0.0900, 0.2447, 0.6652], rtol=0.0, atol=printed(4))
    assert result.losses["one-hot"] == pytest.approx(1.4076, abs=printed(4))
    np.testing.assert_allclose(result.gradients["one-hot"], [0.0900, -0.7553, 0.6652], rtol=0.0, atol=printed(4))


@pytest.mark.parametrize("name", cross_entropy.TARGETS)
def test_every_target_against_mpmath(name: str) -> None:
    with mpmath.workdps(50):
        target = [mpmath.mpf(float(y)) for y in cross_entropy.TARGETS[name]]
        exponentials = [mpmath.exp(z) for z in (2, 3, 4)]
        a = [e / sum(exponentials) for e in exponentials]
        loss = float(-sum(y * mpmath.log(p) for y, p in zip(target, a, strict=True)))
        gradient = [float(p * sum(target) - y) for y, p in zip(target, a, strict=True)]
    result = result_of("cross-entropy")
    assert result.losses[name] == pytest.approx(loss, rel=4 * EPS, abs=0.0)
    np.testing.assert_allclose(result.gradients[name], gradient, rtol=0.0, atol=4 * EPS * max(map(abs, gradient)))


def test_the_differences_agree_and_a_minus_y_does_only_where_the_target_sums_to_1() -> None:
    result = result_of("cross-entropy")
    # Rounding of two losses over the step, and the curvature.
    tolerance = 8 * EPS * max(result.losses.values()) / cross_entropy.STEP + cross_entropy.STEP**2
    for name, target in cross_entropy.TARGETS.items():
        np.testing.assert_allclose(result.differences[name], result.gradients[name], rtol=0.0, atol=tolerance)
        simple = np.max(np.abs(result.probabilities - target - result.differences[name]))
        assert (simple <= tolerance) == (abs(target.sum() - 1.0) <= 2 * EPS)
    assert {bool(abs(target.sum() - 1.0) <= 2 * EPS) for target in cross_entropy.TARGETS.values()} == {True, False}
