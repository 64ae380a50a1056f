"""The Hessian of the softmax regression objective at one point: products with it, and the whole of it.

Nothing in it subtracts nearly equal numbers where a row is classified with confidence: with p_k near 1, what stands
for p_k (1 - p_k) comes from the other classes' probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softgrad._products import row_products
from softgrad.functional import softmax
from softgrad.linear_model._data._rows import Array, Rows, RowSource
from softgrad.linear_model._data._workers import Workers, over_blocks
from softgrad.linear_model._model._standardisation import Standardisation

# Logits are kept between Hessian products up to this size, and made again for each product above it.
KEPT_LOGIT_BYTES = 1 << 29

# Rows that the whole Hessian is made of at a time: few enough that what they are multiplied to stays in the caches.
_FACTOR_BYTES = 1 << 20
_LEAST_FACTOR_ROWS = 256

# With fewer operations than this in it an item is not worth a thread.
_LEAST_WORK_OF_A_THREAD = 1 << 23

Result = TypeVar("Result")


class Block(NamedTuple):
    """Rows and their logits, (number of rows, K)."""

    rows: Rows
    logits: NDArray[Any]

    def probabilities(self) -> NDArray[Any]:
        """Those of the classes, (number of rows, K)."""
        return softmax(self.logits)

    def variances(self) -> NDArray[Any]:
        """p_k (1 - p_k) times the weights of the rows, (number of rows, K)."""
        return row_products("variances", self.logits, None, (1,), factor=self.rows.weights)

    def product(self, vector: NDArray[Any]) -> NDArray[Any]:
        """diag(p) - p p^T times the vector of each row times its weight, (number of rows, K)."""
        return row_products("softmax", self.logits, vector, (1,), factor=self.rows.weights)


class Hessian:
    """The Hessian at theta.

    Parameters
    ----------
    source : RowSource
        The rows, in the precision of the products.
    standardisation : Standardisation
        Of these rows.
    theta : ndarray, shape (K, P)
    ridge : ndarray, shape (P,)
        What the penalty adds to the diagonal.
    block_length : int
        Rows taken at a time.
    workers : Workers
    order : "C" or "F"
        In which products are made.
    """

    def __init__(
        self,
        source: RowSource,
        standardisation: Standardisation,
        theta: Array,
        ridge: Array,
        block_length: int,
        workers: Workers,
        order: Literal["C", "F"],
    ) -> None:
        self._source = source
        self._standardisation = standardisation
        self._ridge = ridge
        self._block_length = block_length
        self._workers = workers
        self._order = order
        self._shape = theta.shape
        self._weight, self._bias = standardisation.affine(theta, source.dtype, order)
        self._kept: list[Block] | None = None
        if self.keeps(source, len(theta)):
            self._kept = list(over_blocks(workers, source, block_length, self._block))

    def _block(self, rows: Rows) -> Block:
        return Block(rows, rows.scores(self._weight, self._bias))

    def _over_blocks(self, function: Callable[[Block], Result]) -> Iterator[Result]:
        """A function of each block, in the order of the blocks."""
        if self._kept is not None:
            return self._workers.map(function, self._kept)
        return over_blocks(self._workers, self._source, self._block_length, lambda rows: function(self._block(rows)))

    @staticmethod
    def keeps(source: RowSource, n_classes: int) -> bool:
        """Whether the logits are kept between the products."""
        return source.resident and source.n_rows * n_classes * source.dtype.itemsize <= KEPT_LOGIT_BYTES

    def product(self, direction: Array) -> Array:
        """The Hessian times a direction (K, P), the same shape."""
        weight, bias = self._standardisation.affine(direction, self._source.dtype, self._order)

        def of_block(block: Block) -> tuple[NDArray[Any], Array | None]:
            change = block.product(block.rows.scores(weight, bias))
            return block.rows.gather(change), None if bias is None else change.sum(axis=0, dtype=np.float64)

        by_weight = np.zeros((self._shape[0], self._source.n_features), order=self._order)
        by_bias = np.zeros(self._shape[0])
        for block_by_weight, block_by_bias in self._over_blocks(of_block):
            by_weight += block_by_weight
            if block_by_bias is not None:
                by_bias += block_by_bias
        result = centre(self._standardisation.by_theta(by_weight, by_bias))
        result += self._ridge * direction
        return result

    def class_covariance(self) -> Array:
        """The mean over the rows of diag(p) - p p^T, (K, K): the Hessian by the intercepts."""

        def of_block(block: Block) -> NDArray[Any]:
            probabilities = block.probabilities()
            weighted = probabilities * block.rows.weights.astype(probabilities.dtype)[:, None]
            part: NDArray[Any] = weighted.T @ probabilities
            return part

        joint = np.zeros((self._shape[0], self._shape[0]))
        for part in self._over_blocks(of_block):
            joint += part
        return _laplacian(joint)

    def diagonal(self) -> Array:
        """The diagonal of the Hessian, (K, P)."""

        def of_block(block: Block) -> Array:
            variances = block.variances()
            squares = self._standardisation.squares(block.rows.X, variances)
            if not self._standardisation.fit_intercept:
                return squares
            return np.column_stack([squares, variances.sum(axis=0, dtype=np.float64)])

        total = np.zeros(self._shape)
        for part in self._over_blocks(of_block):
            total += part
        return total + self._ridge

    def sampled_blocks(self, count: int, function: Callable[[Array], Result]) -> Iterator[Result]:
        """A function of the block of the Hessian by the coefficients of each class, (P, P), from about `count` rows.

        They are taken at equal steps of the summed p_k (1 - p_k), so that a row comes as often as it counts. The
        diagonal is that of all rows: a feature that is 0 in every row taken would else seem to have no curvature.
        The logits must be kept.
        """
        kept = self._kept
        assert kept is not None
        starts = np.cumsum([0, *(len(block.logits) for block in kept)])
        variances = np.ascontiguousarray(np.vstack([block.variances() for block in kept]).T)
        least = self.diagonal() - self._ridge
        whole = self._taken(kept, starts, np.arange(starts[-1])) if _takes_all(starts[-1], count) else None

        def of_class(label: int) -> Result:
            rows, factors = _sample(variances[label], count)
            X = self._taken(kept, starts, rows) if whole is None else whole
            X = X * np.sqrt(factors).astype(X.dtype)[:, None]
            block = (X.T @ X).astype(np.float64, copy=False)
            np.fill_diagonal(block, np.maximum(np.diag(block), least[label]))
            block.flat[:: self._shape[1] + 1] += self._ridge
            return function(block)

        small = min(count, starts[-1]) * self._shape[1] ** 2 <= _LEAST_WORK_OF_A_THREAD
        return (map if small else self._workers.map)(of_class, range(self._shape[0]))

    def _taken(self, kept: list[Block], starts: NDArray[np.intp], rows: NDArray[np.intp]) -> NDArray[Any]:
        """Rows in ascending order, counted through all blocks, as `_with_intercept` gives them."""
        cuts = np.searchsorted(rows, starts)
        bounds = zip(kept, starts, cuts, cuts[1:], strict=False)
        return np.vstack([self._with_intercept(block.rows.X[rows[a:b] - start]) for block, start, a, b in bounds])

    def _with_intercept(self, X: Any) -> NDArray[Any]:
        """Some rows standardised, with a column of ones if there is an intercept."""
        X = self._standardisation.apply(X)
        return np.hstack([X, np.ones((len(X), 1), X.dtype)]) if self._standardisation.fit_intercept else X

    def matrix(self, ground: int) -> Array:
        """The Hessian by the other classes' theta less that of class `ground`; (m P, m P), its lower triangle.

        theta is then what the m = K - 1 differences and a row of zeros for `ground` are when centred.
        """
        classes, columns = self._shape
        others = [k for k in range(classes) if k != ground]
        shape = (classes - 1, columns, classes - 1, columns)
        length = max(_FACTOR_BYTES // (self._source.dtype.itemsize * columns * (classes - 1)), _LEAST_FACTOR_ROWS)

        def of_block(block: Block) -> Array:
            roots = np.sqrt(block.variances())
            probabilities = block.probabilities() if classes > 2 else None
            total = np.zeros(shape)
            for start in range(0, len(block.logits), length):
                cut = slice(start, start + length)
                X = self._with_intercept(block.rows.X[cut])
                for k, label in enumerate(others):
                    # BLAS does half the work for a square.
                    half = X * roots[cut, label, None]
                    total[k, :, k] += half.T @ half
                    if probabilities is not None and k:
                        p = probabilities[cut]
                        factors = block.rows.weights[cut, None].astype(p.dtype) * p[:, label, None] * p[:, others[:k]]
                        stacked = (X[:, None, :] * factors[:, :, None]).reshape(len(X), -1)
                        total[k, :, :k] -= (X.T @ stacked).reshape(columns, k, columns)
            return total

        total = np.zeros(shape)
        for part in self._over_blocks(of_block):
            total += part
        diagonals = np.einsum("kplp->klp", total)
        diagonals += (np.eye(classes - 1) - 1.0 / classes)[:, :, None] * self._ridge
        return total.reshape((classes - 1) * columns, -1)


def zero_sum_basis(classes: int) -> Array:
    """Orthonormal columns that span the vectors of zero sum, (classes, classes - 1)."""
    basis: Array = scipy.linalg.helmert(classes).T
    return basis


def centre(values: Array) -> Array:
    """The values, less their mean over the classes, the first axis."""
    values -= values.sum(axis=0) / len(values)
    return values


def centred(values: Array) -> Array:
    """A copy of the values less their mean over the classes."""
    return centre(values.copy())


def _takes_all(rows: int, count: int) -> bool:
    return rows <= 2 * count


def _sample(amounts: Array, count: int) -> tuple[NDArray[np.intp], Array]:
    """Rows at equal steps of the summed amounts, and what to multiply each by to have the sum; all if they are few."""
    if _takes_all(len(amounts), count):
        return np.arange(len(amounts)), amounts
    sums = np.cumsum(amounts)
    steps = (np.arange(count) + 0.5) * (sums[-1] / count)
    rows, times = np.unique(np.searchsorted(sums, steps), return_counts=True)
    return rows, times * (sums[-1] / count)


def _laplacian(joint: Array) -> Array:
    """diag(row sums) - joint, from the entries off the diagonal alone."""
    off_diagonal = joint - np.diag(np.diag(joint))
    return np.diag(off_diagonal.sum(axis=1)) - off_diagonal
