"""The objective of softmax regression and its gradient, in coordinates that do not know the features' units.

With row weights s_i (sum S), C the inverse strength of the penalty, r the share of its absolute values and W the K x d
coefficients, it is

    f(W, b) = (1/S) sum_i s_i loss_i + ((1 - r) ||W||^2 / 2 + r ||W||_1) / (C S),

which is scikit-learn's objective of LogisticRegression divided by C S. The solvers see it as a function of theta
(K x P), the coefficients of standardised features (`_standardisation.py`). What is smooth in it is here.

The rows come from a `RowSource`, piece by piece and always in the same order: an array is one piece, a file larger than
memory is many, read anew for every sum over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from softgrad.linear_model._data._rows import Array, ArrayRows, Rows, RowSource
from softgrad.linear_model._data._workers import Workers, over_blocks
from softgrad.linear_model._model._hessian import Hessian, centred
from softgrad.linear_model._model._standardisation import Extent, Standardisation
from softgrad.losses._cross_entropy_problem import CrossEntropyProblem as Problem
from softgrad.losses._cross_entropy_problem import cross_entropy_problem

Result = TypeVar("Result")

# A block of rows and its scores stay in the caches between the two products, unless that is too few rows for BLAS.
_BLOCK_BYTES = 1 << 22
_SCORE_BLOCK_BYTES = 1 << 21
_LEAST_ROWS = 1024
# With fewer entries of X than this a float32 copy costs more than it saves, and one in float64 less.
_FEW_ENTRIES = 1 << 16


class SoftmaxObjective:
    """The objective for one data set.

    Parameters
    ----------
    source : RowSource
        Products with X are made in its dtype; theta and what is returned are float64.
    n_classes : int
    C : float
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
        self.workers = Workers(1) if workers is None else workers
        self.source = source
        self.dtype = source.dtype
        self.is_sparse = sparse.issparse(next(iter(source)).X)
        self.n_features = source.n_features
        self.n_classes = n_classes
        self.fit_intercept = fit_intercept
        self.label_smoothing = label_smoothing
        itemsize = self.dtype.itemsize
        self.block_length = max(
            min(_BLOCK_BYTES // (self.n_features * itemsize), _SCORE_BLOCK_BYTES // (n_classes * itemsize)), _LEAST_ROWS
        )
        penalty = 1.0 / (C * source.total)
        self.standardisation = Standardisation.of(
            self._over_blocks(Extent.of), self.n_features, self.dtype, fit_intercept=fit_intercept
        )
        inverse_scale = self.standardisation.inverse_scale
        # A constant feature has no coefficient; its ridge only has to be positive.
        varies = inverse_scale > 0
        self.ridge = self._with_intercept(np.where(varies, (1.0 - l1_ratio) * penalty * inverse_scale**2, 1.0))
        self.absolute = self._with_intercept(l1_ratio * penalty * inverse_scale)
        self.shape = (n_classes, len(self.ridge))
        # Of products, so that those with sparse rows need no copy of it.
        self._order: Literal["C", "F"] = "F" if self.is_sparse else "C"
        in_memory = isinstance(source, ArrayRows) and self.dtype == np.float64
        few = source.n_rows * self.n_features < _FEW_ENTRIES
        # Sparse rows cannot be centred: what is subtracted from a product with them must not be much larger than it.
        self._in_single_precision = in_memory and not few and (not self.is_sparse or self.standardisation.spans_zero())
        # What sums by theta are made of. Few rows are standardised once, so that theta need not be changed into
        # coefficients of the rows as they are, nor gradients back, at each point.
        standardise = in_memory and few and not self.is_sparse
        self._rows = self._standardised(np.float64) if standardise else (source, self.standardisation)

    def _with_intercept(self, per_feature: Array) -> Array:
        """Nothing weighs on the intercept."""
        return np.append(per_feature, 0.0) if self.fit_intercept else per_feature

    def _over_blocks(self, function: Callable[[Rows], Result], source: RowSource | None = None) -> Iterator[Result]:
        """A function of each block of rows, in the order of the blocks; of those as they are without a source."""
        return over_blocks(self.workers, self.source if source is None else source, self.block_length, function)

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
        shares = np.full(self.n_classes, self.label_smoothing / self.n_classes)
        for rows in self.source:
            shares += (1.0 - self.label_smoothing) * rows.class_weights(self.n_classes)
        return shares

    @np.errstate(over="ignore", invalid="ignore")
    def coordinates(self, coef: Array, intercept: Array) -> Array:
        """The theta of given coefficients, moved to zero sum over the classes: the loss stays, the penalty falls.

        Absolute values do not fall at zero sums; with a share of them the intercepts alone are moved.
        """
        theta = self.standardisation.theta(coef, intercept)
        if self.absolute.any():
            theta[:, self.n_features :] = centred(theta[:, self.n_features :])
            return theta
        return centred(theta)

    def coefficients(self, theta: Array) -> tuple[Array, Array]:
        """Coefficients (K, d) and intercepts (K,) of X as it is."""
        return self.standardisation.coefficients(theta)

    @np.errstate(over="ignore", invalid="ignore")
    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """What is smooth in the objective, and its gradient by theta."""
        loss, by_theta = self.loss_and_gradient(theta)
        pull = self.ridge * theta
        return loss + 0.5 * float(np.vdot(pull, theta)), by_theta + pull

    def loss_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """The mean loss and its gradient by theta, whose columns sum to zero."""
        source, standardisation = self._rows
        weight, bias = standardisation.affine(theta, self.dtype, self._order)

        def of_block(block: tuple[Rows, Problem]) -> tuple[float, NDArray[Any], Array | None]:
            rows, problem = block
            logits = rows.scores(weight, bias)
            losses = problem.row_losses(logits, logits)
            by_bias = None if bias is None else logits.sum(axis=0, dtype=np.float64)
            return float(rows.weights @ losses), rows.gather(logits), by_bias

        loss = 0.0
        by_weight = np.zeros((self.n_classes, source.n_features), order=self._order)
        by_bias = np.zeros(self.n_classes)
        for block_loss, block_by_weight, block_by_bias in self._over_losses(of_block):
            loss += block_loss
            by_weight += block_by_weight
            if block_by_bias is not None:
                by_bias += block_by_bias
        return loss, centred(standardisation.by_theta(by_weight, by_bias))

    def _over_losses(self, function: Callable[[tuple[Rows, Problem]], Result]) -> Iterator[Result]:
        """A function of each block of rows and its losses, in the order of the blocks."""
        if self._losses_of_views is not None:
            return self.workers.map(function, self._losses_of_views)
        return self._over_blocks(lambda rows: function((rows, self._problem(rows))), self._rows[0])

    @cached_property
    def _losses_of_views(self) -> list[tuple[Rows, Problem]] | None:
        """Where all rows stay in memory and a block of them is no copy, the losses are checked once."""
        source, _ = self._rows
        if self.is_sparse or not source.resident:
            return None
        return [(rows, self._problem(rows)) for piece in source for rows in piece.blocks(self.block_length)]

    def _problem(self, rows: Rows) -> Problem:
        """The losses of some rows, the gradient of each times the weight of the row."""
        return cross_entropy_problem(
            (len(rows.targets), self.n_classes),
            (1,),
            rows.targets,
            rows.weights,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )

    def keeps_logits(self) -> bool:
        """Whether a `Hessian` has all logits in memory."""
        source, _ = self._rows_of_products
        return Hessian.keeps(source, self.n_classes)

    def hessian(self, theta: Array) -> Hessian:
        """The Hessian at theta."""
        source, standardisation = self._rows_of_products
        return Hessian(source, standardisation, theta, self.ridge, self.block_length, self.workers, self._order)

    @cached_property
    def _rows_of_products(self) -> tuple[RowSource, Standardisation]:
        """Those that Hessian products are made with: where many float64 rows are in memory, a float32 copy.

        A direction need not be exact, and such a product takes half the time.
        """
        if not self._in_single_precision:
            return self._rows
        return self._in_units(np.float32) if self.is_sparse else self._standardised(np.float32)

    def rough(self) -> SoftmaxObjective:
        """The same objective by the rows that products are made with: in their precision, and as fast as these."""
        if not self._in_single_precision:
            return self
        rough = copy(self)
        rough._rows = self._rows_of_products
        rough.dtype = rough._rows[0].dtype
        rough.__dict__.pop("_losses_of_views", None)
        return rough

    def _in_units(self, dtype: type[np.floating[Any]]) -> tuple[RowSource, Standardisation]:
        """A copy of sparse rows in memory, in units of the spread; it shares the places of the entries."""
        assert isinstance(self.source, ArrayRows)
        rows = self.source.rows
        entries = (rows.X.data * self.standardisation.inverse_scale[rows.X.indices]).astype(dtype)
        copy = sparse.csr_array((entries, rows.X.indices, rows.X.indptr), shape=rows.X.shape)
        return ArrayRows(copy, rows.targets, rows.weights), self.standardisation.in_units()

    def _standardised(self, dtype: type[np.floating[Any]]) -> tuple[RowSource, Standardisation]:
        """A standardised copy of rows in memory, with the column of ones of the intercepts."""
        assert isinstance(self.source, ArrayRows)
        rows = self.source.rows
        copy = np.ones((len(rows.X), self.shape[1]), dtype)

        def fill(start: int) -> None:
            part = slice(start, start + self.block_length)
            copy[part, : self.n_features] = self.standardisation.apply(rows.X[part])

        for _ in self.workers.map(fill, range(0, len(copy), self.block_length)):
            pass
        return ArrayRows(copy, rows.targets, rows.weights), Standardisation.identity(self.shape[1])

    def gram(self) -> Array:
        """sum_i s_i x_i x_i^T over the standardised features, (d, d)."""

        def of_block(rows: Rows) -> NDArray[Any]:
            block = self.standardisation.apply(rows.X)
            block = block * np.sqrt(rows.weights).astype(block.dtype)[:, None]
            part: NDArray[Any] = block.T @ block
            return part

        total = np.zeros((self.n_features, self.n_features))
        for part in self._over_blocks(of_block):
            total += part
        return total
