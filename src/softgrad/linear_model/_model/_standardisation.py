"""Features less their centre over their spread, without a copy: a matrix product with them is one with the rows.

theta (K x P) are the coefficients of the standardised features and, if there are intercepts, one column for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from softgrad._native import from_weights, to_weights
from softgrad.linear_model._data._rows import Array, Rows, transposed_product
from softgrad.linear_model._data._terms import Term
from softgrad.linear_model._model._affine import Affine
from softgrad.linear_model._model._columns import Columns, Range

# Spreads of a feature whose square, and whose inverse square, stay representable.
_SPREAD_RANGE = {np.dtype(np.float64): (1e-140, 1e140), np.dtype(np.float32): (1e-30, 1e30)}


class Extent(NamedTuple):
    """The weighted sums of the features, and the least and the most of each."""

    means: Array
    least: Array
    most: Array


@dataclass
class Extents(Term[Rows, Extent]):
    """The extent of all rows."""

    n_features: int

    def start(self) -> Extent:
        return Extent(np.zeros(self.n_features), np.full(self.n_features, np.inf), np.full(self.n_features, -np.inf))

    @np.errstate(over="ignore", invalid="ignore")
    def part(self, block: Rows) -> Extent:
        X = block.X
        if sparse.issparse(X):
            columns = X.tocsc()
            least, most = columns.min(axis=0), columns.max(axis=0)
            return Extent(X.T @ block.weights, least.toarray().ravel(), most.toarray().ravel())
        return Extent(block.weights @ X, X.min(axis=0), X.max(axis=0))

    @np.errstate(over="ignore", invalid="ignore")
    def add(self, total: Extent, part: Extent) -> Extent:
        means, least, most = total
        return Extent(means + part.means, np.minimum(least, part.least), np.maximum(most, part.most))


class Standardisation:
    """Centre and spread of the features.

    Parameters
    ----------
    centre, scale : ndarray, shape (d,)
        A scale of 0 marks a feature that does not vary.
    fit_intercept : bool
    """

    def __init__(self, centre: Array, scale: Array, *, fit_intercept: bool) -> None:
        self.centre, self.scale, self.fit_intercept = centre, scale, fit_intercept
        self._is_identity = False
        self.inverse_scale: Array = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)

    @classmethod
    def identity(cls, n_columns: int) -> Standardisation:
        """What leaves features as they are: standardised, with a column of ones if there are intercepts."""
        identity = cls(np.zeros(n_columns), np.ones(n_columns), fit_intercept=False)
        identity._is_identity = True
        return identity

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")
    def of(cls, extent: Extent, dtype: np.dtype[Any], *, fit_intercept: bool) -> Standardisation:
        """The weighted mean of each feature, or 0 without intercepts, and the largest distance from it.

        The distance is 0 where it is nothing but rounding.

        Raises
        ------
        ValueError
            A feature spreads over more than `dtype` can square.
        """
        means, least, most = extent
        # The mean of a constant feature may be rounded away from it.
        centre = np.minimum(np.maximum(means, least), most) if fit_intercept else np.zeros_like(means)
        spread = np.maximum(most - centre, centre - least)
        smallest, largest = _SPREAD_RANGE[dtype]
        # Written so that an overflow to inf or NaN is caught as well.
        too_large = np.flatnonzero(~(spread <= largest))
        if too_large.size:
            raise ValueError(
                f"feature {too_large[0]} of X spreads over {spread[too_large[0]]:.3g}; "
                f"{dtype} allows up to {largest:.0e}: rescale it"
            )
        rounding = 16 * np.finfo(np.float64).eps * np.abs(centre)
        scale = np.where(spread <= np.maximum(rounding, smallest), 0.0, spread)
        return cls(centre, scale, fit_intercept=fit_intercept)

    def affine(self, theta: Array, dtype: np.dtype[Any], order: Literal["C", "F"], columns: Columns) -> Affine:
        """Weight and bias on the rows as they are, with the logits that theta has on the standardised features."""
        if self._is_identity:
            return Affine(theta.astype(dtype, order, copy=False), None)
        weight = np.empty((len(theta), len(self.centre)), dtype, order)
        stored, transposed = _stored(weight)

        def fill(part: Range) -> Array:
            along = np.zeros(len(theta))
            to_weights(part, theta, self.centre, self.inverse_scale, transposed, stored, along)
            return along

        along = np.sum(columns.map(fill), axis=0)
        return Affine(weight, (theta[:, -1] - along).astype(dtype, copy=False) if self.fit_intercept else None)

    def magnitude(self, theta: Array, order: Literal["C", "F"]) -> Affine:
        """`affine` with the magnitude of each term for the term."""
        weight = np.abs(theta[:, : len(self.centre)] * self.inverse_scale)
        bias = np.abs(theta[:, -1]) + weight @ np.abs(self.centre) if self.fit_intercept else None
        return Affine(weight.astype(np.float64, order, copy=False), bias)

    def by_theta(self, by_rows: Affine, columns: Columns) -> Array:
        """The transpose of `affine`, in float64."""
        by_weight, by_bias = by_rows
        if self._is_identity:
            return by_weight
        result = np.empty((len(by_weight), len(self.centre) + self.fit_intercept))
        stored, transposed = _stored(by_weight)

        def fill(part: Range) -> None:
            from_weights(part, stored, by_bias, self.centre, self.inverse_scale, transposed, result)

        columns.map(fill)
        return result

    def spans_zero(self) -> bool:
        """Whether no feature is farther from 0 than it spreads, as those of sparse rows are not."""
        return bool((np.abs(self.centre) <= self.scale)[self.scale > 0].all())

    def without(self, features: NDArray[np.intp]) -> Standardisation:
        """A standardisation that takes these features for ones that do not vary."""
        scale = self.scale.copy()
        scale[features] = 0.0
        return Standardisation(self.centre, scale, fit_intercept=self.fit_intercept)

    def in_units(self) -> Standardisation:
        """The standardisation of these features when they are given in units of their spread."""
        return Standardisation(
            self.centre * self.inverse_scale, (self.scale > 0).astype(np.float64), fit_intercept=self.fit_intercept
        )

    def theta(self, coef: Array, intercept: Array) -> Array:
        """The theta of given coefficients, in C order."""
        theta = np.empty((len(coef), len(self.scale) + self.fit_intercept))
        np.multiply(coef, self.scale, out=theta[:, : len(self.scale)])
        if self.fit_intercept:
            theta[:, -1] = intercept + coef @ self.centre
        return theta

    def coefficients(self, theta: Array) -> tuple[Array, Array]:
        """Coefficients (K, d) and intercepts (K,) on the rows as they are."""
        coef = theta[:, : len(self.centre)] * self.inverse_scale
        if not self.fit_intercept:
            return coef, np.zeros(len(theta))
        intercept = theta[:, -1] - coef @ self.centre
        return coef, intercept - intercept.mean()

    def variances(self, covariance: Array, classes: int) -> Array:
        """The variances of the intercepts, if there are any, and of the coefficients on the rows as they are.

        Parameters
        ----------
        covariance : ndarray, shape (classes * P, classes * P)
            Of theta (classes, P).

        Returns
        -------
        ndarray, shape (classes, P)
        """
        of_classes = np.einsum("kpkq->kpq", covariance.reshape(classes, -1, classes, len(covariance) // classes))
        features = len(self.centre)
        of_coef: Array = np.einsum("kpp->kp", of_classes)[:, :features] * self.inverse_scale**2
        if not self.fit_intercept:
            return of_coef
        towards = np.append(-self.centre * self.inverse_scale, 1.0)
        return np.column_stack([np.einsum("p,kpq,q->k", towards, of_classes, towards), of_coef])

    def apply(self, X: Any) -> NDArray[Any]:
        """Some rows standardised, dense, without a column for the intercept, in the dtype of X; for reading alone."""
        if self._is_identity:
            return np.asarray(X)
        block: NDArray[Any] = (X.toarray() if sparse.issparse(X) else X) - self.centre.astype(X.dtype)
        block *= self.inverse_scale.astype(X.dtype)
        return block

    def columns(self, X: Any) -> NDArray[Any]:
        """Some rows standardised, with a column of ones if there is an intercept."""
        X = self.apply(X)
        return np.hstack([X, np.ones((len(X), 1), X.dtype)]) if self.fit_intercept else X

    def squares(self, X: Any, factors: NDArray[Any]) -> Array:
        """Sums over some rows of the squared standardised features times factors (n, m) of their dtype; (m, d)."""
        if not sparse.issparse(X):
            dense: Array = factors.T @ self.apply(X) ** 2
            return dense
        # Of (x - c)^2 what is not 0 where x is; the c^2 of all rows is added for the sum over them.
        changes = (-2.0 * self.centre).astype(X.dtype)[X.indices]
        changes += X.data
        changes *= X.data
        squared = sparse.csr_array((changes, X.indices, X.indptr), shape=X.shape)
        centred = transposed_product(squared, factors).T.astype(np.float64, order="C")
        centred += np.outer(factors.sum(axis=0, dtype=np.float64), self.centre**2)
        centred *= self.inverse_scale**2
        return np.maximum(centred, 0.0, out=centred)


def _stored(weight: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """An array (K, d) as it lies in memory, and whether that is its transpose."""
    transposed = weight.flags.fnc
    return weight.T if transposed else weight, transposed
