"""Rows that are classified with confidence: nothing subnormal is multiplied, and the sums are what they were."""

from __future__ import annotations

import numpy as np
import pytest

from softgrad._native import most_tile_classes
from softgrad.linear_model._data._rows import ArrayRows, Rows
from softgrad.linear_model._model import _hessian
from softgrad.linear_model._model import _hessian_terms as terms
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._solvers._averaged_steps import AveragedSteps
from tests.oracles.bounds import FLOAT32, FLOAT64
from tests.oracles.inputs import fresh_rng

ROWS, FEATURES, CLASSES = 300, 12, 40
# More than the core makes the whole sums of.
MANY_CLASSES = most_tile_classes + 10
# The standard deviation of logits at which many probabilities are subnormal.
SPREAD = {FLOAT32: 40.0, FLOAT64: 350.0}
# What an entry of the gradient of a row's own loss must have to be kept.
LEAST = {FLOAT32: 2.0**-96, FLOAT64: 2.0**-992}
dtypes = pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)


def confident(rng, dtype, classes=CLASSES):
    """Standardised features, labels and theta."""
    X = rng.standard_normal((ROWS, FEATURES)).astype(dtype)
    theta = rng.standard_normal((classes, FEATURES + 1)) * SPREAD[dtype] / np.sqrt(FEATURES)
    return X, rng.integers(classes, size=ROWS), theta - theta.mean(axis=0)


def probabilities(objective, X, theta):
    """From the features in float64, by the textbook."""
    standardised = objective.standardisation.apply(X.astype(np.float64))
    z = standardised @ theta[:, :-1].T + theta[:, -1]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.column_stack([standardised, np.ones(len(X))]), e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def multiplied(monkeypatch):
    """The factors that the rows are multiplied by."""
    seen: list[np.ndarray] = []
    gather = Rows.gather

    def noted(rows, factors):
        seen.append(factors.copy())
        return gather(rows, factors)

    monkeypatch.setattr(Rows, "gather", noted)
    return seen


def subnormal(array):
    sizes = np.abs(array)
    return np.count_nonzero((sizes > 0.0) & (sizes < np.finfo(array.dtype).smallest_normal))


@dtypes
@pytest.mark.parametrize("classes", [CLASSES, MANY_CLASSES])
def test_gradients_and_products(dtype, classes, multiplied):
    rng = fresh_rng()
    X, y, theta = confident(rng, dtype, classes)
    objective = SoftmaxObjective(ArrayRows(X, y, np.ones(ROWS)), n_classes=classes, C=1.0, fit_intercept=True)
    design, p = probabilities(objective, X, theta)
    assert subnormal((p / ROWS).astype(dtype)) > 0
    tolerance = 32 * SPREAD[dtype] * float(np.finfo(dtype).eps)

    _, gradient = objective.loss_and_gradient(theta)
    expected = (p - np.eye(classes)[y]).T @ design / ROWS
    assert np.max(np.abs(gradient - expected)) <= tolerance * np.max(np.abs(expected))

    hessian, direction = objective.hessian(theta), rng.standard_normal(theta.shape)
    moved = design @ direction.T
    curved = p * (moved - (p * moved).sum(axis=1, keepdims=True))
    expected = curved.T @ design / ROWS + objective.ridge * direction
    assert np.max(np.abs(hessian.product(direction) - expected)) <= tolerance * np.max(np.abs(expected))

    spread = p * (1.0 - p)
    expected = spread.T @ design**2 / ROWS + objective.ridge
    assert np.max(np.abs(hessian.diagonal() - expected)) <= tolerance * np.max(np.abs(expected))

    if classes <= most_tile_classes:
        # tests/linear_model/test_regression_sums.py looks at what the core leaves out.
        return
    assert [factors.dtype for factors in multiplied] == [dtype, dtype]
    assert [subnormal(factors) for factors in multiplied] == [0, 0]
    for factors, scale in zip(multiplied, (1.0, np.min(np.max(np.abs(moved), axis=1))), strict=True):
        assert np.count_nonzero(factors) > ROWS
        assert np.min(np.abs(factors[factors != 0.0])) >= LEAST[dtype] * scale / ROWS * (1 - tolerance)


