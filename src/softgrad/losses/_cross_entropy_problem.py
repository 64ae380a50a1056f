"""A cross-entropy with all its options checked, ready for the native core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._blocks import Block, blocks, class_rows
from softgrad._contracts import (
    Float64,
    Floating,
    Int64,
    Normalizer,
    Reduction,
    RowValues,
    class_mask,
    loss_dtype,
    nonnegative_number,
    output_for,
    positive_number,
    round_to,
    row_size,
    shape_without,
)
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad._products import Product, in_one_dtype, row_products
from softgrad.losses._labels import Labels, labels_of
from softgrad.losses._problem import Problem
from softgrad.losses._reduction import Planner, planner, product


class CrossEntropyOptions(TypedDict, total=False):
    """The options that every form of cross-entropy has beside the reduction; `cross_entropy` documents them."""

    class_weight: ArrayLike | None
    sample_weight: ArrayLike | None
    ignore_index: int | None
    label_smoothing: float
    temperature: float
    softcap: float | None
    z_loss: float
    where: ArrayLike | None


# Not frozen: that takes a microsecond of every call.
@dataclass(slots=True)
class CrossEntropyProblem(Problem):
    """Cross-entropies of rows of logits."""

    labels: Labels
    mask: NDArray[np.bool_] | None
    softcap: float
    temperature: float
    z_loss: float
    flushing: bool = False
    """Whether what would be subnormal is 0: for products of matrices, which it would slow down."""

    def loss(self, x: Floating, gradient: Floating | None = None, vector: Floating | None = None) -> RowValues:
        """The reduced loss; with a vector, in the dtype of `x`, its derivative along it."""
        if self.plan.reduction == "none":
            return self.plan.result(self.row_losses(x, gradient, vector), self.batch, loss_dtype(x))
        loss: RowValues = loss_dtype(x).type(self._native_loss(x, gradient, vector, None))
        return loss

    def tangent(self, x: Floating, vector: Floating) -> RowValues:
        logits, along = in_one_dtype(x, vector)
        result, dtype = self.loss(logits, None, along), loss_dtype(x)
        return result if result.dtype == dtype else round_to(np.asarray(result), dtype)[()]

    def row_losses(self, x: Floating, gradient: Floating | None, vector: Floating | None = None) -> Float64:
        """The weighted loss of each row, flat; the gradient of the reduced loss, if there is a place for it.

        With a vector, in the dtype of `x`, the derivatives of these losses along it.
        """
        losses = np.empty(prod(self.batch))
        self._native_loss(x, gradient, vector, losses)
        return losses

    def _native_loss(
        self, x: Floating, gradient: Floating | None, vector: Floating | None, losses: Float64 | None
    ) -> float:
        """The mean or the sum, rounded to the dtype of the loss; those of the rows, if there is a place for them."""
        labels, plan = self.labels, self.plan
        native_loss = _native.cross_entropy_loss_flushed if self.flushing else _native.cross_entropy_loss
        try:
            return native_loss(
                _native.buffer(x),
                labels.native,
                self.axes,
                label_weight=labels.label_weights,
                sample_weight=labels.sample_weight,
                class_weight=labels.class_weight,
                smoothing=labels.smoothing,
                where=self.mask,
                softcap=self.softcap,
                temperature=self.temperature,
                z_loss=self.z_loss,
                upstream=plan.flat_upstream,
                scale=plan.scale,
                divisor=plan.divisor,
                losses=losses,
                gradient=None if gradient is None else _native.buffer(gradient),
                tangent=None if vector is None else _native.buffer(vector),
            )
        except IndexError as error:
            no_class = error
        self._require_classes(x)
        raise no_class

    def _require_classes(self, x: Floating) -> None:
        """Refuse a label that is no class, naming it: the core refuses it too, without its name."""
        self.labels.require_classes(self.batch, row_size(x.shape, self.axes))

    def row_factors(self) -> Float64 | float:
        """What the loss of each row is multiplied by before its gradient is returned, flat; one for all where it is."""
        factors = product([self.labels.label_weights, self.plan.flat_upstream])
        return self.plan.scale if factors is None else self.plan.scale * factors

    @property
    def _probabilities_alone(self) -> bool:
        """Whether the second derivatives depend on nothing but the probabilities."""
        return self.softcap == np.inf and self.z_loss == 0.0

    def second_order_factor(self) -> Float64 | None:
        """What diag(p) - p p^T of each row is multiplied by in the Hessian of its loss, flat, but for `plan.scale`.

        0 for a row that does not count; None: 1 for all.
        """
        factors = [self.labels.row_weights(class_weights_inside=True), self.labels.totals(self.axes, self.mask)]
        return product([*factors, self.plan.flat_upstream])

    def _product(self, product: Product, x: Floating, vector: Floating | None, out: Floating | None = None) -> Floating:
        """A product that the Hessian is made of where it depends on the probabilities alone."""
        return row_products(
            product,
            x,
            vector,
            self.axes,
            self.mask,
            temperature=self.temperature,
            factor=self.second_order_factor(),
            scale=self.plan.scale / self.temperature**2,
            out=out,
            flushing=self.flushing,
        )

    def hvp(self, x: Floating, vector: Floating, out: Floating | None = None) -> Floating:
        """`out` may be x itself."""
        self._require_classes(x)
        if self._probabilities_alone:
            return self._product("softmax", x, vector, out)
        result = output_for(x, out)
        for block, part in self._parts(x):
            v = block.rows(vector)
            # A row, or a class, that does not count may hold NaN.
            if part.weights is not None:
                v[part.weights == 0.0] = 0.0
            if self.mask is not None:
                v[~block.rows(self.mask, np.bool_, copy=False)] = 0.0
            block.write(part._hessian(block.view(x), np.dtype(np.float64)) @ v, result)
        return result

    def hessian_diagonal(self, x: Floating) -> Floating:
        self._require_classes(x)
        if self._probabilities_alone:
            return self._product("variances", x, None)
        result = np.empty(x.shape, x.dtype)
        for block, part in self._parts(x):
            block.write(part._hessian(block.view(x), np.dtype(np.float64)).diagonal(), result)
        return result

    def hessian(self, x: Floating) -> DiagonalPlusRankOne:
        self._require_classes(x)
        return self._hessian(x, x.dtype)

    def _hessian(self, x: Floating, dtype: np.dtype[Any]) -> DiagonalPlusRankOne:
        """The Hessian, with results of a dtype."""
        rows = class_rows(x, self.axes)
        allowed = None if self.mask is None else class_rows(self.mask, self.axes) != 0.0
        if allowed is not None:
            rows[~allowed] = 0.0
        last = (rows.ndim - 1,)
        scale = np.broadcast_to(self.plan.scale, self.batch)
        factor = self.second_order_factor()
        alpha = scale if factor is None else scale * factor.reshape(self.batch)
        z, slope = rows, np.broadcast_to(1.0 / self.temperature, rows.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.softcap != np.inf:
                z = self.softcap * np.tanh(rows / self.softcap)
                slope = slope / np.square(np.cosh(rows / self.softcap))
            beta = np.zeros(self.batch)
            if self.z_loss != 0.0:
                weights = product([self.labels.row_weights(class_weights_inside=True), self.plan.flat_upstream])
                beta = 2.0 * self.z_loss * (scale if weights is None else scale * weights.reshape(self.batch))
                log_normalizer = np.empty(self.batch)
                _native.logsumexp(z / self.temperature, log_normalizer, last, allowed)
                alpha = alpha + beta * log_normalizer
            p, spread = np.empty_like(z), np.empty_like(z)
            _native.row_products("probabilities", z, None, None, last, allowed, self.temperature, None, 1.0, False, p)
            _native.row_products("variances", z, None, None, last, allowed, self.temperature, None, 1.0, False, spread)
            # By the transformed logits alpha (diag(p) - p p^T) + beta p p^T; D of the transformation on both sides.
            u = p * slope
            diagonal = slope * slope * (alpha[..., None] * spread + beta[..., None] * p * p)
            row_sums = beta[..., None] * u * u.sum(axis=-1, keepdims=True)
            if self.softcap != np.inf:
                mean = u.sum(axis=-1, keepdims=True)
                row_sums = u * (alpha[..., None] * (slope - mean) + beta[..., None] * mean)
                bend = self._bend(rows)
                diagonal, row_sums = diagonal + bend, row_sums + bend
        coefficient = np.asarray(beta - alpha)
        if self.weights is not None:
            ignored = self.weights == 0.0
            for part in (diagonal, u, row_sums, coefficient):
                part[ignored] = 0.0
        return DiagonalPlusRankOne(diagonal, u, coefficient, row_sums, dtype)

    def _bend(self, rows: Float64) -> Float64:
        """The gradient by the logits times c''(x) / c'(x) = -2 tanh(x / c) / c of the softcap c(x): what bends it."""
        gradient = np.empty_like(rows)
        last = replace(
            self,
            axes=(rows.ndim - 1,),
            mask=None if self.mask is None else class_rows(self.mask, self.axes) != 0.0,
            labels=self.labels.as_rows(),
        )
        last.row_losses(rows, gradient)
        bent = -2.0 / self.softcap * np.tanh(rows / self.softcap)
        return np.multiply(gradient, bent, out=np.zeros_like(gradient), where=gradient != 0.0)

    def _parts(self, x: Floating) -> Iterator[tuple[Block, CrossEntropyProblem]]:
        # A Hessian of more than probabilities has some twenty temporaries.
        row = 4 * row_size(x.shape, self.axes)
        return ((block, self.at(block, x)) for block in blocks(x.shape, self.axes, row))

    def at(self, block: Block, x: Floating) -> CrossEntropyProblem:
        """The problem of a block of the logits."""
        view = block.view(x)
        axes = block.class_axes(view)
        return replace(
            self,
            axes=axes,
            batch=shape_without(view.shape, axes),
            weights=None if self.weights is None else block.numbers(self.weights),
            plan=self.plan.at(block),
            labels=self.labels.at(block),
            mask=None if self.mask is None else block.view(self.mask),
        )

    def rows(self, part: slice | Int64) -> CrossEntropyProblem:
        """The problem of some of the rows, the class axis being the last of two."""
        return replace(
            self,
            batch=(part.stop - part.start if isinstance(part, slice) else len(part),),
            weights=None if self.weights is None else self.weights[part],
            plan=self.plan.rows(part),
            labels=self.labels.rows(part),
            mask=None if self.mask is None else self.mask[part],
        )


