"""Where the rows of a fit come from, and the two matrix products that every sum over the rows is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from softgrad._native import sparse_product, sparse_transposed_product
from softgrad.linear_model._data._terms import Term, added
from softgrad.linear_model._data._workers import Workers

Array = NDArray[np.float64]
Total = TypeVar("Total")

# Of a block of sparse rows, for each feature.
_LEAST_ENTRIES = 16


class Rows(NamedTuple):
    """Some rows in memory.

    X : shape (n, d), finite, float32 or float64, contiguous or sparse as `canonical` makes it. labels : class
    numbers, int, shape (n,), from 0; or class probabilities, float64, shape (n, K). weights : shape (n,), each row's
    share of the total weight.
    """

    X: Any
    labels: NDArray[Any]
    weights: Array

    def blocks(self, length: int) -> Iterator[Rows]:
        """These rows in blocks of equal length, at most the one given; in longer blocks where they are sparse."""
        n, d = self.X.shape
        number = -(-n // length)
        # Sums over the blocks are of shape (K, d), which sparse rows may be much smaller than; two share the threads.
        if sparse.issparse(self.X):
            number = min(number, max(self.X.nnz // (_LEAST_ENTRIES * d), 2))
        if number <= 1:
            yield self
            return
        for i in range(number):
            part = slice(n * i // number, n * (i + 1) // number)
            X = _shared_rows(self.X, part) if sparse.issparse(self.X) else self.X[part]
            yield Rows(X, self.labels[part], self.weights[part])

    @property
    def features(self) -> Any:
        """X as the native core takes it; a copy of what is in Fortran order."""
        if sparse.issparse(self.X):
            return self.X.data, self.X.indices, self.X.indptr
        return np.ascontiguousarray(self.X)

    def logits(self, weight: NDArray[Any], bias: NDArray[Any] | None) -> NDArray[Any]:
        """X @ weight.T + bias for a weight (K, d) of the dtype of X, for sparse X best in Fortran order; (n, K)."""
        logits: NDArray[Any]
        if sparse.issparse(self.X):
            logits = np.empty((self.X.shape[0], len(weight)), weight.dtype)
            sparse_product(self.X.data, self.X.indices, self.X.indptr, np.ascontiguousarray(weight.T), bias, logits)
            return logits
        # BLAS adds up the terms of a single row in another order than those of the same row among others.
        rows = np.repeat(self.X, 2, axis=0) if len(self.X) == 1 else self.X
        logits = (rows @ weight.T)[: len(self.X)]
        if bias is not None:
            logits += bias
        return logits

    def gather(self, factors: NDArray[Any]) -> NDArray[Any]:
        """factors.T @ X for factors (n, K): (K, d), for sparse X in Fortran order."""
        if sparse.issparse(self.X):
            return transposed_product(self.X, factors).T
        product: NDArray[Any] = factors.T @ self.X
        return product


def _shared_rows(X: Any, part: slice) -> Any:
    """Neighbouring rows of a `csr_array`, which share its entries: SciPy's slices, and its constructor, copy them."""
    indptr = X.indptr[part.start : part.stop + 1]
    entries = slice(indptr[0], indptr[-1])
    rows = sparse.csr_array((part.stop - part.start, X.shape[1]), dtype=X.dtype)
    rows.data, rows.indices, rows.indptr = X.data[entries], X.indices[entries], indptr - indptr[0]
    return rows


def class_totals(labels: NDArray[Any], weights: Array, n_classes: int) -> Array:
    """The sum of the row weights of each class, (K,); labels are class numbers (n,), or probabilities (n, K)."""
    if labels.ndim == 2:
        # By no library that shares it among threads: the bits would depend on their number.
        totals: Array = np.einsum("n,nk->k", weights, labels)
        return totals
    return np.bincount(labels, weights, n_classes).astype(np.float64)


def canonical(X: Any) -> Any:
    """Sparse X of any of SciPy's kinds and formats as a `csr_array`; other X as it is.

    Each entry is there once, in order, so that what is not linear in the entries may be taken of them one by one, and
    sums have the same bits whatever they were made of. Of SciPy's matrices `*` and `**` would be products of matrices.
    What is of this form already is shared with X.
    """
    if not sparse.issparse(X):
        return X
    given = X.tocsr()
    places = given.indices, given.indptr
    index = sparse.get_index_dtype(places, maxval=max(given.nnz, *given.shape), check_contents=True)
    indices, indptr = (each.astype(index, copy=False) for each in places)
    rows = sparse.csr_array((given.data, indices, indptr), shape=given.shape)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def transposed_product(X: Any, factors: NDArray[Any]) -> NDArray[Any]:
    """X.T @ factors for a `scipy.sparse.csr_array` (n, d) and C-contiguous factors (n, K) of its dtype; (d, K)."""
    product = np.zeros((X.shape[1], factors.shape[1]), factors.dtype)
    sparse_transposed_product(X.data, X.indices, X.indptr, factors, product)
    return product


class RowSource(ABC):
    """All rows, as often as they are asked for.

    dtype, is_sparse : of X. total_weight : the sum of the row weights. resident : whether the rows stay in memory.
    """

    dtype: np.dtype[Any]
    is_sparse: bool
    n_features: int
    n_rows: int
    total_weight: float
    resident: bool

    @abstractmethod
    def total(self, term: Term[Rows, Total], workers: Workers, length: int) -> Total:
        """The sum over all rows, by blocks of at most so many, in an order that does not depend on the workers."""


class IteratedRows(RowSource):
    """Rows in pieces, each time the same in the same order.

    Those that are not resident are valid only until the next one is asked for.
    """

    @abstractmethod
    def __iter__(self) -> Iterator[Rows]: ...

    def total(self, term: Term[Rows, Total], workers: Workers, length: int) -> Total:
        # What is left of a piece is done before the next is asked for, which may take its place in memory.
        return added(term, (part for piece in self for part in workers.map(term.part, piece.blocks(length))))


class ArrayRows(IteratedRows):
    """Rows in memory, one piece; row weights not negative, at least one positive."""

    resident = True

    def __init__(self, X: Any, labels: NDArray[Any], weights: Array) -> None:
        self.dtype, self.is_sparse = X.dtype, sparse.issparse(X)
        self.n_rows, self.n_features = X.shape
        self.total_weight = float(weights.sum())
        self.rows = Rows(X, labels, weights / self.total_weight)

    def __iter__(self) -> Iterator[Rows]:
        yield self.rows