def test_joint_probabilities_below_the_smallest_normal_number():
    """A product of two that are kept is neither lost nor subnormal on its way."""
    logits = np.log(2.0) * np.asarray([[0.0, -75.0, -60.0]] * 3)
    rows = Rows(np.zeros((3, 1), np.float32), np.zeros(3, np.int64), np.asarray([0.5, 0.25, 0.25]))
    joint = terms.JointProbabilities(3).part(terms.Block(rows, logits.astype(np.float32)))
    p = np.exp(logits[0].astype(np.float32).astype(np.float64))
    assert p[1] * p[2] < np.finfo(np.float32).smallest_normal
    assert np.all(np.abs(joint - np.outer(p, p)) <= 8 * np.finfo(np.float32).eps * np.outer(p, p))


@dtypes
@pytest.mark.parametrize("few", [0, CLASSES], ids=["by BLAS", "by the core"])
def test_the_whole_hessian(dtype, few, monkeypatch):
    monkeypatch.setattr(_hessian, "_FEW_CLASSES", few)
    monkeypatch.setattr(_hessian, "_FEW_UNKNOWNS", CLASSES * (FEATURES + 1))
    rng = fresh_rng()
    X, y, theta = confident(rng, dtype)
    objective = SoftmaxObjective(ArrayRows(X, y, np.ones(ROWS)), n_classes=CLASSES, C=1.0, fit_intercept=True)
    design, p = probabilities(objective, X, theta)
    ground = int(rng.integers(CLASSES))
    others = np.delete(np.arange(CLASSES), ground)
    by_class = (p[:, others, None] * design[:, None, :]).reshape(ROWS, -1)
    loss = (-by_class.T @ by_class / ROWS).reshape(len(others), FEATURES + 1, len(others), FEATURES + 1)
    for k, label in enumerate(others):
        loss[k, :, k] = (design * (p * (1.0 - p))[:, label, None]).T @ design / ROWS
    expected = loss.reshape(by_class.shape[1], -1) + np.kron(
        np.eye(len(others)) - 1.0 / CLASSES, np.diag(objective.ridge)
    )
    found = objective.hessian(theta).matrix(ground)
    tolerance = 32 * SPREAD[dtype] * float(np.finfo(dtype).eps)
    assert np.max(np.abs(np.tril(found - expected))) <= tolerance * np.max(np.abs(expected))


@dtypes
def test_products_of_shares_are_normal_numbers(dtype):
    logits = (fresh_rng().standard_normal((ROWS, CLASSES)) * SPREAD[dtype]).astype(dtype)
    weights = np.full(ROWS, 1.0 / ROWS)
    rows = Rows(np.zeros((ROWS, 1), dtype), np.zeros(ROWS, np.int64), weights)
    shares = terms.Block(rows, logits).root_shares()
    products = shares[:, :, None] * shares[:, None, :]
    assert products.dtype == dtype
    assert np.isfinite(products).all()
    assert subnormal(products) == 0
    kept = shares > 0.0
    assert ROWS < np.count_nonzero(kept) < kept.size
    assert np.array_equal(products > 0.0, kept[:, :, None] & kept[:, None, :])


@dtypes
def test_a_diagonal_is_positive_where_every_row_is_certain(dtype):
    X = np.asarray([[-1.0], [1.0]] * 4, dtype)
    y = np.asarray([0, 1] * 4)
    objective = SoftmaxObjective(ArrayRows(X, y, np.ones(8)), n_classes=2, C=1.0, fit_intercept=True)
    theta = np.asarray([[-1.0, 0.0], [1.0, 0.0]]) * 1e4
    assert np.min(objective.hessian(theta).diagonal()) > 0.0


@dtypes
def test_averaged_steps(dtype, multiplied):
    X, y, theta = confident(fresh_rng(), dtype)
    steps = AveragedSteps(theta[:, :-1], theta[:, -1], fit_intercept=True)
    steps.take(Rows(X, y, np.ones(ROWS)), np.arange(ROWS), C=1.0, label_smoothing=0.0)
    assert len(multiplied) > 1
    assert [subnormal(factors) for factors in multiplied] == [0] * len(multiplied)
    assert all(np.count_nonzero(factors) > len(factors) for factors in multiplied)
    assert steps.is_finite()
