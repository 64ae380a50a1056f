"""What the core does to vectors of all unknowns, range by range of their columns, against extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from softgrad import _native
from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._model import _columns
from softgrad.linear_model._model._columns import Columns
from tests.oracles.inputs import fresh_rng

# Around the columns that are worked on at a time, and the sums that are made side by side.
COLUMNS = [1, 7, 8, 9, 127, 128, 129, 300]
CLASSES = [1, 2, 7, 30]
EPS = np.finfo(np.float64).eps
shapes = pytest.mark.parametrize("p", COLUMNS)
Long = np.longdouble


def vectors(rng: np.random.Generator, count: int, shape: tuple[int, ...]) -> list[np.ndarray]:
    return [rng.standard_normal(shape) for _ in range(count)]


def ranges(rng: np.random.Generator, p: int) -> list[tuple[int, int]]:
    """All columns, in three ranges, some of which may be empty."""
    first, second = sorted(rng.integers(0, p + 1, 2).tolist())
    return [(0, first), (first, second), (second, p)]


def assert_near(found: Any, expected: Any, scale: Any, roundings: float = 4.0) -> None:
    """To within so many roundings of terms of the scale."""
    assert np.all(np.abs(Long(found) - expected) <= roundings * EPS * scale)


def inner_products(a: np.ndarray, b: np.ndarray) -> tuple[Any, Any]:
    """The inner product in extended precision, and the sum of the sizes of its terms times how many they are."""
    terms = a.astype(Long) * b.astype(Long)
    return terms.sum(), np.abs(terms).sum() * terms.size


@shapes
@pytest.mark.parametrize("k", CLASSES)
def test_a_step_of_the_conjugate_gradients(k: int, p: int) -> None:
    rng = fresh_rng()
    search, curved, direction, residual, diagonal, ahead = vectors(rng, 6, (k, p))
    length, ratio = rng.standard_normal(2)
    diagonal = np.exp(diagonal)
    parts = ranges(rng, p)
    moved, left, turned, out = direction.copy(), residual.copy(), search.copy(), np.full((k, p), np.nan)
    inner = 0.0
    for part in parts:
        _native.advance(part, length, search, curved, moved, left)
        _native.turn(part, ratio, ahead, turned)
        inner += _native.divide(part, residual, diagonal, out)
    assert_near(moved, direction + Long(length) * search, np.abs(direction) + np.abs(length * search))
    assert_near(left, residual - Long(length) * curved, np.abs(residual) + np.abs(length * curved))
    assert_near(turned, ahead + Long(ratio) * search, np.abs(ahead) + np.abs(ratio * search))
    quotients = residual.astype(Long) / diagonal
    assert_near(out, quotients - quotients.mean(axis=0), np.abs(quotients).max(axis=0), k + 4.0)
    expected, scale = inner_products(residual, out)
    assert_near(inner, expected, scale, 1.0)


@shapes
@pytest.mark.parametrize("k", CLASSES)
def test_the_pull_of_the_ridge(k: int, p: int) -> None:
    rng = fresh_rng()
    theta, before = vectors(rng, 2, (k, p))
    ridge = rng.random(p)
    result = before.copy()
    products = np.zeros(2)
    for part in ranges(rng, p):
        products += _native.add_pull(part, ridge, theta, result)
    centred = before.astype(Long) - before.astype(Long).mean(axis=0)
    pull = ridge * theta.astype(Long)
    assert_near(result, centred + pull, np.abs(before).max(axis=0) + np.abs(pull), k + 4.0)
    for found, other in zip(products, (result, np.float64(pull)), strict=True):
        expected, scale = inner_products(theta, other)
        assert_near(found, expected, scale, 2.0)


@shapes
@pytest.mark.parametrize("k", CLASSES)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_of_theta_and_back(dtype: type, order: Any, intercept: bool, k: int, p: int) -> None:
    rng = fresh_rng()
    d = max(p - intercept, 1)
    theta, by_weights = rng.standard_normal((k, d + intercept)), np.asarray(rng.standard_normal((k, d)), order=order)
    centre, inverse_scale, by_biases = rng.standard_normal(d), np.exp(rng.standard_normal(d)), rng.standard_normal(k)
    weights, along = np.full((k, d), np.nan, dtype, order=order), np.zeros(k)
    by_theta = np.full(theta.shape, np.nan)
    transposed = order == "F"
    stored, by_stored = (weights.T, by_weights.T) if transposed else (weights, by_weights)
    for part in ranges(rng, d + intercept):
        _native.to_weights(part, theta, centre, inverse_scale, transposed, stored, along)
        given = by_biases if intercept else None
        _native.from_weights(part, by_stored, given, centre, inverse_scale, transposed, by_theta)
    exact = theta[:, :d].astype(Long) * inverse_scale
    assert np.all(np.abs(weights - exact) <= np.finfo(dtype).eps * np.abs(exact))
    assert_near(along, exact @ centre, np.abs(exact) @ np.abs(centre), d)
    shift = Long(by_biases)[:, None] * centre if intercept else np.zeros((k, d), Long)
    assert_near(by_theta[:, :d], (by_weights - shift) * inverse_scale, (abs(by_weights) + abs(shift)) * inverse_scale)
    if intercept:
        np.testing.assert_array_equal(by_theta[:, -1], by_biases)


@pytest.mark.parametrize("part", [(-1, 2), (2, 1), (0, 5)])
def test_a_range_outside_is_refused(part: tuple[int, int]) -> None:
    theta = np.ones((3, 4))
    with pytest.raises(TypeError, match="shapes that do not match"):
        _native.turn(part, 1.0, theta, theta.copy())


def test_arrays_of_another_shape_or_dtype_are_refused() -> None:
    ones = np.ones((3, 4))
    for other in (np.ones((4, 3)), np.ones((3, 4), np.float32), np.ones(12)):
        for given in ((ones, other), (other, ones)):
            with pytest.raises(TypeError, match=r"softgrad\._core"):
                _native.turn((0, 4), 1.0, *given)
    with pytest.raises(TypeError, match="shapes that do not match"):
        _native.to_weights((0, 4), ones, np.ones(2), np.ones(2), False, np.ones((3, 2)), np.ones(3))
    with pytest.raises(TypeError, match="shapes that do not match"):
        _native.from_weights((0, 4), np.ones((3, 4)), np.ones(3), np.ones(4), np.ones(4), False, ones)
    with pytest.raises(TypeError, match="wrong buffer"):
        _native.turn((0, 4), 1.0, ones, np.asfortranarray(ones))


@pytest.mark.parametrize("shape", [(1, 1), (3, 70_000), (2000, 100), (100_000, 3), (7, 12_345)])
def test_ranges_cover_the_columns_whoever_works_on_them(shape: tuple[int, int]) -> None:
    found = {}
    for threads in (1, 2, 5):
        with Workers(threads) as workers:
            found[threads] = Columns(shape, workers).map(lambda part: part)
    assert found[1] == found[2] == found[5]
    assert [start for start, _ in found[1]] == [0, *(end for _, end in found[1][:-1])]
    assert found[1][-1][1] == shape[1]
    assert all(start < end for start, end in found[1])


@pytest.mark.parametrize("solver", ["newton-diagonal", "newton-blocks", "newton-gram"])
@pytest.mark.parametrize("sparse", [True, False])
def test_the_bits_of_a_fit_do_not_depend_on_the_threads(
    solver: Any, sparse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of unknowns in a hundred ranges."""
    monkeypatch.setattr(_columns, "_LEAST_ENTRIES", 4)
    rng = fresh_rng()
    X = rng.standard_normal((200, 80)) * (rng.random((200, 80)) < 0.2)
    y = rng.integers(0, 5, 200)
    fits = [
        SoftmaxRegression(solver=solver, n_threads=threads).fit(csr_array(X) if sparse else X, y) for threads in (1, 3)
    ]
    assert fits[0].coef_.tobytes() == fits[1].coef_.tobytes()
    assert fits[0].n_iter_ > 1
