"""The sums over rows of features that the core makes in one pass, against extended precision."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import softgrad as sg
from softgrad import _native
from softgrad._negligible import least_kept
from tests.linear_model.test_sparse_products import on
from tests.oracles.inputs import fresh_rng
from tests.test_instruction_sets import AVAILABLE, WITH_FMA

# Around the widths of the vectors, and around as many of them as are in registers at a time.
CLASSES = [2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 20, 31, 33, 47, 63, 64]
FEATURES = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 57]
# Around the rows of a tile.
ROWS = [1, 3, 16, 63, 64, 65, 150]
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
kinds = pytest.mark.parametrize("kind", ["dense", "int32", "int64"])


class Problem:
    """Rows of features of some kind, their logits by a weight (k, d), with a bias or without, and their labels."""

    def __init__(self, rng: np.random.Generator, kind: str, dtype: type, n: int, d: int, k: int, *, bias: bool) -> None:
        self.X = rng.standard_normal((n, d)).astype(dtype)
        if kind != "dense":
            self.X[rng.random((n, d)) < 0.7] = 0.0
        self.kind, self.dtype, self.k = kind, np.dtype(dtype), k
        self.weight = (rng.standard_normal((k, d)) / np.sqrt(d)).astype(dtype)
        self.bias = rng.standard_normal(k).astype(dtype) if bias else None
        self.labels = rng.integers(0, k, n)
        self.weights = rng.random(n) / n
        self.weights[rng.random(n) < 0.1] = 0.0
        self.probabilities = sg.softmax(rng.standard_normal((n, k)).astype(dtype) * 4)

    @property
    def features(self) -> Any:
        if self.kind == "dense":
            return self.X
        X = sparse.csr_array(self.X)
        return X.data, X.indices.astype(self.kind), X.indptr.astype(self.kind)

    def add(self, function: Any, of_rows: Any, least: float = 0.0) -> tuple[Any, np.ndarray, np.ndarray | None]:
        """What the function returns, and what it adds to ones by weight (k, d) and bias."""
        is_dense = self.kind == "dense"
        weight = self.weight if is_dense else np.ascontiguousarray(self.weight.T)
        out, out_bias = np.ones_like(weight), None if self.bias is None else np.ones(self.k)
        said = function(self.features, of_rows, self.weights, least, weight, self.bias, out, out_bias)
        return said, out if is_dense else out.T, out_bias

    def loss_gradient(self) -> tuple[float, np.ndarray, np.ndarray | None]:
        return self.add(_native.add_loss_gradient, self.labels)

    def hessian_product(self) -> tuple[None, np.ndarray, np.ndarray | None]:
        return self.add(_native.add_hessian_product, self.probabilities)

    def hessian_matrix(self) -> np.ndarray:
        """By all classes but the first, of dense rows."""
        unknowns = (self.k - 1) * self.X.shape[1]
        out = np.zeros((unknowns, unknowns))
        _native.add_hessian_matrix(self.X, self.weight, self.weights, np.arange(1, self.k), out)
        return out

    def logits(self) -> np.ndarray:
        bias = 0.0 if self.bias is None else self.bias.astype(np.longdouble)
        return self.X.astype(np.longdouble) @ self.weight.astype(np.longdouble).T + bias

    def rounding_of_logits(self) -> np.ndarray:
        """How far a logit of each row may be from the exact one."""
        size = np.abs(self.X.astype(np.longdouble)) @ np.abs(self.weight.astype(np.longdouble)).T
        size += 0.0 if self.bias is None else np.abs(self.bias)
        return float(np.finfo(self.dtype).eps) * (self.X.shape[1] + 1) * size.max(axis=1)

    def check(self, found: tuple[Any, np.ndarray, np.ndarray | None], slopes: np.ndarray, error: np.ndarray) -> None:
        """The sums must be those of the slopes (n, k) by the logits, each known to its error."""
        eps, X = float(np.finfo(self.dtype).eps), self.X.astype(np.longdouble)
        _, by_weight, by_bias = found
        terms = np.abs(slopes).T @ np.abs(X)
        bound = error.T @ np.abs(X) + eps * (len(X) + 4) * (terms + 1.0)
        assert np.all(np.abs(by_weight - 1.0 - slopes.T @ X) <= bound)
        if by_bias is not None:
            # Summed in float64, from slopes in the dtype.
            bound = error.sum(axis=0) + 4.0 * eps * np.abs(slopes).sum(axis=0) + 1e3 * np.finfo(np.float64).eps
            assert np.all(np.abs(by_bias - 1.0 - slopes.sum(axis=0)) <= bound)


def probabilities_of(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def problems(kind: str, dtype: type) -> Any:
    """Every number of classes, of features and of rows, each with others drawn beside it."""
    rng = fresh_rng()
    for k in CLASSES:
        yield Problem(rng, kind, dtype, int(rng.choice(ROWS)), int(rng.choice(FEATURES)), k, bias=k % 2 == 0)
    for d in FEATURES:
        yield Problem(rng, kind, dtype, int(rng.choice(ROWS)), d, int(rng.choice(CLASSES)), bias=d % 2 == 0)
    for n in ROWS:
        yield Problem(rng, kind, dtype, n, int(rng.choice(FEATURES)), int(rng.choice(CLASSES)), bias=n % 2 == 0)


@kinds
@dtypes
def test_gradients_are_those_of_the_losses(kind: str, dtype: type) -> None:
    for problem in problems(kind, dtype):
        found = problem.loss_gradient()
        logits, at = problem.logits(), (np.arange(len(problem.labels)), problem.labels)
        weights = problem.weights.astype(np.longdouble)
        largest = logits.max(axis=1)
        losses = np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest - logits[at]
        slopes = probabilities_of(logits)
        slopes[at] -= 1.0
        slopes *= weights[:, None]
        eps, rounding = float(np.finfo(problem.dtype).eps), problem.rounding_of_logits()
        # A slope changes with the logits of its row by at most as much as two of them.
        problem.check(found, slopes, (weights * 2.0 * (rounding + 2.0 * eps))[:, None] + np.zeros_like(slopes))
        assert abs(found[0] - weights @ losses) <= weights @ (2.0 * rounding + 4.0 * eps * (losses + 1.0))


@kinds
@dtypes
def test_products_are_those_with_the_hessian(kind: str, dtype: type) -> None:
    for problem in problems(kind, dtype):
        found = problem.hessian_product()
        p, v, weights = problem.probabilities.astype(np.longdouble), problem.logits(), problem.weights[:, None]
        eps, rounding = float(np.finfo(problem.dtype).eps), problem.rounding_of_logits()[:, None]
        centre = v - v[np.arange(len(v)), p.argmax(axis=1)][:, None]
        mean = (p * centre).sum(axis=1, keepdims=True)
        spread = np.abs(centre).max(axis=1, keepdims=True)
        # The probabilities sum to one only to their rounding.
        error = weights * p * (4.0 * rounding + 8.0 * eps * problem.k * spread)
        problem.check(found, weights * p * (centre - mean), error)


@dtypes
def test_the_matrix_is_the_hessian_of_the_other_classes(dtype: type) -> None:
    rng = fresh_rng()
    for problem in problems("dense", dtype):
        weight, k, d = problem.weight, problem.k, problem.X.shape[1]
        # Some classes, in an order of their own.
        others = rng.permutation(k)[: int(rng.integers(1, min(k, 6)))]
        found = np.ones((len(others), d, len(others), d))
        _native.add_hessian_matrix(problem.X, weight, problem.weights, others, found)
        X, problem.bias = problem.X.astype(np.longdouble), None
        p, weights = probabilities_of(problem.logits()), problem.weights.astype(np.longdouble)
        eps, rounding = float(np.finfo(problem.dtype).eps), problem.rounding_of_logits()
        for a, first in enumerate(others):
            for b, second in enumerate(others[: a + 1]):
                factors = p[:, first] * ((np.delete(p, first, axis=1)).sum(axis=1) if a == b else -p[:, second])
                expected = X.T @ (X * (weights * factors)[:, None])
                # Each p changes by at most as much, in parts of itself, as two logits.
                error = weights * np.abs(factors) * (4.0 * rounding + eps * (len(X) + 2 * k + 16))
                bound = np.abs(X).T @ (np.abs(X) * error[:, None]) + 4.0 * eps
                assert np.all(np.abs(found[a, :, b] - 1.0 - expected) <= bound)
            # What is above the diagonal is as it was.
            assert np.all(found[a, :, a + 1 :] == 1.0)


@kinds
@dtypes
@pytest.mark.parametrize("exceeds", [False, True])
def test_what_is_negligible_is_left_out(kind: str, dtype: type, exceeds: bool) -> None:
    """Of a row that is certain of its class what the other two add, near the least that is kept; in both sums."""
    problem = Problem(fresh_rng(), kind, dtype, 70, 5, 3, bias=True)
    problem.X[:], problem.weight[:], problem.weights[:], problem.labels[:] = 1.0, 0.0, 0.5, 0
    least = least_kept(problem.dtype)
    weight = problem.weight if kind == "dense" else np.ascontiguousarray(problem.weight.T)

    def by_bias(function: Any, of_rows: Any, bias: np.ndarray) -> np.ndarray:
        out, out_bias = np.zeros_like(weight), np.zeros(3)
        function(problem.features, of_rows, problem.weights, least, weight, bias, out, out_bias)
        return out_bias

    gap = -np.log(least) + (-1.0 if exceeds else 1.0)
    gradient = by_bias(_native.add_loss_gradient, problem.labels, np.array([gap, 0.0, 0.0], dtype))
    probabilities = np.tile(np.exp(np.array([0.0, -gap, -gap])).astype(dtype), (70, 1))
    product = by_bias(_native.add_hessian_product, probabilities, np.array([0.0, 8.0, -8.0], dtype))
    for found, expected in (gradient, 35.0 * np.exp(-gap)), (product, 35.0 * 8.0 * np.exp(-gap)):
        if exceeds:
            # The exponential of a logit in the dtype has its relative rounding times the logit.
            np.testing.assert_allclose(np.abs(found[1:]), expected, rtol=4 * gap * float(np.finfo(dtype).eps))
        else:
            assert not found[1:].any()


@kinds
def test_a_row_without_weight_adds_nothing(kind: str) -> None:
    """Not even where its logits overflow."""
    rng = fresh_rng()
    problem = Problem(rng, kind, np.float64, 9, 3, 4, bias=True)
    problem.weights[4] = 0.0
    before = problem.loss_gradient(), problem.hessian_product()
    whole = problem.hessian_matrix() if kind == "dense" else None
    problem.X[4] = 1e308
    problem.weight *= 10.0
    problem.X[[i for i in range(9) if i != 4]] /= 10.0
    with np.errstate(all="raise"):
        after = problem.loss_gradient(), problem.hessian_product()
    for first, second in zip(before, after, strict=True):
        assert np.isfinite(second[1]).all()
        np.testing.assert_array_max_ulp(first[2], second[2], 64)
    if whole is not None:
        scale = np.abs(whole).max()
        assert np.all(np.abs(100.0 * problem.hessian_matrix() - whole) <= 64 * np.finfo(np.float64).eps * scale)


def test_what_does_not_match_is_refused() -> None:
    problem = Problem(fresh_rng(), "dense", np.float64, 6, 3, 4, bias=True)
    X, labels, weights, weight, bias = problem.X, problem.labels, problem.weights, problem.weight, problem.bias

    def add(function: Any, **changed: Any) -> None:
        given = {"x": X, "weights": weights, "least": 0.0, "weight": weight, "bias": bias, "out": np.zeros((4, 3))}
        of_rows = {"labels": labels} if function is _native.add_loss_gradient else {"probabilities": np.ones((6, 4))}
        function(**{**given, "out_bias": np.zeros(4), **of_rows, **changed})

    for function in (_native.add_loss_gradient, _native.add_hessian_product):
        for changed in (
            {"weights": weights[:5]},
            {"weight": weight[:, :2].copy()},
            {"out": np.zeros((3, 4))},
            {"bias": np.zeros(3)},
            {"out_bias": None},
            {"out_bias": np.zeros(5)},
        ):
            with pytest.raises(TypeError, match="shapes that do not match"):
                add(function, **changed)
        for changed in (
            {"x": np.asfortranarray(X)},
            {"x": X.astype(np.float32)},
            {"weight": weight.astype(np.float32)},
            {"x": (X, X)},
        ):
            with pytest.raises(TypeError, match="wrong buffer"):
                add(function, **changed)
    for label in (-1, 4):
        with pytest.raises(IndexError, match="a label that is no class"):
            add(_native.add_loss_gradient, labels=np.full(6, label))
    with pytest.raises(IndexError, match="a label that is no class"):
        add(_native.add_loss_gradient, labels=labels[:5])
    with pytest.raises(TypeError, match="shapes that do not match"):
        add(_native.add_hessian_product, probabilities=np.ones((6, 3)))
    many = _native.most_tile_classes + 1
    with pytest.raises(TypeError, match="shapes that do not match"):
        add(_native.add_loss_gradient, weight=np.ones((many, 3)), out=np.ones((many, 3)), bias=None, out_bias=None)

    whole = {"x": X, "weight": weight, "weights": weights, "others": np.arange(1, 4), "out": np.zeros((9, 9))}
    for changed in (
        {"weights": weights[:5]},
        {"weight": weight[:, :2].copy()},
        {"weight": np.ones((many, 3))},
        {"others": np.array([1, 2, 4])},
        {"others": np.array([1, 2, -1])},
        {"others": np.arange(1, 3)},
    ):
        with pytest.raises(TypeError, match="shapes that do not match"):
            _native.add_hessian_matrix(**{**whole, **changed})
    for changed in ({"weight": weight.astype(np.float32)}, {"out": np.zeros((9, 9), np.float32)}):
        with pytest.raises(TypeError, match="wrong buffer"):
            _native.add_hessian_matrix(**{**whole, **changed})


def digest() -> str:
    rng = np.random.default_rng(20261130)
    found = hashlib.sha256()
    for dtype in (np.float32, np.float64):
        for kind in ("dense", "int32"):
            for k, d, n in zip(CLASSES, [*FEATURES, 100, 200], [*ROWS, *ROWS, 64, 65, 150], strict=True):
                problem = Problem(rng, kind, dtype, n, d, k, bias=True)
                for said, by_weight, by_bias in (problem.loss_gradient(), problem.hessian_product()):
                    assert by_bias is not None
                    found.update(f"{said!r}".encode() + by_weight.tobytes() + by_bias.tobytes())
                if kind == "dense" and k * d <= 128:
                    found.update(problem.hessian_matrix().tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("level", [level for level in AVAILABLE if level != sg.show_config()["instruction_set"]])
def test_the_sums_hold_on_every_instruction_set(level: str) -> None:
    chosen = "of_the_losses or with_the_hessian or of_the_other"
    said = on(
        level,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/linear_model/test_regression_sums.py",
        "-k",
        chosen,
    )
    assert "14 passed" in said


@pytest.mark.parametrize("level", WITH_FMA)
def test_instruction_sets_with_fma_give_the_same_bits(level: str) -> None:
    program = "from tests.linear_model.test_regression_sums import digest; print(digest())"
    assert on(level, "-c", program).strip() == digest()
