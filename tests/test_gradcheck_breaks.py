"""Kinks, cusps and jumps: reported as such, with the component, and no slope beside them is called wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softgrad.gradcheck import check_gradient
from tests.oracles.inputs import fresh_rng


def relu(x: np.ndarray) -> Any:
    return np.maximum(x, 0.0).sum()


def relu_gradient(x: np.ndarray) -> np.ndarray:
    return (x > 0.0).astype(x.dtype)


def with_value(index: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def grad(x: np.ndarray) -> np.ndarray:
        g = relu_gradient(x)
        g[index] = value
        return g

    return grad


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_a_slope_between_those_beside_a_kink_is_not_wrong(slope: float) -> None:
    x = np.array([1.0, -2.0, 0.0, 3.0])
    report = check_gradient(relu, x, grad=with_value(2, slope))
    assert report.verdict == "inconclusive", report
    assert report.kink == (2,)
    assert report.reason == "the function has a kink near x at index [2], its slope goes from 0 to 1"
    assert report.worst_index == (2,)


@pytest.mark.parametrize("slope", [-0.001, 1.001, 2.0, np.nan])
def test_a_slope_outside_of_them_is_wrong(slope: float) -> None:
    report = check_gradient(relu, np.array([1.0, -2.0, 0.0, 3.0]), grad=with_value(2, slope))
    assert report.verdict == "fail", report
    assert report.worst_index == (2,)


def test_a_wrong_component_elsewhere_is_found_beside_a_kink() -> None:
    report = check_gradient(relu, np.array([1.0, -2.0, 0.0, 3.0]), grad=with_value(0, 1.001))
    assert report.verdict == "fail", report
    assert report.worst_index == (0,)
    assert report.kink == (2,)


@pytest.mark.parametrize("distance", [0.0, 1e-12, 1e-9, 1e-8])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_kink_too_near_to_tell(distance: float, side: float) -> None:
    x = np.array([1.0, side * distance])
    report = check_gradient(relu, x, grad=relu_gradient)
    assert report.verdict == "inconclusive", report
    assert report.kink == (1,)
    assert check_gradient(relu, x, grad=with_value(1, 2.0)).verdict == "fail"


@pytest.mark.parametrize("distance", [1e-6, 1e-4, 1e-2])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_kink_far_enough_away_is_none(distance: float, side: float) -> None:
    x = np.array([1.0, side * distance])
    report = check_gradient(relu, x, grad=relu_gradient)
    assert report.passed, report
    assert report.kink is None
    # The slope of the other side.
    assert check_gradient(relu, x, grad=lambda x: relu_gradient(-x)).verdict == "fail"


@pytest.mark.parametrize("slopes", [(1.0, 0.0, 0.0), (0.5, 0.0, 0.5), (0.0, 0.0, 1.0)])
def test_ties_of_a_maximum(slopes: tuple[float, ...]) -> None:
    report = check_gradient(np.max, np.array([2.0, 1.0, 2.0]), grad=lambda _: np.array(slopes))
    assert report.verdict == "inconclusive", report
    assert report.kink in [(0,), (2,)]


def test_without_ties_a_maximum_has_no_kink() -> None:
    x = np.array([2.0, 1.0, 2.001])
    assert check_gradient(np.max, x, grad=lambda _: np.array([0.0, 0.0, 1.0])).passed
    assert check_gradient(np.max, x, grad=lambda _: np.array([1.0, 0.0, 0.0])).verdict == "fail"


@pytest.mark.parametrize(
    ("function", "grad", "kind"),
    [
        pytest.param(lambda x: np.abs(x).sum(), np.sign, "kink", id="abs"),
        pytest.param(lambda x: np.sign(x).sum(), np.zeros_like, "jump", id="sign"),
        pytest.param(lambda x: np.sum(x > 0.0), np.zeros_like, "jump", id="step"),
        pytest.param(lambda x: np.argmax([x[0], 0.0]) + x.sum(), np.ones_like, "jump", id="hardmax"),
        pytest.param(lambda x: np.sqrt(np.abs(x)).sum(), lambda x: 0.5 * (x > 0.0), "cusp", id="square root"),
    ],
)
def test_what_it_is_called(function: Any, grad: Any, kind: str) -> None:
    report = check_gradient(function, np.array([0.0, 1.0]), grad=grad)
    assert report.verdict == "inconclusive", report
    assert report.reason.startswith(f"the function has a {kind} near x at index [0]")
    elsewhere = check_gradient(
        function, np.array([0.5, 1.0]), grad=lambda x: grad(np.array([1.0, 1.0]))[0] * 1.0 / x**0
    )
    if kind != "cusp":
        assert elsewhere.passed, elsewhere


def test_a_smooth_function_with_a_sharp_bend_has_no_kink() -> None:
    x = np.array([0.0, 1e-6, -3e-5])
    report = check_gradient(lambda x: np.log(np.cosh(1e5 * x)).sum(), x, grad=lambda x: 1e5 * np.tanh(1e5 * x))
    assert report.passed, report


def test_a_second_derivative_without_bound_is_no_kink() -> None:
    def power(x: np.ndarray) -> Any:
        return (np.abs(x) ** 1.5).sum()

    report = check_gradient(power, np.array([0.0, 1.0]), grad=lambda x: 1.5 * np.sign(x) * np.abs(x) ** 0.5)
    assert report.kink is None
    assert report.verdict != "fail", report


def test_the_kink_of_one_of_many_components_is_named() -> None:
    rng = fresh_rng()
    x = rng.choice([-1.0, 1.0], 5000) * rng.uniform(0.1, 1.0, 5000)
    assert check_gradient(relu, x, grad=relu_gradient).passed
    kink, wrong = (int(index) for index in rng.choice(5000, 2, replace=False))
    x[kink] = 0.0
    report = check_gradient(relu, x, grad=relu_gradient)
    assert report.verdict == "inconclusive", report
    assert report.kink == (kink,)
    report = check_gradient(relu, x, grad=with_value(wrong, 0.9 if x[wrong] > 0.0 else 0.1))
    assert report.verdict == "fail", report
    assert report.worst_index == (wrong,)


def test_kinks_of_many_components_that_hide_each_other() -> None:
    """Along a direction the slopes of relu(x) - relu(y) beside 0 are equal, and no gradient need have them."""

    def function(x: np.ndarray) -> Any:
        return relu(x[:1000]) - relu(x[1000:])

    report = check_gradient(function, np.zeros(2000), grad=np.zeros_like)
    assert report.verdict == "inconclusive", report
    assert report.kink is not None
    assert check_gradient(function, np.zeros(2000), grad=lambda x: x + 2.0).verdict == "fail"
