"""The objective of softmax regression, its gradient and Hessian, in coordinates that do not know the features' units.

With row weights s_i (sum S), C the inverse strength of the penalty and W the K x d coefficients, it is

    f(W, b) = (1/S) sum_i s_i loss_i + ||W||^2 / (2 C S),

which is scikit-learn's objective of LogisticRegression divided by C S. The solvers see it as a function of theta
(K x P): the coefficients of the standardised features (x - centre) / scale and, if there are intercepts, one column
for them. The data are not copied: a product with standardised features is a product with X and a correction.

The rows come from a `RowSource`, piece by piece and always in the same order: an array is one piece, a file larger than
memory is many, read anew for every sum over the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softgrad.functional import softmax
from softgrad.losses import linear_cross_entropy

Array = NDArray[np.float64]

# Scores of a block of rows stay in the second-level cache between the two products.
_SCORE_BLOCK_BYTES = 1 << 19
# Standardised copies of blocks of X, for the Gram matrices.
_FEATURE_BLOCK_BYTES = 1 << 23
# Class probabilities are kept between Hessian products up to this size, and made again for each product above it.
_KEPT_PROBABILITY_BYTES = 1 << 28
# Spreads of a feature whose square, and whose inverse square, stay representable.
_SPREAD_RANGE = {np.dtype(np.float64): (1e-140, 1e140), np.dtype(np.float32): (1e-30, 1e30)}


class Rows(NamedTuple):
    """Some rows in memory.

    X : shape (n, d), finite, float32 or float64, C-contiguous. classes : shape (n,), from 0. weights : shape (n,), each
    row's share of the total weight.
    """

    X: NDArray[Any]
    classes: NDArray[np.intp]
    weights: Array

    def blocks(self, length: int) -> Iterator[Rows]:
        """The same rows in blocks of about this length."""
        length = max(length, 256)
        for start in range(0, len(self.X), length):
            part = slice(start, start + length)
            yield Rows(self.X[part], self.classes[part], self.weights[part])


class RowSource(Protocol):
    """All rows, as often as they are asked for: each iteration gives the same pieces in the same order.

    dtype : of X. total : the sum of the row weights. resident : whether the pieces stay in memory; those of another
    source are valid only until the next one is asked for.
    """

    dtype: np.dtype[Any]
    n_features: int
    n_rows: int
    total: float
    resident: bool

    def __iter__(self) -> Iterator[Rows]: ...


class ArrayRows:
    """Rows in memory, one piece; row weights not negative, at least one positive."""

    resident = True

    def __init__(self, X: NDArray[Any], classes: NDArray[np.intp], weights: Array) -> None:
        self.dtype = X.dtype
        self.n_rows, self.n_features = X.shape
        self.total = float(weights.sum())
        self._rows = Rows(X, classes, weights / self.total)

    def __iter__(self) -> Iterator[Rows]:
        yield self._rows


class SoftmaxObjective:
    """The objective for one data set.

    Parameters
    ----------
    source : RowSource
        Products with X are made in its dtype; theta and what is returned are float64.
    n_classes : int
    C : float
    fit_intercept : bool

    Raises
    ------
    ValueError
        A feature spreads over more than the dtype of X can square.
    """

    def __init__(
        self,
        source: RowSource,
        *,
        n_classes: int,
        C: float,
        fit_intercept: bool,
    ) -> None:
        self.source = source
        self.dtype = source.dtype
        self.n_features = source.n_features
        self.n_classes = n_classes
        self.fit_intercept = fit_intercept
        self.penalty = 1.0 / (C * source.total)
        self.centre, self.scale = self._centre_and_scale()
        varies = self.scale > 0
        self.inverse_scale: Array = np.divide(1.0, self.scale, out=np.zeros_like(self.scale), where=varies)
        # A constant feature has no coefficient; its ridge only has to be positive.
        ridge = np.where(varies, self.penalty * self.inverse_scale**2, 1.0)
        self.ridge: Array = np.append(ridge, 0.0) if fit_intercept else ridge
        self.shape = (n_classes, len(self.ridge))

    @np.errstate(over="ignore", invalid="ignore")
    def _centre_and_scale(self) -> tuple[Array, Array]:
        """The weighted mean of each feature, or 0 without intercepts, and the largest distance from it.

        The distance is 0 where it is nothing but rounding.
        """
        means = np.zeros(self.n_features)
        least, most = np.full(self.n_features, np.inf), np.full(self.n_features, -np.inf)
        for rows in self._feature_blocks():
            means += rows.weights @ rows.X
            least, most = np.minimum(least, rows.X.min(axis=0)), np.maximum(most, rows.X.max(axis=0))
        # The mean of a constant feature may be rounded away from it.
        centre = np.clip(means, least, most) if self.fit_intercept else np.zeros_like(means)
        spread = np.maximum(most - centre, centre - least)
        smallest, largest = _SPREAD_RANGE[self.dtype]
        # Written so that an overflow to inf or NaN is caught as well.
        too_large = np.flatnonzero(~(spread <= largest))
        if too_large.size:
            raise ValueError(
                f"feature {too_large[0]} of X spreads over {spread[too_large[0]]:.3g}; "
                f"{self.dtype} allows up to {largest:.0e}: rescale it"
            )
        rounding = 16 * np.finfo(np.float64).eps * np.abs(centre)
        return centre, np.where(spread <= np.maximum(rounding, smallest), 0.0, spread)

    def _feature_blocks(self) -> Iterator[Rows]:
        length = _FEATURE_BLOCK_BYTES // (self.n_features * self.dtype.itemsize)
        return (block for rows in self.source for block in rows.blocks(length))

    def score_blocks(self) -> Iterator[Rows]:
        """Blocks of rows whose scores fit the cache."""
        length = _SCORE_BLOCK_BYTES // (self.n_classes * self.dtype.itemsize)
        return (block for rows in self.source for block in rows.blocks(length))

    def start(self) -> Array:
        """No coefficients, and the intercepts that are optimal with none: the logarithms of the class frequencies."""
        theta = np.zeros(self.shape)
        if self.fit_intercept:
            frequencies = sum(np.bincount(rows.classes, rows.weights, self.n_classes) for rows in self.source)
            # A class whose rows all weigh nothing has its optimal intercept at -inf; this one is within rounding of it.
            logs = np.log(np.maximum(frequencies, np.finfo(np.float64).eps))
            theta[:, -1] = logs - logs.mean()
        return theta

    @np.errstate(over="ignore", invalid="ignore")
    def coordinates(self, coef: Array, intercept: Array) -> Array:
        """The theta of given coefficients, moved to zero sum over the classes: the loss stays, the penalty falls."""
        theta = coef * self.scale
        if self.fit_intercept:
            theta = np.column_stack([theta, intercept + coef @ self.centre])
        return centred(theta)

    def coefficients(self, theta: Array) -> tuple[Array, Array]:
        """Coefficients (K, d) and intercepts (K,) of X as it is."""
        coef = theta[:, : self.n_features] * self.inverse_scale
        if not self.fit_intercept:
            return coef, np.zeros(self.n_classes)
        return coef, centred(theta[:, -1] - coef @ self.centre)

    @np.errstate(over="ignore", invalid="ignore")
    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """The objective and its gradient by theta, whose columns sum to zero as those of theta do."""
        weight, bias = self.affine(theta)
        loss = 0.0
        by_weight, by_bias = np.zeros((self.n_classes, self.n_features)), np.zeros(self.n_classes)
        for rows in self.source:
            part, gradients = linear_cross_entropy.value_and_grad(
                rows.X,
                weight,
                rows.classes,
                bias,
                wrt=("weight", "bias"),
                sample_weight=rows.weights,
                reduction="sum",
            )
            assert gradients.weight is not None
            loss += float(part)
            by_weight += gradients.weight
            if gradients.bias is not None:
                by_bias += gradients.bias
        value = loss + 0.5 * float(np.sum(self.ridge * theta**2))
        return value, centred(self._by_theta(by_weight, by_bias) + self.ridge * theta)

    def curvature(self, theta: Array) -> Curvature:
        """The Hessian at theta."""
        return Curvature(self, *self.affine(theta))

    def scores(self, weight: NDArray[Any], bias: NDArray[Any] | None, rows: Rows) -> NDArray[Any]:
        """Products of rows of X with what `affine` returned, (K, number of rows), in the dtype of X."""
        scores: NDArray[Any] = weight @ rows.X.T
        if bias is not None:
            scores += bias[:, None]
        return scores

    def gather(self, blocks: Iterable[tuple[Rows, NDArray[Any]]]) -> Array:
        """The transpose of `affine` and `scores`: sums over the rows of factors (K, number of rows) times rows."""
        by_weight = np.zeros((self.n_classes, self.n_features))
        by_bias = np.zeros(self.n_classes)
        for rows, factors in blocks:
            by_weight += factors @ rows.X
            by_bias += factors.sum(axis=1, dtype=np.float64)
        return self._by_theta(by_weight, by_bias)

    def affine(self, theta: Array) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Weight and bias on X as it is, in its dtype, with the scores that theta has on the standardised features."""
        weight = theta[:, : self.n_features] * self.inverse_scale
        bias = theta[:, -1] - weight @ self.centre if self.fit_intercept else None
        return weight.astype(self.dtype), None if bias is None else bias.astype(self.dtype)

    def _by_theta(self, by_weight: Array, by_bias: Array) -> Array:
        if not self.fit_intercept:
            return by_weight * self.inverse_scale
        bias_column = by_bias[:, None]
        return np.hstack([(by_weight - bias_column * self.centre) * self.inverse_scale, bias_column])

    def standardised(self, rows: Rows) -> NDArray[Any]:
        """A copy of some rows, standardised, without a column for the intercept, in the dtype of X."""
        block: NDArray[Any] = rows.X - self.centre.astype(self.dtype)
        block *= self.inverse_scale.astype(self.dtype)
        return block

    def gram(self) -> Array:
        """sum_i s_i x_i x_i^T over the standardised features, (d, d)."""
        total = np.zeros((self.n_features, self.n_features))
        for rows in self._feature_blocks():
            block = self.standardised(rows)
            block *= np.sqrt(rows.weights).astype(block.dtype)[:, None]
            total += block.T @ block
        return total

    def gram_diagonal(self) -> Array:
        """The diagonal of `gram`, (d,)."""
        total = np.zeros(self.n_features)
        for rows in self._feature_blocks():
            total += rows.weights @ self.standardised(rows) ** 2
        return total


