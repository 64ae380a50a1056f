"""The Hessian of the softmax regression objective at one point: products with it, and the whole of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from softgrad._negligible import least_kept
from softgrad.linear_model._data._prepared import PreparedBlocks
from softgrad.linear_model._data._rows import Array, RowSource
from softgrad.linear_model._model import _hessian_terms as terms
from softgrad.linear_model._model._columns import Columns
from softgrad.linear_model._model._standardised_rows import StandardisedRows

# Logits are kept between Hessian products up to this size, and made again for each product above it.
KEPT_LOGIT_BYTES = 1 << 29

# Rows that the whole Hessian is made of at a time: few enough that what they are multiplied to stays in the caches.
_FACTOR_BYTES = 1 << 20
_LEAST_FACTOR_ROWS = 256

# Of so few classes and unknowns the core makes the whole Hessian up to six times as fast as BLAS.
_FEW_CLASSES, _FEW_UNKNOWNS = 16, 128

# With fewer operations than this in it an item is not worth a thread.
_LEAST_WORK_OF_A_THREAD = 1 << 23

# A feature with less than this part of its curvature in a sample of the rows is one that few of them have.
_SEEN = 0.5

Result = TypeVar("Result")


def keeps_logits(source: RowSource, n_classes: int) -> bool:
    """Whether a Hessian has the logits of all rows in memory."""
    return source.resident and source.n_rows * n_classes * source.dtype.itemsize <= KEPT_LOGIT_BYTES


class Hessian:
    """The Hessian at theta.

    Parameters
    ----------
    rows : StandardisedRows
        In the precision of the products.
    theta : ndarray, shape (K, P)
    ridge : ndarray, shape (P,)
        What the penalty adds to the diagonal.
    left_out : float, optional
        Of a row, the classes whose probability times its weight is at most this are left out; by default none.
    """

    def __init__(self, rows: StandardisedRows, theta: Array, ridge: Array, *, left_out: float | None = None) -> None:
        self.dtype = rows.source.dtype
        self._rows = rows
        self._theta = theta
        self._ridge = ridge
        self._left_out = left_out
        self._shape = theta.shape

    @cached_property
    def columns(self) -> Columns:
        return Columns(self._shape, self._rows.workers)

    @cached_property
    def _blocks(self) -> PreparedBlocks[terms.Block]:
        affine, least = self._rows.affine(self._theta), self._left_out
        with_logits = terms.WithLogits(affine) if least is None else terms.WithLikelyLogits(affine, least)
        return self._rows.prepared(with_logits, keep=keeps_logits(self._rows.source, self._shape[0]))

    def product(self, direction: Array) -> Array:
        """The Hessian times a direction (K, P), the same shape."""
        return self.product_and_bend(direction)[0]

    def product_and_bend(self, direction: Array) -> tuple[Array, float]:
        """The product, and its inner product with the direction."""
        by_rows = self._blocks.total(terms.Product(self._rows.affine(direction)))
        product, bend, _ = self._rows.by_theta_and_ridge(by_rows, self._ridge, direction)
        return product, bend

    def class_covariance(self) -> Array:
        """The mean over the rows of diag(p) - p p^T, (K, K): the Hessian by the intercepts."""
        joint = terms.JointProbabilities(self._shape[0])
        kept = self._blocks.kept
        if kept is not None and _are_alike(kept):
            return _laplacian(joint.part(kept[0].first_for_all()))
        return _laplacian(self._blocks.total(joint))

    def diagonal(self) -> Array:
        """The diagonal of the Hessian, (K, P)."""
        found = self._blocks.total(terms.Diagonal(self._rows.standardisation, self._shape)) + self._ridge
        # An intercept has no ridge: of a class of which every row is certain nothing may be left.
        return np.maximum(found, least_kept(self._rows.source.dtype))

    def matrix(self, ground: int) -> Array:
        """The Hessian by the other classes' theta less that of class `ground`; (m P, m P), its lower triangle.

        theta is then what the m = K - 1 differences and a row of zeros for `ground` are when centred.
        """
        classes, columns = self._shape
        others = np.flatnonzero(np.arange(classes) != ground)
        itemsize = self._rows.source.dtype.itemsize
        length = max(_FACTOR_BYTES // (itemsize * columns * (classes - 1)), _LEAST_FACTOR_ROWS)
        rows = self._rows
        if self._left_out is None and classes <= _FEW_CLASSES and (classes - 1) * columns <= _FEW_UNKNOWNS:
            few = terms.WholeOfFew(rows.standardisation, self._theta.astype(self.dtype, copy=False), others, length)
            total = rows.source.total(few, rows.workers, rows.block_length)
        else:
            total = self._blocks.total(terms.Whole(rows.standardisation, others, columns, length))
        diagonals = np.einsum("kplp->klp", total)
        diagonals += _squares_of_differences(classes)[:, :, None] * self._ridge
        matrix = total.reshape((classes - 1) * columns, -1)
        # Without a ridge nothing may be left, as of a diagonal alone.
        diagonal = np.einsum("ii->i", matrix)
        np.maximum(diagonal, least_kept(self._rows.source.dtype), out=diagonal)
        return matrix

    def sampled_diagonal_blocks(self, count: int, function: Callable[[Array], Result]) -> Iterator[Result]:
        """A function of the diagonal block of each class, the Hessian by its theta, (P, P), from about `count` rows.

        The rows are taken at equal steps of the summed p_k (1 - p_k), so that a row comes as often as it counts. Of a
        feature that is 0 in most rows they may say nothing: its diagonal is that of all rows. That of others is left,
        as a combination of features that is 0 in every row must be 0 in the sample as well.
        The logits must be kept.
        """
        kept = self._blocks.kept
        assert kept is not None
        starts = np.cumsum([0, *(len(block.logits) for block in kept)])
        variances = np.empty((self._shape[0], starts[-1]), self.dtype)
        for block, start, end in zip(kept, starts, starts[1:], strict=False):
            variances[:, start:end] = block.variances().T
        exact = self.diagonal() - self._ridge
        taken = _sample_size(starts[-1], count)
        whole = self._taken(kept, starts, np.arange(starts[-1])) if taken == starts[-1] else None

        def of_class(label: int) -> Result:
            rows, factors = _sample(variances[label], count)
            X = self._taken(kept, starts, rows) if whole is None else whole
            X = X * np.sqrt(factors).astype(X.dtype)[:, None]
            diagonal_block = (X.T @ X).astype(np.float64, copy=False)
            found = np.diag(diagonal_block)
            np.fill_diagonal(diagonal_block, np.where(found < _SEEN * exact[label], exact[label], found))
            diagonal_block.flat[:: self._shape[1] + 1] += self._ridge
            return function(diagonal_block)

        small = taken * self._shape[1] ** 2 <= _LEAST_WORK_OF_A_THREAD
        return (map if small else self._rows.workers.map)(of_class, range(self._shape[0]))

    def _taken(self, kept: list[terms.Block], starts: NDArray[np.intp], rows: NDArray[np.intp]) -> NDArray[Any]:
        """Rows in ascending order, counted through all blocks, as `Standardisation.columns` gives them."""
        cuts = np.searchsorted(rows, starts)
        bounds = zip(kept, starts, cuts, cuts[1:], strict=False)
        columns = self._rows.standardisation.columns
        return np.vstack([columns(block.rows.X[rows[a:b] - start]) for block, start, a, b in bounds])


def _are_alike(blocks: list[terms.Block]) -> bool:
    """Whether all rows have the same logits, as at the start of a fit."""
    first = blocks[0].logits[0]
    return all(bool((block.logits[-1] == first).all() and (block.logits == first).all()) for block in blocks)


def _sample_size(rows: int, count: int) -> int:
    """How many of the rows a sample of about `count` has: all if they are few."""
    return rows if rows <= 2 * count else count


def _sample(amounts: Array, count: int) -> tuple[NDArray[np.intp], Array]:
    """Rows at equal steps of the summed amounts, and what to multiply each by to have the sum; all if they are few."""
    if _sample_size(len(amounts), count) == len(amounts):
        return np.arange(len(amounts)), amounts
    sums = np.cumsum(amounts)
    steps = (np.arange(count) + 0.5) * (sums[-1] / count)
    rows, times = np.unique(np.searchsorted(sums, steps), return_counts=True)
    return rows, times * (sums[-1] / count)


@cache
def _squares_of_differences(classes: int) -> Array:
    """By what all classes but one differ from that one: the sum of the squares of all, when centred, as a matrix."""
    squares: Array = np.eye(classes - 1) - 1.0 / classes
    return squares


def _laplacian(joint: Array) -> Array:
    """diag(row sums) - joint, from the entries off the diagonal alone."""
    off_diagonal = joint - np.diag(np.diag(joint))
    return np.diag(off_diagonal.sum(axis=1)) - off_diagonal
