"""Softmax regression without a penalty, by NumPy and a linear program: nothing is shared with softgrad."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax

from tests.linear_model.data_sets import DataSet

_MOST_STEPS = 100


def with_ones(X: NDArray, *, intercept: bool = True) -> NDArray:
    return np.column_stack([X, np.ones(len(X))]) if intercept else X


def targets_of(y: NDArray) -> NDArray:
    return np.eye(y.max() + 1)[y] if y.ndim == 1 else y


def mean_loss(columns: NDArray, targets: NDArray, theta: NDArray, shares: NDArray) -> float:
    return -float(shares @ np.sum(targets * log_softmax(columns @ theta.T, axis=1), axis=1))


def information(columns: NDArray, theta: NDArray, weights: NDArray) -> NDArray:
    """The Hessian of the weighted loss by theta (K, P), row by row; (K P, K P)."""
    size = theta.size
    total = np.zeros((size, size))
    for x, p, weight in zip(columns, scipy_softmax(columns @ theta.T, axis=1), weights, strict=True):
        total += weight * np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x))
    return total


def optimum(columns: NDArray, y: NDArray, weights: NDArray | None = None) -> tuple[NDArray, float]:
    """The theta (K, P) of least norm and the mean loss there, by Newton steps with a pseudo-inverse.

    The classes must not be separable.
    """
    targets = targets_of(y)
    shares = np.full(len(columns), 1.0 / len(columns)) if weights is None else weights / weights.sum()
    theta = np.zeros((targets.shape[1], columns.shape[1]))
    loss = mean_loss(columns, targets, theta, shares)
    for _ in range(_MOST_STEPS):
        residuals = shares[:, None] * (scipy_softmax(columns @ theta.T, axis=1) - targets)
        gradient = residuals.T @ columns
        step = np.linalg.lstsq(information(columns, theta, shares), -gradient.ravel(), rcond=None)[0]
        length = 1.0
        while True:
            trial = theta + length * step.reshape(theta.shape)
            reached = mean_loss(columns, targets, trial, shares)
            if reached < loss:
                break
            length /= 2
            if length < np.finfo(np.float64).eps:
                return theta, loss
        theta, loss = trial, reached
    raise AssertionError(f"no optimum after {_MOST_STEPS} steps")


def separable(columns: NDArray, y: NDArray) -> bool:
    """Whether there is a direction that raises the loss of no row and lowers that of some, by a linear program.

    Each difference of logits that may not fall is at least a t in [0, 1], and the sum of the t is the largest: where
    there is such a direction, a multiple of it has a t of 1.
    """
    targets = targets_of(y) > 0
    classes = targets.shape[1]
    at_least, equal = [], []
    for x, target in zip(columns, targets, strict=True):
        first = int(target.argmax())
        for k in range(classes):
            if k != first:
                difference = np.zeros((classes, len(x)))
                difference[first], difference[k] = x, -x
                (equal if target[k] else at_least).append(difference.ravel())
    if not at_least:
        return False
    number, size = len(at_least), targets.shape[1] * columns.shape[1]
    equations = (
        sparse.hstack([sparse.csr_array(np.array(equal)), sparse.csr_array((len(equal), number))]) if equal else None
    )
    found = linprog(
        np.append(np.zeros(size), -np.ones(number)),
        A_ub=sparse.hstack([sparse.csr_array(-np.array(at_least)), sparse.eye_array(number)]),
        b_ub=np.zeros(number),
        A_eq=equations,
        b_eq=np.zeros(len(equal)) if equal else None,
        bounds=[(None, None)] * size + [(0.0, 1.0)] * number,
        method="highs",
    )
    assert found.status == 0, found.message
    return -found.fun > 0.5


def small_problem(rng: np.random.Generator) -> DataSet:
    """A few rows of a few features, often flags or small integers, of 2 to 4 classes: about a third are separable."""
    classes, features = int(rng.integers(2, 5)), int(rng.integers(1, 6))
    rows = int(rng.integers(classes, 60))
    shape = rows, features
    X = [
        lambda: rng.integers(-1, 2, shape).astype(float),
        lambda: (rng.random(shape) < rng.uniform(0.05, 0.6)).astype(float),
        lambda: rng.standard_normal(shape),
        lambda: rng.integers(-3, 4, shape) @ rng.standard_normal((features, features)),
    ][rng.integers(4)]()
    if rng.random() < 0.3:
        X = np.column_stack([X, 2.0 * X[:, 0] - 1.0])
    logits = rng.choice([0.5, 2.0, 8.0]) * X @ rng.standard_normal((X.shape[1], classes))
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    y[:classes] = np.arange(classes)
    return DataSet(X, y)
