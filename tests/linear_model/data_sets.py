"""Data sets, and the objective written out with SciPy: the oracle shares nothing with softgrad."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.special import softmax as scipy_softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

LOADERS = {"iris": load_iris, "wine": load_wine, "digits": load_digits, "breast_cancer": load_breast_cancer}


class DataSet(NamedTuple):
    X: NDArray
    y: NDArray


def real(name: str, *, standardised: bool = False) -> DataSet:
    X, y = LOADERS[name](return_X_y=True)
    if standardised:
        spread = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return DataSet(X, y)


def random(rng: np.random.Generator, *, rows: int, features: int, classes: int, strength: float = 1.0) -> DataSet:
    """Labels drawn from a softmax model of logits of the given strength; every class occurs."""
    X = rng.standard_normal((rows, features))
    truth = strength * rng.standard_normal((classes, features)) / np.sqrt(features)
    y = (X @ truth.T + rng.gumbel(size=(rows, classes))).argmax(axis=1)
    y[:classes] = np.arange(classes)
    return DataSet(X, y)


def heavy_tailed(rng: np.random.Generator) -> DataSet:
    """Features whose largest values are hundreds of times the usual ones."""
    X = rng.standard_cauchy((800, 12))
    y = (np.tanh(X) @ rng.standard_normal((12, 4)) + rng.gumbel(size=(800, 4))).argmax(axis=1)
    return DataSet(X, y)


def rare_flags(rng: np.random.Generator) -> DataSet:
    """Features that are 1 in a few rows only: parts of the data are separable, and the optimum is far out."""
    X = (rng.random((1200, 80)) < np.logspace(-2.6, -0.4, 80)).astype(np.float64)
    y = (X @ (2.0 * rng.standard_normal((80, 6))) + rng.gumbel(size=(1200, 6))).argmax(axis=1)
    return DataSet(X, y)


def far_apart(rng: np.random.Generator) -> DataSet:
    """Groups of classes that a wide gap separates, close together within a group, in units from 1e-2 to 1e2."""
    groups = 4.0 * rng.standard_normal((4, 20))
    centres = np.repeat(groups, 3, axis=0) + 0.4 * rng.standard_normal((12, 20))
    y = np.arange(480) % 12
    X = (centres[y] + 0.5 * rng.standard_normal((480, 20))) * np.logspace(-2, 2, 20)
    return DataSet(X, y)


def shares(y: NDArray, weights: NDArray | None) -> tuple[NDArray, NDArray, float]:
    """Class of each row, its share of the total weight, and the total."""
    classes = np.unique(y, return_inverse=True)[1]
    weights = np.ones(len(y)) if weights is None else weights
    return classes, weights / weights.sum(), float(weights.sum())


def objective(
    X: NDArray, y: NDArray, coef: NDArray, intercept: NDArray, C: float, weights: NDArray | None = None
) -> float:
    """scikit-learn's objective of the multinomial LogisticRegression, divided by C and the total weight."""
    classes, share, total = shares(y, weights)
    X = X.astype(np.float64)
    logits = X @ coef.T + intercept
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(y)), classes]
    return float(share @ losses + np.sum(coef**2) / (2 * C * total))


def gradient(
    X: NDArray, y: NDArray, coef: NDArray, intercept: NDArray, C: float, weights: NDArray | None = None
) -> tuple[NDArray, NDArray]:
    """The gradient of `objective` by coef and by intercept."""
    classes, share, total = shares(y, weights)
    residuals = scipy_softmax(X @ coef.T + intercept, axis=1)
    residuals[np.arange(len(y)), classes] -= 1.0
    residuals *= share[:, None]
    return residuals.T @ X + coef / (C * total), residuals.sum(axis=0)
