"""The Hessian of the softmax regression objective at one point: products with it, and the whole of it.

Nothing in it subtracts nearly equal numbers where a row is classified with confidence: with p_k near 1, what stands
for p_k (1 - p_k) comes from the other classes' probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softgrad.functional import softmax
from softgrad.linear_model.rows import Array, Rows, RowSource
from softgrad.linear_model.standardisation import Standardisation

# Class probabilities are kept between Hessian products up to this size, and made again for each product above it.
_KEPT_PROBABILITY_BYTES = 1 << 29

Block = tuple[Rows, NDArray[Any], NDArray[Any]]


class Curvature:
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
    """

    def __init__(
        self,
        source: RowSource,
        standardisation: Standardisation,
        theta: Array,
        ridge: Array,
        block_length: int,
    ) -> None:
        self._source = source
        self._standardisation = standardisation
        self._ridge = ridge
        self._block_length = block_length
        self._shape = theta.shape
        self._weight, self._bias = standardisation.affine(theta, source.dtype)
        self._kept: list[Block] | None = None
        if source.resident and source.n_rows * len(theta) * source.dtype.itemsize <= _KEPT_PROBABILITY_BYTES:
            self._kept = list(self._made_blocks())

    def _made_blocks(self) -> Iterator[Block]:
        for piece in self._source:
            for rows in piece.blocks(self._block_length):
                scores = np.ascontiguousarray(rows.scores(self._weight, self._bias).T)
                likeliest = scores.argmax(axis=0) * scores.shape[1] + np.arange(scores.shape[1])
                yield rows, softmax(scores, axis=0, out=scores), likeliest

    def _blocks(self) -> Iterator[Block]:
        """Rows, their probabilities (K, number of rows), and the flat position in them of each likeliest class."""
        return self._made_blocks() if self._kept is None else iter(self._kept)

    def product(self, direction: Array) -> Array:
        """The Hessian times a direction (K, P), the same shape."""
        weight, bias = self._standardisation.affine(direction, self._source.dtype)
        by_weight = np.zeros((self._shape[0], self._source.n_features))
        by_bias = np.zeros(self._shape[0])
        for rows, probabilities, likeliest in self._blocks():
            change = np.ascontiguousarray(rows.scores(weight, bias).T)
            change -= change.take(likeliest)
            change *= probabilities
            change -= probabilities * change.sum(axis=0)
            change *= rows.weights.astype(change.dtype)
            by_weight += rows.gather(change.T)
            by_bias += change.sum(axis=1, dtype=np.float64)
        return centred(self._standardisation.by_theta(by_weight, by_bias)) + self._ridge * direction

    def class_covariance(self) -> Array:
        """The mean over the rows of diag(p) - p p^T, (K, K): the Hessian by the intercepts."""
        joint = np.zeros((self._shape[0], self._shape[0]))
        for rows, probabilities, _ in self._blocks():
            weighted = probabilities * rows.weights.astype(probabilities.dtype)
            joint += weighted @ probabilities.T
        return _laplacian(joint)

    def diagonal(self) -> Array:
        """The diagonal of the Hessian, (K, P)."""
        total = np.zeros(self._shape)
        for rows, probabilities, likeliest in self._blocks():
            others = _complements(probabilities, likeliest)
            variance = probabilities * others * rows.weights.astype(probabilities.dtype)
            total[:, : self._source.n_features] += self._standardisation.squares(rows.X, variance)
            if self._standardisation.fit_intercept:
                total[:, -1] += variance.sum(axis=1, dtype=np.float64)
        return total + self._ridge

    def hessian(self, basis: Array) -> Array:
        """The whole Hessian for theta = basis @ omega, basis (K, m) of columns that sum to zero; (m P, m P)."""
        classes, columns = self._shape
        joint = np.zeros((classes, classes, columns, columns))
        for rows, probabilities, _ in self._blocks():
            block = self._standardisation.apply(rows.X)
            if self._standardisation.fit_intercept:
                block = np.hstack([block, np.ones((len(block), 1), block.dtype)])
            weights = rows.weights.astype(block.dtype)
            for k in range(1, classes):
                for other in range(k):
                    pair = probabilities[k] * probabilities[other] * weights
                    joint[k, other] += (block * pair[:, None]).T @ block
        joint += joint.transpose(1, 0, 2, 3)
        laplacian = -joint
        for k in range(classes):
            laplacian[k, k] = joint[k].sum(axis=0)
        reduced = np.einsum("ka,klij,lb->aibj", basis, laplacian, basis, optimize=True)
        ridge = np.einsum("ka,kb,i,ij->aibj", basis, basis, self._ridge, np.eye(columns))
        size = basis.shape[1] * columns
        total: Array = (reduced + ridge).reshape(size, size)
        return total


def zero_sum_basis(classes: int) -> Array:
    """Orthonormal columns that span the vectors of zero sum, (classes, classes - 1)."""
    basis: Array = scipy.linalg.helmert(classes).T
    return basis


def centred(values: Array) -> Array:
    """The values less their mean over the classes, the first axis."""
    result: Array = values - values.mean(axis=0)
    return result


def _complements(probabilities: NDArray[Any], likeliest: NDArray[Any]) -> NDArray[Any]:
    """1 - p, from the sum of the others where p is the largest."""
    complements = 1.0 - probabilities
    without = probabilities.copy()
    without.flat[likeliest] = 0.0
    complements.flat[likeliest] = without.sum(axis=0)
    return complements


def _laplacian(joint: Array) -> Array:
    """diag(row sums) - joint, from the entries off the diagonal alone."""
    off_diagonal = joint - np.diag(np.diag(joint))
    return np.diag(off_diagonal.sum(axis=1)) - off_diagonal
