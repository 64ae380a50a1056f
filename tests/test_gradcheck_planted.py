"""Ten wrong gradients, each caught where the right one passes; and gradients that are small and right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import softgrad
from softgrad.gradcheck import check_gradient
from tests.gradcheck_problems import cross_entropy, gradient, probabilities, problem
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng

dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
LARGE = 50_000


class ArrayFunction:
    """A function of rows with its product of cotangent and Jacobian."""

    def __init__(self, function: Callable[..., np.ndarray], vjp: Callable[..., np.ndarray]) -> None:
        self.function = function
        self.vjp = vjp

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.function(x)


def softmax_vjp(x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    p = probabilities(x)
    return p * (cotangent - (p * cotangent).sum(axis=1, keepdims=True))


def without_off_diagonal(x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    p = probabilities(x)
    return p * (1 - p) * cotangent


def log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def log_softmax_vjp(x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    return cotangent - probabilities(x) * cotangent.sum(axis=1, keepdims=True)


def log_softmax_transposed(x: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    return cotangent - (probabilities(x) * cotangent).sum(axis=1, keepdims=True)


def planted(change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda x, labels: change(gradient(x, labels))


def with_component(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(g: np.ndarray) -> np.ndarray:
        g[0, 2] = value
        return g

    return change


@dtypes
@pytest.mark.parametrize("shape", [(5, 4), (2, 1500)])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda g: -g, id="sign"),
        pytest.param(lambda g: 2 * g, id="factor"),
        pytest.param(lambda g: g + g.dtype.type(1e-4) * np.abs(g).max(), id="along the ones"),
        pytest.param(lambda g: g * g.dtype.type(1 + 1e-4), id="relative 1e-4"),
        pytest.param(np.zeros_like, id="zero"),
        pytest.param(with_component(np.nan), id="NaN"),
        pytest.param(with_component(np.inf), id="inf"),
        pytest.param(lambda g: g[::-1].copy(), id="rows exchanged"),
    ],
)
def test_a_wrong_gradient_fails(shape: tuple[int, int], change: Callable[..., np.ndarray], dtype: Any) -> None:
    x, labels = problem(fresh_rng(), *shape, dtype=dtype)
    right = check_gradient(cross_entropy, x, labels, grad=gradient)
    assert right.passed, right
    wrong = check_gradient(cross_entropy, x, labels, grad=planted(change))
    assert wrong.verdict == "fail", wrong
    assert wrong.worst_index is not None
    found = change(gradient(x, labels))[wrong.worst_index]
    assert wrong.analytic == found or np.isnan(found)
    truth = gradient(x.astype(np.float64), labels)[wrong.worst_index]
    assert abs(wrong.numeric - truth) <= 100.0 * wrong.error_estimate + 32 * EPS * abs(truth)
    assert np.isnan(found) or abs(found - truth) > 1e-5 * abs(truth)


@dtypes
@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        pytest.param(probabilities, softmax_vjp, without_off_diagonal, id="missing off-diagonal term"),
        pytest.param(log_softmax, log_softmax_vjp, log_softmax_transposed, id="transposed Jacobian"),
    ],
)
def test_a_wrong_jacobian_fails(function: Any, right: Any, wrong: Any, dtype: Any) -> None:
    x, _ = problem(fresh_rng(), 5, 4, dtype=dtype)
    report = check_gradient(ArrayFunction(function, right), x)
    assert report.passed, report
    report = check_gradient(ArrayFunction(function, wrong), x)
    assert report.verdict == "fail", report


@dtypes
def test_one_wrong_component_of_many_is_named(dtype: Any) -> None:
    rng = fresh_rng()
    x, labels = problem(rng, 1, LARGE, dtype=dtype)
    assert check_gradient(softgrad.cross_entropy, x, labels).passed
    for factor in (0.0, 2.0, np.nan):
        place = (0, int(rng.choice(np.setdiff1d(np.argsort(x[0])[LARGE // 2 :], labels))))

        def one_wrong(
            x: np.ndarray, labels: np.ndarray, place: tuple[int, int] = place, factor: float = factor
        ) -> np.ndarray:
            g = softgrad.cross_entropy.grad(x, labels)
            g[place] *= factor
            return g

        report = check_gradient(softgrad.cross_entropy, x, labels, grad=one_wrong)
        assert report.verdict == "fail", (factor, report)
        assert report.worst_index == place, factor
        assert 1e-6 < report.numeric < 1e-3, factor


@pytest.mark.parametrize(
    ("given", "returned"), [("f8", "f4"), ("f4", "f8"), ("f4", "f2"), ("f2", "f4"), ("f8", "i8"), ("f8", "?")]
)
def test_a_wrong_dtype_fails_and_is_called_that(given: str, returned: str) -> None:
    x = np.array([1.0, 2.0, -3.0], given)
    # Whole numbers, which every dtype holds: nothing but the dtype is wrong.
    right = check_gradient(lambda x: np.sum(x), x, grad=np.ones_like)
    assert right.passed, right
    report = check_gradient(lambda x: np.sum(x), x, grad=lambda x: np.ones_like(x, dtype=returned))
    names = np.dtype(returned).name, np.dtype(given).name
    assert report.verdict == "fail"
    assert report.reason == "wrong dtype: the gradient has dtype {}, argument 0 has dtype {}".format(*names)
    assert report.worst_error == 0.0


@dtypes
def test_small_gradients_of_a_large_vocabulary(dtype: Any) -> None:
    """Off the label the components are near 1e-6, far below the one at the label."""
    rng = fresh_rng()
    x = (1e-3 * rng.standard_normal((1, 128_256))).astype(dtype)
    labels = rng.integers(0, x.shape[1], 1)
    g = softgrad.cross_entropy.grad(x, labels)
    assert 0.9 < np.median(g) * x.shape[1] < 1.1
    report = check_gradient(softgrad.cross_entropy, x, labels)
    assert report.passed, report

    def without_small(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        g = softgrad.cross_entropy.grad(x, labels)
        g[np.abs(g) < 1e-4] = 0.0
        return g

    report = check_gradient(softgrad.cross_entropy, x, labels, grad=without_small)
    assert report.verdict == "fail", report


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_two_byte_gradients_are_held_to_their_own_precision(dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    x, labels = problem(fresh_rng(), 4, 6, dtype=dtype)
    report = check_gradient(softgrad.cross_entropy, x, labels)
    assert report.passed, report
    assert report.dtype == dtype
    for change in (lambda g: -g, lambda g: (2 * g).astype(g.dtype), np.zeros_like, lambda g: g + g.max()):
        wrong = check_gradient(
            softgrad.cross_entropy, x, labels, grad=lambda x, y, c=change: c(softgrad.cross_entropy.grad(x, y))
        )
        assert wrong.verdict == "fail", wrong
