"""softmax-l2: the blog's gradient, mpmath's, and how the errors of differences depend on the step."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from softgrad.examples import softmax_l2
from tests.examples.results import result_of
from tests.oracles.bounds import printed

EPS = np.finfo(np.float64).eps
PUBLISHED = np.array([-0.00969502, -0.01434905, 0.0496989, -0.01595981, -0.00969502])


def test_the_published_gradient_to_its_eight_decimals() -> None:
    np.testing.assert_allclose(result_of("softmax-l2").gradient, PUBLISHED, rtol=0.0, atol=printed(8))


def test_loss_and_gradient_against_mpmath() -> None:
    def loss(*logits: mpmath.mpf) -> mpmath.mpf:
        exponentials = [mpmath.exp(z) for z in logits]
        return sum((e / sum(exponentials) - (k == 3)) ** 2 for k, e in enumerate(exponentials)) / 5

    with mpmath.workdps(50):
        point = (1, 2, 3, 0, 1)
        exact_loss = float(loss(*point))
        exact = [float(mpmath.diff(loss, point, tuple(int(j == k) for j in range(5)))) for k in range(5)]
    result = result_of("softmax-l2")
    assert abs(result.loss - exact_loss) <= 8 * EPS * exact_loss
    np.testing.assert_allclose(result.gradient, exact, rtol=0.0, atol=8 * EPS * max(map(abs, exact)))


def test_the_step_of_1e_10_loses_as_many_digits_as_rounding_says() -> None:
    result = result_of("softmax-l2")
    rounding = EPS * result.loss / 1e-10
    worst = np.max(np.abs(result.differences - result.gradient))
    assert rounding / 100 < worst < 4 * rounding
    assert worst > 1e4 * result.errors["central difference"].min() * np.max(np.abs(result.gradient))


@pytest.mark.parametrize(("method", "order"), [("central difference", 2), ("Richardson extrapolation", 4)])
def test_large_steps_err_by_a_power_of_the_step(method: str, order: int) -> None:
    errors = result_of("softmax-l2").errors[method]
    place = np.argmin(np.abs(softmax_l2.STEPS - 1e-1))
    ratio = softmax_l2.STEPS[place] / softmax_l2.STEPS[place - 2]
    assert 0.9 < errors[place] / errors[place - 2] / ratio**order < 1.1


def test_each_method_is_better_than_the_one_before() -> None:
    central, extrapolated, complex_step = (errors.min() for errors in result_of("softmax-l2").errors.values())
    # The error of a central difference is least, eps^(2/3), at a step of eps^(1/3).
    assert 10 * extrapolated < central < 10 * EPS ** (2 / 3)
    assert complex_step < 4 * EPS < extrapolated
