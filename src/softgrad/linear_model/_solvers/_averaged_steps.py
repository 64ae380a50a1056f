"""Averaged steps along the gradients of mini-batches, for `SoftmaxRegression.partial_fit`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from softgrad._negligible import clear_negligible
from softgrad.linear_model._data._rows import Array, Rows
from softgrad.losses import cross_entropy

_MINI_BATCH_ROWS = 256


class AveragedSteps:
    """Where the steps are, and the average of where they were.

    A step divides the gradient of each coefficient by the root of the sum of its squares so far, and by the largest
    value of its feature so far, so that the features' units do not matter; and all of them by the root of the mean
    square of the rows in these units, so that their number does not.

    Parameters
    ----------
    coef : ndarray, shape (K, d)
        Where they begin.
    intercept : ndarray, shape (K,)
    fit_intercept : bool

    References
    ----------
    S. Ross, P. Mineiro, J. Langford, Normalized online learning, UAI 2013. B. T. Polyak, A. B. Juditsky, Acceleration
    of stochastic approximation by averaging, 1992.
    """

    def __init__(self, coef: Array, intercept: Array, *, fit_intercept: bool) -> None:
        self._weight, self._bias = coef.copy(), intercept.copy()
        self._fit_intercept = fit_intercept
        self._squares, self._bias_squares = np.zeros_like(coef), np.zeros_like(intercept)
        self._largest = np.zeros(coef.shape[1])
        self._rows = 0
        self._norms = 0.0
        self._seen = 0.0
        self.coef, self.intercept = coef.copy(), intercept.copy()
        self.steps = 0

    def take(self, rows: Rows, order: NDArray[np.intp], *, C: float, label_smoothing: float) -> float:
        """Steps along the rows in this order; the mean loss of each mini-batch before its step, over all of them."""
        self._seen += float(rows.weights.sum())
        total = 0.0
        for mini_batch in _mini_batches(rows, order):
            total += self._step(mini_batch, 1.0 / (C * self._seen), label_smoothing)
        return total / float(rows.weights.sum())

    @np.errstate(over="ignore", invalid="ignore")
    def _step(self, mini_batch: Rows, ridge: float, label_smoothing: float) -> float:
        X = mini_batch.X
        logits = mini_batch.logits(self._weight.astype(X.dtype), self._bias.astype(X.dtype))
        shares = mini_batch.weights / mini_batch.weights.sum()
        losses, factors = cross_entropy.value_and_grad(
            logits, mini_batch.labels, reduction="none", upstream=shares, label_smoothing=label_smoothing, out=logits
        )
        clear_negligible(factors, shares, factors.dtype)
        magnitudes = np.abs(X)
        largest = magnitudes.max(axis=0)
        np.maximum(self._largest, largest.toarray().ravel() if sparse.issparse(X) else largest, out=self._largest)
        inverse = np.divide(1.0, self._largest, out=np.zeros_like(self._largest), where=self._largest > 0)
        self._rows += X.shape[0]
        # Of tiny features the squares would be 0 and those of the inverse infinite.
        in_units = X.multiply(inverse).data if sparse.issparse(X) else X * inverse
        self._norms += float(np.sum(in_units**2)) + X.shape[0]
        rate = np.sqrt(self._rows / self._norms)

        by_weight = mini_batch.gather(factors) + ridge * self._weight
        self._squares += by_weight**2
        self._weight -= rate * inverse * _over_root(by_weight, self._squares)
        if self._fit_intercept:
            by_bias = factors.sum(axis=0, dtype=np.float64)
            self._bias_squares += by_bias**2
            self._bias -= rate * _over_root(by_bias, self._bias_squares)
        self.steps += 1
        self.coef += (self._weight - self.coef) / self.steps
        self.intercept += (self._bias - self.intercept) / self.steps
        return float(mini_batch.weights @ losses)

    def is_finite(self) -> bool:
        return bool(np.isfinite(self.coef).all() and np.isfinite(self.intercept).all())


def _over_root(gradient: Array, squares: Array) -> Array:
    result: Array = np.divide(gradient, np.sqrt(squares), out=np.zeros_like(gradient), where=squares > 0)
    return result


def _mini_batches(rows: Rows, order: NDArray[np.intp]) -> Iterator[Rows]:
    for start in range(0, len(order), _MINI_BATCH_ROWS):
        part = order[start : start + _MINI_BATCH_ROWS]
        yield Rows(rows.X[part], rows.labels[part], rows.weights[part])