class Curvature:
    """The Hessian of a `SoftmaxObjective` at one point.

    Nothing in it subtracts nearly equal numbers where a row is classified with confidence: with p_k near 1, what stands
    for p_k (1 - p_k) comes from the other classes' probabilities.
    """

    def __init__(self, objective: SoftmaxObjective, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
        self.objective = objective
        self._weight = weight
        self._bias = bias
        self._kept: list[tuple[Rows, NDArray[Any], NDArray[Any]]] | None = None
        size = objective.source.n_rows * objective.n_classes * objective.dtype.itemsize
        if objective.source.resident and size <= _KEPT_PROBABILITY_BYTES:
            self._kept = list(self._made_blocks())

    def _made_blocks(self) -> Iterator[tuple[Rows, NDArray[Any], NDArray[Any]]]:
        for rows in self.objective.score_blocks():
            scores = self.objective.scores(self._weight, self._bias, rows)
            likeliest = scores.argmax(axis=0) * scores.shape[1] + np.arange(scores.shape[1])
            yield rows, softmax(scores, axis=0, out=scores), likeliest

    def _blocks(self) -> Iterator[tuple[Rows, NDArray[Any], NDArray[Any]]]:
        """Rows, their probabilities (K, number of rows), and the flat position in them of each likeliest class."""
        return self._made_blocks() if self._kept is None else iter(self._kept)

    def product(self, direction: Array) -> Array:
        """The Hessian times a direction (K, P), the same shape; its columns sum to zero over the classes."""
        objective = self.objective
        weight, bias = objective.affine(direction)

        def factors() -> Iterator[tuple[Rows, NDArray[Any]]]:
            for rows, probabilities, likeliest in self._blocks():
                change = objective.scores(weight, bias, rows)
                change -= change.take(likeliest)
                weighted = probabilities * change
                change = weighted - probabilities * weighted.sum(axis=0)
                change *= rows.weights.astype(change.dtype)
                yield rows, change

        return centred(objective.gather(factors()) + objective.ridge * direction)

    def class_covariance(self) -> Array:
        """The mean over the rows of diag(p) - p p^T, (K, K): the Hessian by the intercepts."""
        joint = np.zeros((self.objective.n_classes, self.objective.n_classes))
        for rows, probabilities, _ in self._blocks():
            weighted = probabilities * rows.weights.astype(probabilities.dtype)
            joint += weighted @ probabilities.T
        return _laplacian(joint)

    def hessian(self, basis: Array) -> Array:
        """The whole Hessian for theta = basis @ omega, basis (K, m) of columns that sum to zero; (m P, m P)."""
        objective = self.objective
        classes, columns = objective.shape
        joint = np.zeros((classes, classes, columns, columns))
        for rows, probabilities, _ in self._blocks():
            block = objective.standardised(rows)
            if objective.fit_intercept:
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
        ridge = np.einsum("ka,kb,i,ij->aibj", basis, basis, objective.ridge, np.eye(columns))
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


def _laplacian(joint: Array) -> Array:
    """diag(row sums) - joint, from the entries off the diagonal alone."""
    off_diagonal = joint - np.diag(np.diag(joint))
    return np.diag(off_diagonal.sum(axis=1)) - off_diagonal
