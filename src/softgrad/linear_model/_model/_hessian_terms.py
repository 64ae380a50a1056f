"""The sums over the rows that the Hessian is made of.

Nothing in them subtracts nearly equal numbers where a row is classified with confidence: with p_k near 1, what stands
for p_k (1 - p_k) comes from the other classes' probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad._native import add_hessian_matrix, add_hessian_product, most_tile_classes
from softgrad._negligible import clear_negligible, least_kept
from softgrad._products import row_products
from softgrad.linear_model._data._rows import Array, Rows
from softgrad.linear_model._data._terms import ArrayTerm, Term
from softgrad.linear_model._model._affine import Affine
from softgrad.linear_model._model._standardisation import Standardisation


@dataclass
class Block:
    """Rows and their logits, (number of rows, K)."""

    rows: Rows
    logits: NDArray[Any]

    def first_for_all(self) -> Block:
        """The first row, with the weight of all rows of the source."""
        return Block(Rows(self.rows.X[:1], self.rows.labels[:1], np.ones(1)), self.logits[:1])

    @cached_property
    def probabilities(self) -> NDArray[Any]:
        """The probability of each class, (number of rows, K); for reading alone."""
        probabilities = row_products("probabilities", self.logits, None, (1,), flushing=True)
        clear_negligible(probabilities, 1.0, probabilities.dtype)
        return probabilities

    def root_shares(self) -> NDArray[Any]:
        """p_k times the roots of the row's weight and of 1 / `least_kept`, (number of rows, K).

        `least_kept` times the product of two is a share of the weight. Without it no product is subnormal, and none
        overflows.
        """
        dtype = self.probabilities.dtype
        roots = np.sqrt(self.rows.weights / least_kept(dtype)).astype(dtype)
        shares: NDArray[Any] = self.probabilities * roots[:, None]
        return shares

    def variances(self) -> NDArray[Any]:
        """p_k (1 - p_k) times the weights of the rows, (number of rows, K)."""
        variances = row_products("variances", self.logits, None, (1,), factor=self.rows.weights, flushing=True)
        clear_negligible(variances, self.rows.weights, variances.dtype)
        return variances

    def product(self, vector: NDArray[Any]) -> NDArray[Any]:
        """diag(p) - p p^T times the vector of each row times its weight, (number of rows, K)."""
        product = row_products("softmax", self.logits, vector, (1,), factor=self.rows.weights, flushing=True)
        clear_negligible(product, self.rows.weights, product.dtype, vector)
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
        logits = rows.logits(*self.affine)
        probabilities = Block(rows, logits).probabilities
        likeliest = probabilities.max(axis=1, keepdims=True)
        left = (probabilities * rows.weights[:, None] <= self.least) & (probabilities < likeliest)
        logits[left] = -np.inf
        return Block(rows, logits)


@dataclass
class Product(Term[Block, Affine]):
    """The Hessian of the mean loss times a direction, both as weight and bias of the rows as they are."""

    direction: Affine

    def start(self) -> Affine:
        return self.direction.zeros()

    def part(self, block: Block) -> Affine:
        rows = block.rows
        if len(self.direction.weight) > most_tile_classes:
            return self.direction.gathered(rows, block.product(rows.logits(*self.direction)))
        _, sums = self.direction.summed(partial(add_hessian_product, rows.features, block.probabilities, rows.weights))
        return sums

    def add(self, total: Affine, part: Affine) -> Affine:
        return total.add(part)


@dataclass
class JointProbabilities(ArrayTerm[Block]):
    """The mean of p p^T, (K, K)."""

    n_classes: int

    def start(self) -> Array:
        return np.zeros((self.n_classes, self.n_classes))

    def part(self, block: Block) -> Array:
        shares = block.root_shares()
        joint: NDArray[Any] = shares.T @ shares
        return joint.astype(np.float64) * least_kept(shares.dtype)


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
class WholeOfFew(ArrayTerm[Rows]):
    """`Whole` at theta (K, P) of the dtype of the rows, by the core, which makes the logits too."""

    standardisation: Standardisation
    theta: NDArray[Any]
    others: NDArray[np.int64]
    length: int

    def start(self) -> Array:
        return np.zeros((len(self.others), self.theta.shape[1]) * 2)

    def part(self, block: Rows) -> Array:
        total = self.start()
        for rows in block.blocks(self.length):
            X = np.ascontiguousarray(self.standardisation.columns(rows.X))
            add_hessian_matrix(X, self.theta, rows.weights, self.others, total)
        return total


@dataclass
class Whole(ArrayTerm[Block]):
    """The Hessian of the mean loss by the theta of the `others`, all classes but one, (m, P, m, P) with m = K - 1.

    Of its diagonal block for each class all is made, of the rest what is below these; `length` rows are multiplied at a
    time.
    """

    standardisation: Standardisation
    others: NDArray[np.int64]
    columns: int
    length: int

    def start(self) -> Array:
        return np.zeros((len(self.others), self.columns) * 2)

    def part(self, block: Block) -> Array:
        roots = np.sqrt(block.variances())
        # NumPy gives a product the order of memory of its factors: the rows of one class are neighbours in it.
        shares = np.ascontiguousarray(block.root_shares()[:, self.others].T) if len(self.others) > 1 else None
        least = least_kept(block.logits.dtype)
        total = self.start()
        for start in range(0, len(block.logits), self.length):
            cut = slice(start, start + self.length)
            X = self.standardisation.columns(block.rows.X[cut])
            for k, label in enumerate(self.others):
                # BLAS does half the work for a square.
                half = X * roots[cut, label, None]
                total[k, :, k] += half.T @ half
            if shares is None:
                continue
            by_class = X * shares[:, cut, None]
            for k in range(1, len(self.others)):
                joint = by_class[k].T @ by_class[:k]
                total[k, :, :k] -= np.multiply(joint, least, dtype=np.float64).swapaxes(0, 1)
        return total