def checked_cross_entropy(
    logits_shape: tuple[int, ...],
    axes: tuple[int, ...],
    labels: ArrayLike,
    plan: Planner,
    /,
    *,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    where: ArrayLike | None = None,
) -> CrossEntropyProblem:
    """Check everything but what `Labels.require_classes` does, write nothing."""
    divisor = positive_number(temperature, "temperature")
    cap = np.inf if softcap is None else positive_number(softcap, "softcap")
    z_weight = nonnegative_number(z_loss, "z_loss")
    mask = class_mask(where, logits_shape)
    batch = shape_without(logits_shape, axes)
    checked = labels_of(
        labels, logits_shape, axes, batch, class_weight, sample_weight, ignore_index, label_smoothing, mask
    )
    weights = checked.weights(batch)
    return CrossEntropyProblem(axes, batch, weights, plan(batch, weights), checked, mask, cap, divisor, z_weight)


def cross_entropy_problem(
    logits_shape: tuple[int, ...],
    axes: tuple[int, ...],
    labels: ArrayLike,
    upstream: ArrayLike | None,
    /,
    *,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
    **options: Unpack[CrossEntropyOptions],
) -> CrossEntropyProblem:
    """The problem of a loss whose reduction is known."""
    return checked_cross_entropy(logits_shape, axes, labels, planner(reduction, normalizer, upstream), **options)


def index_losses(
    x: Floating,
    axes: tuple[int, ...],
    indices: Int64,
    weights: Float64 | None = None,
    upstream: Float64 | None = None,
    scale: float = 1.0,
    gradient: Floating | None = None,
    vector: Floating | None = None,
) -> Float64:
    """The weighted cross-entropy of each row and its class index, flat, as are the arrays over rows.

    With a place for it the gradient, times `scale` and what arrives from above; with a vector, in the dtype of `x`, the
    derivatives of the losses along it.
    """
    losses = np.empty(indices.size)
    _native.cross_entropy_loss(
        _native.buffer(x),
        indices,
        axes,
        label_weight=weights,
        upstream=upstream,
        scale=scale,
        losses=losses,
        gradient=None if gradient is None else _native.buffer(gradient),
        tangent=None if vector is None else _native.buffer(vector),
    )
    return losses
