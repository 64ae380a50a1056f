"""The objective of softmax regression and its gradient, in coordinates that do not know the features' units.

With row weights s_i (sum S), C the inverse strength of the penalty, r the share of its absolute values and W the K x d
coefficients, it is

    f(W, b) = (1/S) sum_i s_i loss_i + ((1 - r) ||W||^2 / 2 + r ||W||_1) / (C S),

which is scikit-learn's objective of LogisticRegression divided by C S; C = inf is no penalty. The solvers see it as a
function of theta (K x P), the coefficients of standardised features (`_standardisation.py`). What is smooth in it is
here.

The rows come from a `RowSource`, piece by piece and always in the same order: an array is one piece, a file larger than
memory is many, read anew for every sum over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array, ArrayRows, Rows, RowSource, class_totals
from softgrad.linear_model._data._terms import ArrayTerm
from softgrad.linear_model._data._widened_rows import WidenedRows
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._model._columns import Columns
from softgrad.linear_model._model._dual_step import DualStep
from softgrad.linear_model._model._hessian import Hessian, keeps_logits
from softgrad.linear_model._model._loss import PenalisedLoss, WithLosses
from softgrad.linear_model._model._redundant_features import LARGEST_GRAM, RedundantFeatures
from softgrad.linear_model._model._separation import Separation
from softgrad.linear_model._model._standardisation import Extents, Standardisation
from softgrad.linear_model._model._standardised_rows import StandardisedRows
from softgrad.linear_model._model._zero_sums import centred

# A block of rows and its logits stay in the caches between two matrix products, unless that is too few rows for BLAS.
_BLOCK_BYTES = 1 << 22
_LOGIT_BLOCK_BYTES = 1 << 21
_LEAST_ROWS = 1024
# With fewer entries of X than this a float32 copy costs more than it saves, and one in float64 less.
_FEW_ENTRIES = 1 << 16


@dataclass
class ClassShares(ArrayTerm[Rows]):
    """The mean target of each class, none of it spread over all, (K,)."""

    n_classes: int

    def start(self) -> Array:
        return np.zeros(self.n_classes)

    def part(self, block: Rows) -> Array:
        return class_totals(block.labels, block.weights, self.n_classes)


@dataclass
class Gram(ArrayTerm[Rows]):
    """sum_i s_i x_i x_i^T over the standardised features, (d, d)."""

    standardisation: Standardisation

    def start(self) -> Array:
        return np.zeros((len(self.standardisation.centre),) * 2)

    def part(self, block: Rows) -> NDArray[Any]:
        X = self.standardisation.apply(block.X)
        X = X * np.sqrt(block.weights).astype(X.dtype)[:, None]
        gram: NDArray[Any] = X.T @ X
        return gram


def _gram(rows: StandardisedRows) -> Array:
    return rows.source.total(Gram(rows.standardisation), rows.workers, rows.block_length)


def _widened(rows: StandardisedRows) -> StandardisedRows:
    """The rows in float64, block by block."""
    return rows if rows.source.dtype == np.float64 else rows._replace(source=WidenedRows(rows.source))


class SoftmaxObjective(PenalisedLoss):
    """The objective for one data set.

    Parameters
    ----------
    source : RowSource
        Matrix products with X are made in its dtype; theta and what is returned are float64.
    n_classes : int
    C : float
        inf is no penalty. Of up to 4096 features those that are combinations of others are then left out, so that the
        minimum is one point.
    fit_intercept : bool
    l1_ratio : float
    label_smoothing : float
        The share of each row's target that is spread over all classes.
    workers : Workers, optional
        Entered by the caller; one thread without it.

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
        l1_ratio: float = 0.0,
        label_smoothing: float = 0.0,
        workers: Workers | None = None,
    ) -> None:
        workers = Workers(1) if workers is None else workers
        self.source = source
        self.is_sparse = source.is_sparse
        self.n_features = source.n_features
        self.n_classes = n_classes
        self.fit_intercept = fit_intercept
        itemsize = source.dtype.itemsize
        self.block_length = max(
            min(_BLOCK_BYTES // (self.n_features * itemsize), _LOGIT_BLOCK_BYTES // (n_classes * itemsize)), _LEAST_ROWS
        )
        extent = source.total(Extents(self.n_features), workers, self.block_length)
        self.standardisation = Standardisation.of(extent, source.dtype, fit_intercept=fit_intercept)
        self._given = StandardisedRows(source, self.standardisation, workers, self.block_length)
        penalty = 1.0 / (C * source.total_weight)
        self.is_penalised = penalty > 0.0
        self._redundant: RedundantFeatures | None = None
        if not self.is_penalised and self.n_features <= LARGEST_GRAM:
            self._redundant = RedundantFeatures.of(_gram(_widened(self._given)), self.standardisation)
            self.standardisation = self.standardisation.without(self._redundant.features)
            self._given = self._given._replace(standardisation=self.standardisation)
        inverse_scale = self.standardisation.inverse_scale
        # A feature that is left out has no coefficient; its ridge only has to be positive.
        varies = inverse_scale > 0
        ridge = self._with_intercept(np.where(varies, (1.0 - l1_ratio) * penalty * inverse_scale**2, 1.0))
        self.absolute = self._with_intercept(l1_ratio * penalty * inverse_scale)
        self.shape = (n_classes, len(ridge))
        in_memory = isinstance(source, ArrayRows) and source.dtype == np.float64
        few = source.n_rows * self.n_features < _FEW_ENTRIES
        # Sparse rows cannot be centred: what is subtracted from a matrix product must not be much larger than it.
        self._in_single_precision = in_memory and not few and (not self.is_sparse or self.standardisation.spans_zero())
        # Few rows are standardised once, so that theta need not be changed into coefficients of the rows as they are,
        # nor gradients back, at each point.
        standardise = in_memory and few and not self.is_sparse
        self._with_losses = WithLosses(n_classes, label_smoothing)
        super().__init__(self._given.copied(np.float64) if standardise else self._given, self._with_losses, ridge)

    def _with_intercept(self, per_feature: Array) -> Array:
        """Nothing weighs on the intercept."""
        return np.append(per_feature, 0.0) if self.fit_intercept else per_feature

    def start(self) -> Array:
        """No coefficients, and the intercepts that are optimal with none: the logarithms of the class frequencies."""
        theta = np.zeros(self.shape)
        if self.fit_intercept:
            frequencies = self.class_shares
            # A class whose rows all weigh nothing has its optimal intercept at -inf; this one is within rounding of it.
            logs = np.log(np.maximum(frequencies, np.finfo(np.float64).eps))
            theta[:, -1] = logs - logs.mean()
        return theta

    @cached_property
    def class_shares(self) -> Array:
        """The mean target of each class, (K,)."""
        smoothing = self._with_losses.label_smoothing
        shares = self.source.total(ClassShares(self.n_classes), self._given.workers, self.source.n_rows)
        return smoothing / self.n_classes + (1.0 - smoothing) * shares

    @np.errstate(over="ignore", invalid="ignore")
    def coordinates(self, coef: Array, intercept: Array) -> Array:
        """The theta of given coefficients, moved to zero sum over the classes: the loss stays, the penalty falls.

        Absolute values do not fall at zero sums; with a share of them the intercepts alone are moved.
        """
        if self._redundant is not None:
            coef, intercept = self._redundant.leave_out(coef, intercept)
        theta = self.standardisation.theta(coef, intercept)
        if self.absolute.any():
            theta[:, self.n_features :] = centred(theta[:, self.n_features :])
            return theta
        return centred(theta)

    def coefficients(self, theta: Array) -> tuple[Array, Array]:
        """Coefficients (K, d) and intercepts (K,) of X as it is.

        Without a penalty they are the smallest ones, by the sum of the squares of the coefficients.
        """
        coef, intercept = self.standardisation.coefficients(theta)
        return (coef, intercept) if self._redundant is None else self._redundant.share_out(coef, intercept)

    def dependent_features(self) -> list[NDArray[np.intp]]:
        """The features of each combination that is the same number in every row; without a penalty, of up to 4096."""
        left_out = np.flatnonzero(self.standardisation.scale == 0.0)
        if self._redundant is None:
            return [np.array([feature]) for feature in left_out]
        constant = np.setdiff1d(left_out, self._redundant.features)
        return [*(np.array([feature]) for feature in constant), *self._redundant.involved]

    def gram(self) -> Array:
        """The Gram matrix of the standardised features, (d, d)."""
        return _gram(self._given)

    def keeps_logits(self) -> bool:
        """Whether a Hessian has all logits in memory."""
        return keeps_logits(self._rows_of_products.source, self.n_classes)

    def hessian(self, theta: Array) -> Hessian:
        """The Hessian at theta."""
        return Hessian(self._rows_of_products, theta, self.ridge)

    @np.errstate(over="ignore", invalid="ignore")
    def dual_step(self, theta: Array, step: Array) -> tuple[float, float, Array]:
        """`DualPoint` of a step from theta, in the precision of the objective, its product by theta."""
        rows = self._rows
        term = DualStep(rows.affine(theta), rows.affine(step))
        least, divergence, product = rows.source.total(term, rows.workers, rows.block_length)
        return least, divergence, rows.by_theta(product)

    @np.errstate(over="ignore", invalid="ignore")
    def is_separated_by(self, direction: Array) -> bool:
        """Whether no row loses by a direction, and some gain; to within rounding."""
        order: Literal["C", "F"] = "F" if self.is_sparse else "C"
        columns = Columns(direction.shape, self._given.workers)
        affine = self.standardisation.affine(direction, np.dtype(np.float64), order, columns)
        magnitude = self.standardisation.magnitude(direction, order)
        term = Separation(affine, magnitude, self._with_losses.label_smoothing > 0.0)
        lost, gained = self.source.total(term, self._given.workers, self.block_length)
        return bool(lost == 0 and gained > 0)

    def hessian_of_the_likely(self, theta: Array, least: float) -> Hessian:
        """The Hessian at theta without the classes whose probability times the weight of a row is at most `least`."""
        return Hessian(self._in_double_precision, theta, self.ridge, left_out=least)

    @cached_property
    def _in_double_precision(self) -> StandardisedRows:
        """The rows as they are; float32 is widened block by block."""
        return _widened(self._given)

    @cached_property
    def _rows_of_products(self) -> StandardisedRows:
        """The rows that Hessian products are made with: where many float64 rows are in memory, a float32 copy.

        A direction need not be exact, and such a product takes half the time.
        """
        return self._given.copied(np.float32) if self._in_single_precision else self._rows

    def rough(self) -> PenalisedLoss:
        """The smooth part by the rows that products are made with: in their precision, and as fast as these."""
        if not self._in_single_precision:
            return self
        return PenalisedLoss(self._rows_of_products, self._with_losses, self.ridge)
