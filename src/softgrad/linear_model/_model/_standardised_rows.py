"""Rows with their standardisation: what a function of theta is, as sums over the rows as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from scipy import sparse

from softgrad.linear_model._data._prepared import PreparedBlocks
from softgrad.linear_model._data._rows import Array, ArrayRows, Rows, RowSource
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._model._affine import Affine
from softgrad.linear_model._model._columns import Columns
from softgrad.linear_model._model._standardisation import Standardisation
from softgrad.linear_model._model._zero_sums import centre

Prepared = TypeVar("Prepared")


class StandardisedRows(NamedTuple):
    """The rows of a source, the standardisation of their features, and how a sum over them is shared.

    `workers` share the blocks of rows, each of at most `block_length`.
    """

    source: RowSource
    standardisation: Standardisation
    workers: Workers
    block_length: int

    def affine(self, theta: Array) -> Affine:
        """The logits of theta, by the rows as they are; of sparse ones in the order that needs no copy."""
        order: Literal["C", "F"] = "F" if self.source.is_sparse else "C"
        return self.standardisation.affine(theta, self.source.dtype, order, Columns(theta.shape, self.workers))

    def by_theta(self, by_rows: Affine) -> Array:
        """What a function of the logits, given by the rows as they are, is by theta: of zero sum over the classes."""
        classes, features = by_rows.weight.shape
        columns = Columns((classes, features + (by_rows.bias is not None)), self.workers)
        return centre(self.standardisation.by_theta(by_rows, columns))

    def by_theta_and_ridge(self, by_rows: Affine, ridge: Array, theta: Array) -> tuple[Array, float, float]:
        """`by_theta` plus the ridge times theta; and the inner products of theta with that, and with the ridge's."""
        columns = Columns(theta.shape, self.workers)
        result = self.standardisation.by_theta(by_rows, columns)
        return result, *columns.add_pull(ridge, theta, result)

    def prepared(self, prepare: Callable[[Rows], Prepared], *, keep: bool) -> PreparedBlocks[Prepared]:
        return PreparedBlocks(self.source, self.workers, self.block_length, prepare, keep=keep)

    def copied(self, dtype: type[np.floating[Any]]) -> StandardisedRows:
        """A copy of rows in memory of another dtype: standardised, or of sparse ones in units of the spread."""
        assert isinstance(self.source, ArrayRows)
        copied = self._sparse_copy if self.source.is_sparse else self._dense_copy
        return copied(self.source.rows, dtype)

    def _sparse_copy(self, rows: Rows, dtype: type[np.floating[Any]]) -> StandardisedRows:
        """Sparse rows in units of the spread of their features, at places that are shared."""
        entries = (rows.X.data * self.standardisation.inverse_scale[rows.X.indices]).astype(dtype)
        copy = sparse.csr_array((entries, rows.X.indices, rows.X.indptr), shape=rows.X.shape)
        source = ArrayRows(copy, rows.labels, rows.weights)
        return self._replace(source=source, standardisation=self.standardisation.in_units())

    def _dense_copy(self, rows: Rows, dtype: type[np.floating[Any]]) -> StandardisedRows:
        """Dense rows, standardised, with the column of ones of the intercepts."""
        features = rows.X.shape[1]
        columns = features + self.standardisation.fit_intercept
        copy = np.ones((len(rows.X), columns), dtype)

        def fill(start: int) -> None:
            part = slice(start, start + self.block_length)
            copy[part, :features] = self.standardisation.apply(rows.X[part])

        for _ in self.workers.map(fill, range(0, len(copy), self.block_length)):
            pass
        source = ArrayRows(copy, rows.labels, rows.weights)
        return self._replace(source=source, standardisation=Standardisation.identity(columns))
