"""Complex steps where the function is analytic, and functions that compute in less than float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softgrad.gradcheck import check_gradient
from tests.gradcheck_problems import cross_entropy, gradient, probabilities, problem
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng


def points() -> np.ndarray:
    return fresh_rng().uniform(0.2, 2.0, 4)


@pytest.mark.parametrize(
    ("function", "grad"),
    [
        pytest.param(lambda x: np.sin(x).sum(), np.cos, id="sin"),
        pytest.param(lambda x: (x**3).sum(), lambda x: 3 * x**2, id="cube"),
        pytest.param(
            lambda x: np.log(np.exp(x - x.max()).sum()) + x.max(), lambda x: probabilities(x[None])[0], id="lse"
        ),
    ],
)
def test_an_analytic_function_takes_complex_steps(function: Any, grad: Any) -> None:
    x = points()
    report = check_gradient(function, x, grad=grad)
    assert report.passed, report
    assert report.method == "complex step"
    # No real difference is as good as this.
    assert all(row.error_estimate <= 32 * EPS * abs(row.numeric) for row in report.comparisons)
    assert check_gradient(function, x, grad=lambda x: grad(x) * (1.0 + 1e-6)).verdict == "fail"


@pytest.mark.parametrize(
    ("function", "grad"),
    [
        pytest.param(lambda x: (x**2).sum() + np.abs(x).sum(), lambda x: 2 * x + 1, id="abs of a part"),
        pytest.param(lambda x: (x**2).sum() + 1e-6 * np.abs(x).sum(), lambda x: 2 * x + 1e-6, id="abs of a small part"),
        pytest.param(lambda x: (x**2).sum() + x.real.sum(), lambda x: 2 * x + 1, id="real part"),
        pytest.param(lambda x: (x * np.conj(x)).sum(), lambda x: 2 * x, id="conjugate"),
        pytest.param(lambda x: float((x**2).sum()), lambda x: 2 * x, id="float"),
        pytest.param(lambda x: (x.astype(np.float64) ** 2).sum(), lambda x: 2 * x, id="cast"),
        pytest.param(lambda x: np.abs(x).sum(), np.ones_like, id="real result"),
        pytest.param(lambda x: sum(np.arctan2(x, 1.0)), lambda x: 1 / (1 + x**2), id="no complex version"),
    ],
)
def test_a_function_that_is_not_analytic_takes_real_differences(function: Any, grad: Any) -> None:
    x = points()
    report = check_gradient(function, x, grad=grad)
    assert report.passed, report
    assert report.method == "central differences"
    assert check_gradient(function, x, grad=lambda x: grad(x) * (1.0 + 1e-6)).verdict == "fail"


def test_a_function_too_noisy_to_confirm_complex_steps_takes_none() -> None:
    noise = np.random.default_rng(0)
    report = check_gradient(lambda x: np.sin(x).sum() + 1e-6 * noise.standard_normal(), points(), grad=np.cos)
    assert report.method == "central differences"
    assert report.verdict == "inconclusive"


@pytest.mark.parametrize("given", [np.float64, np.float32])
def test_a_function_that_casts_to_float32_is_noticed(given: Any) -> None:
    """Never a pass that saw nothing, never a right gradient called wrong; and a plain error is still found."""

    def single(x: np.ndarray) -> Any:
        return np.sin(x.astype(np.float32)).sum()

    x = points().astype(given)
    assert check_gradient(single, x, grad=np.cos).verdict == "inconclusive"
    assert check_gradient(single, x, grad=lambda x: np.cos(x) * x.dtype.type(1 + 1e-4)).verdict != "pass"
    assert check_gradient(single, x, grad=lambda x: -np.cos(x)).verdict == "fail"


def test_a_function_that_takes_float32_alone_is_told_so() -> None:
    def single(x: np.ndarray) -> Any:
        if x.dtype != np.float32:
            raise TypeError("float32 needed")
        return x.sum()

    with pytest.raises(TypeError, match="float32 needed") as caught:
        check_gradient(single, np.ones(2, np.float32), grad=np.ones_like)
    assert "evaluates functions of float32 in float64" in caught.value.__notes__[0]


def test_a_float32_gradient_is_evaluated_in_float32() -> None:
    seen = set()

    def grad(x: np.ndarray) -> np.ndarray:
        seen.add(x.dtype)
        return np.cos(x)

    x = points().astype(np.float32)
    assert check_gradient(lambda x: np.sin(x).sum(), x, grad=grad).passed
    assert seen == {np.dtype(np.float32)}


def test_digits_lost_by_cancellation_in_float32_are_not_called_wrong() -> None:
    """A product whose terms cancel has the rounding of its terms, not of itself."""
    rng = fresh_rng()
    a, b = rng.standard_normal((2, 30, 30))
    x = rng.standard_normal((30, 5))

    def square(x: np.ndarray) -> Any:
        return 0.5 * ((a.astype(x.dtype) @ x) ** 2).sum() + (b.astype(x.dtype) @ x).sum()

    def grad(x: np.ndarray) -> np.ndarray:
        return a.T.astype(x.dtype) @ (a.astype(x.dtype) @ x) + b.T.astype(x.dtype) @ np.ones_like(x)

    single = x.astype(np.float32)
    exact = grad(single.astype(np.float64))
    lost = np.abs(grad(single) - exact) / np.abs(exact)
    assert lost.max() > 8.0 * 2.0**-23
    report = check_gradient(square, single, grad=grad)
    assert report.verdict != "fail", report
    assert check_gradient(square, x, grad=grad).passed
    assert check_gradient(square, single, grad=lambda x: grad(x) * np.float32(1 + 1e-4)).verdict == "fail"


def test_confident_rows_beside_others_in_float32() -> None:
    """p - 1 has the rounding of 1, not its own: no digits are left in a row that is certain."""
    x, labels = problem(fresh_rng(), 4, 5, dtype=np.float32)
    x[0, labels[0]] = 14.0
    report = check_gradient(cross_entropy, x, labels, grad=gradient)
    assert report.passed, report
    place = (0, int(labels[0]))
    exact = gradient(x.astype(np.float64), labels)[place]
    assert abs(gradient(x, labels)[place] / exact - 1.0) > 1e-5

    def more_than_rounding(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        g = gradient(x, labels)
        g[place] += 1e-6
        return g

    report = check_gradient(cross_entropy, x, labels, grad=more_than_rounding)
    assert report.verdict == "fail", report
    assert report.worst_index == place


def test_digits_lost_in_every_component_are_an_error() -> None:
    def loss(x: np.ndarray) -> Any:
        return (x - np.sin(x)).sum()

    x = np.array([1.1e-3, 1.3e-3, 1.9e-3], np.float32)
    assert check_gradient(loss, x, grad=lambda x: 2 * np.sin(x / 2) ** 2).passed
    assert check_gradient(loss, x, grad=lambda x: np.float32(1) - np.cos(x)).verdict == "fail"


def test_a_gradient_of_noise_is_inconclusive() -> None:
    rng = fresh_rng()
    x = points().astype(np.float32)
    report = check_gradient(
        lambda x: np.sin(x).sum(), x, grad=lambda x: np.cos(x) + 1e-3 * rng.standard_normal(4).astype(np.float32)
    )
    assert report.verdict == "inconclusive", report
    assert report.reason.startswith("the gradient is too rough at index")


class Tensor:
    """What refuses to become an array, as a tensor that is part of a graph does."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")


class Readable:
    """A framework's array: NumPy can read it, and that is all."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype)


def test_arrays_of_other_frameworks_are_read() -> None:
    report = check_gradient(lambda x: Readable(np.sin(x).sum()), Readable(points()), grad=lambda x: Readable(np.cos(x)))
    assert report.passed, report


@pytest.mark.parametrize(
    ("arrays", "function", "grad", "name"),
    [
        ((Tensor(),), np.sum, np.ones_like, "argument 0"),
        ((1.0,), lambda _: Tensor(), np.ones_like, "the result of the function"),
        ((1.0,), np.sum, lambda _: Tensor(), "the gradient"),
    ],
)
def test_what_cannot_be_read_is_named(arrays: Any, function: Any, grad: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name} \(Tensor\) cannot be read as an array: .*detach\(\)"):
        check_gradient(function, *arrays, grad=grad)
