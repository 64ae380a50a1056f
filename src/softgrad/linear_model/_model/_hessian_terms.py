"""The sums over the rows that the Hessian is made of.

Nothing in them subtracts nearly equal numbers where a row is classified with confidence: with p_k near 1, what stands
for p_k (1 - p_k) comes from the other classes' probabilities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softgrad._negligible import clear_negligible, largest_of_rows, least_kept
from softgrad._products import row_products
from softgrad.linear_model._data._rows import Array, Rows
from softgrad.linear_model._data._terms import ArrayTerm, Term
from softgrad.linear_model._model._affine import Affine
from softgrad.linear_model._model._standardisation import Standardisation


class Block(NamedTuple):
    """Rows and their logits, (number of rows, K)."""

    rows: Rows
    logits: NDArray[Any]

    def probabilities(self) -> NDArray[Any]:
        """The probability of each class, (number of rows, K)."""
        probabilities = row_products("probabilities", self.logits, None, (1,), flushing=True)
        clear_negligible(probabilities, 1.0, probabilities.dtype)
        return probabilities

    def variances(self) -> NDArray[Any]:
        """p_k (1 - p_k) times the weights of the rows, (number of rows, K)."""
        variances = row_products("variances", self.logits, None, (1,), factor=self.rows.weights, flushing=True)
        clear_negligible(variances, self.rows.weights, variances.dtype)
        return variances

    def product(self, vector: NDArray[Any]) -> NDArray[Any]:
        """diag(p) - p p^T times the vector of each row times its weight, (number of rows, K)."""
        product = row_products("softmax", self.logits, vector, (1,), factor=self.rows.weights, flushing=True)
        clear_negligible(product, self.rows.weights * largest_of_rows(vector), product.dtype)
        return product


@dataclass
class WithLogits:
    """Makes blocks of rows."""

    affine: Affine

    def __call__(self, rows: Rows) -> Block:
        return Block(rows, rows.logits(*self.affine))


@dataclass
class WithLikelyLogits:
    """Makes blocks of rows without the classes that have left them.

    The logit of a class becomes -inf where its probability times the weight of the row is at most `least`, but for the
    likeliest class.
    """

    affine: Affine
    least: float

    def __call__(self, rows: Rows) -> Block:
        block = Block(rows, rows.logits(*self.affine))
        probabilities = block.probabilities()
        likeliest = probabilities.max(axis=1, keepdims=True)
        left = (probabilities * rows.weights[:, None] <= self.least) & (probabilities < likeliest)
        block.logits[left] = -np.inf
        return block


@dataclass
class Product(Term[Block, Affine]):
    """The Hessian of the mean loss times a direction, both as weight and bias of the rows as they are."""

    direction: Affine

    def start(self) -> Affine:
        return self.direction.zeros()

    def part(self, block: Block) -> Affine:
        return self.direction.gathered(block.rows, block.product(block.rows.logits(*self.direction)))

    def add(self, total: Affine, part: Affine) -> Affine:
        return total.add(part)


@dataclass
class JointProbabilities(ArrayTerm[Block]):
    """The mean of p p^T, (K, K)."""

    n_classes: int

    def start(self) -> Array:
        return np.zeros((self.n_classes, self.n_classes))

    def part(self, block: Block) -> Array:
        probabilities = block.probabilities()
        least = least_kept(probabilities.dtype)
        # Products of two that are kept may be as small as the square of the least: times the root of its inverse, none
        # is subnormal and none overflows.
        probabilities *= math.sqrt(1.0 / least)
        weighted = probabilities * block.rows.weights.astype(probabilities.dtype)[:, None]
        joint: NDArray[Any] = weighted.T @ probabilities
        return joint.astype(np.float64) * least


@dataclass
class Diagonal(ArrayTerm[Block]):
    """The diagonal of the Hessian of the mean loss, (K, P)."""

    standardisation: Standardisation
    shape: tuple[int, int]

    def start(self) -> Array:
        return np.zeros(self.shape)

    def part(self, block: Block) -> Array:
        variances = block.variances()
        squares = self.standardisation.squares(block.rows.X, variances)
        if not self.standardisation.fit_intercept:
            return squares
        return np.column_stack([squares, variances.sum(axis=0, dtype=np.float64)])


@dataclass
class Whole(ArrayTerm[Block]):
    """The Hessian of the mean loss by the theta of the `others`, all classes but one, (m, P, m, P) with m = K - 1.

    Of its diagonal block for each class all is made, of the rest what is below these; `length` rows are multiplied at a
    time.
    """

    standardisation: Standardisation
    others: tuple[int, ...]
    columns: int
    length: int

    def start(self) -> Array:
        return np.zeros((len(self.others), self.columns) * 2)

    def part(self, block: Block) -> Array:
        roots = np.sqrt(block.variances())
        probabilities = block.probabilities() if len(self.others) > 1 else None
        total = self.start()
        for start in range(0, len(block.logits), self.length):
            cut = slice(start, start + self.length)
            X = self.standardisation.columns(block.rows.X[cut])
            for k, label in enumerate(self.others):
                # BLAS does half the work for a square.
                half = X * roots[cut, label, None]
                total[k, :, k] += half.T @ half
                if probabilities is not None and k:
                    p = probabilities[cut]
                    weights = block.rows.weights[cut, None].astype(p.dtype)
                    factors = weights * p[:, label, None] * p.take(self.others[:k], axis=1)
                    clear_negligible(factors, block.rows.weights[cut], factors.dtype)
                    stacked = (X[:, None, :] * factors[:, :, None]).reshape(len(X), -1)
                    total[k, :, :k] -= (X.T @ stacked).reshape(self.columns, k, self.columns)
        return total
