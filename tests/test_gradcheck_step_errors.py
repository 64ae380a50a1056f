"""The V-shaped curve: what its two arms and its bottom are, and what it says of the complex step."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from softgrad.gradcheck import step_errors
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng


def order(errors: np.ndarray, steps: np.ndarray, wide: float, narrow: float) -> float:
    """The slope of the logarithms between two steps."""
    part = (steps <= wide) & (steps >= narrow)
    return float(np.polyfit(np.log(steps[part]), np.log(errors[part]), 1)[0])


def test_the_orders_of_sine() -> None:
    errors = step_errors(lambda x: np.sin(x).sum(), [0.3, 1.1], grad=np.cos)
    assert errors.steps[0] == 2.0
    assert np.all(errors.steps[:-1] == 2.0 * errors.steps[1:])
    # Truncation: the second power of the step, and the fourth.
    assert 1.95 < order(errors.central, errors.steps, 0.1, 1e-4) < 2.05
    assert 3.95 < order(errors.extrapolated, errors.steps, 0.3, 1e-2) < 4.05
    assert errors.complex_step is not None
    assert 1.95 < order(errors.complex_step, errors.steps, 0.1, 1e-4) < 2.05
    # Rounding: the inverse of the step, and none for the complex step.
    assert -1.3 < order(errors.central, errors.steps, 1e-7, 1e-13) < -0.7
    assert np.all(errors.complex_step[errors.steps < EPS**0.5] < EPS ** (2 / 3))
    # The bottom of the V is at the cubic root of eps.
    assert 0.02 < errors.steps[errors.central.argmin()] / EPS ** (1 / 3) < 20.0
    assert errors.reference == pytest.approx(np.cos(0.3) + np.cos(1.1), rel=EPS ** (2 / 3), abs=0.0)
    # Extrapolated differences are worth more than central ones; their estimate is not below it.
    assert errors.gradient < errors.reference_error < 10 * EPS ** (2 / 3)


def test_a_member_of_the_registry() -> None:
    (logits, labels), options = sg.cross_entropy.sample_arguments(fresh_rng(), np.dtype(np.float64))
    errors = step_errors(sg.cross_entropy, logits, labels, **options)
    assert errors.complex_step is None
    assert errors.central.min() < 100 * EPS ** (2 / 3) < errors.central[0]
    assert errors.central[-1] > 1e-5
    assert errors.gradient < 10 * EPS ** (2 / 3)


def test_a_wrong_gradient_stands_out() -> None:
    errors = step_errors(np.sin, 0.3, grad=lambda x: 1.01 * np.cos(x))
    assert errors.gradient == pytest.approx(0.01, rel=EPS**0.5, abs=0.0)


def test_steps_that_leave_the_domain_have_no_error() -> None:
    errors = step_errors(np.log, 0.75, grad=lambda x: 1.0 / x)
    assert np.all(np.isnan(errors.central[:2]))
    assert not np.any(np.isnan(errors.central[2:]))
