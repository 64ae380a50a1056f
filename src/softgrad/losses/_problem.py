"""A cross-entropy with all its options checked, ready for the native core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, prod
from typing import Any, SupportsFloat, TypedDict

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
    class_mask,
    number_within,
    output_for,
    row_size,
    shape_without,
    temperature_value,
)
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad._products import Product, in_one_dtype, row_products
from softgrad.losses._reduction import ReductionPlan
from softgrad.losses._targets import Targets


class CrossEntropyOptions(TypedDict, total=False):
    """The options that every form of cross-entropy has; `cross_entropy` documents them."""

    class_weight: ArrayLike | None
    sample_weight: ArrayLike | None
    ignore_index: int | None
    label_smoothing: float
    temperature: float
    softcap: float | None
    z_loss: float
    where: ArrayLike | None
    reduction: Reduction
    normalizer: Normalizer


# Not frozen: that takes a microsecond of every call.
@dataclass(slots=True)
class Problem:
    """Which losses, of logits of a known shape, and what becomes of them."""

    axes: tuple[int, ...]
    batch: tuple[int, ...]
    targets: Targets
    plan: ReductionPlan
    mask: NDArray[np.bool_] | None
    softcap: float
    temperature: float
    z_loss: float

    def loss(self, x: Floating, gradient: Floating | None, dtype: np.dtype[Any]) -> Any:
        """The reduced loss; the gradient, if there is a place for it, is written there."""
        return self.plan.result(self.row_losses(x, gradient), self.batch, dtype)

    def tangent(self, x: Floating, vector: Floating, dtype: np.dtype[Any]) -> Any:
        """The derivative of the reduced loss along a vector."""
        logits, along = in_one_dtype(x, vector)
        return self.plan.result(self.row_losses(logits, None, along), self.batch, dtype)

    def row_losses(self, x: Floating, gradient: Floating | None, vector: Floating | None = None) -> Float64:
        """The weighted loss of each row, flat; the gradient of the reduced loss, if there is a place for it.

        With a vector, in the dtype of `x`, the derivatives of these losses along it.
        """
        losses = np.empty(prod(self.batch))
        targets, plan = self.targets, self.plan
        logits = _native.buffer(x)
        written = None if gradient is None else _native.buffer(gradient)
        along = None if vector is None else _native.buffer(vector)
        if self._plain and targets.indices is not None and targets.smoothing == 0.0:
            weights = targets.row_weights(class_weights_inside=False)
            _native.cross_entropy(
                logits, self.axes, targets.indices, weights, plan.upstream, plan.scale, losses, written, along
            )
        else:
            _native.soft_cross_entropy(
                logits,
                self.axes,
                targets.indices,
                None if targets.probabilities is None else _native.buffer(targets.probabilities),
                targets.class_weight,
                targets.smoothing,
                self.mask,
                self.softcap,
                self.temperature,
                self.z_loss,
                targets.row_weights(class_weights_inside=True),
                plan.upstream,
                plan.scale,
                losses,
                written,
                along,
            )
        return losses

    @property
    def _plain(self) -> bool:
        """Whether the logits are taken as they are, and the loss is nothing but the cross-entropy."""
        return self.mask is None and self.temperature == 1.0 and self._probabilities_alone

    @property
    def _probabilities_alone(self) -> bool:
        """Whether the second derivatives depend on nothing but the probabilities."""
        return self.softcap == np.inf and self.z_loss == 0.0

    def second_order_factor(self) -> Float64 | None:
        """What diag(p) - p p^T of each row is multiplied by in the Hessian of its loss, flat, but for `plan.scale`.

        0 for a row that does not count; None: 1 for all.
        """
        factors = [self.targets.row_weights(class_weights_inside=True), self.targets.totals(self.axes, self.mask)]
        return self.plan.row_factor(factors)

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
        )

    def hvp(self, x: Floating, vector: Floating, out: Floating | None = None) -> Floating:
        """The Hessian of the reduced loss times a vector."""
        if self._probabilities_alone:
            return self._product("softmax", x, vector, out)
        result = output_for(x, out)
        for block, part in self._parts(x):
            v = block.rows(vector)
            # A row, or a class, that does not count may hold NaN.
            if part.targets.label_weights is not None:
                v[part.targets.label_weights.reshape(part.batch) == 0.0] = 0.0
            if self.mask is not None:
                v[~block.rows(self.mask, np.bool_, copy=False)] = 0.0
            block.write(part.hessian(block.view(x), np.dtype(np.float64)) @ v, result)
        return result

    def hessian_diagonal(self, x: Floating) -> Floating:
        """The diagonal of the Hessian of the reduced loss, in the shape of the logits."""
        if self._probabilities_alone:
            return self._product("variances", x, None)
        result = np.empty(x.shape, x.dtype)
        for block, part in self._parts(x):
            block.write(part.hessian(block.view(x), np.dtype(np.float64)).diagonal(), result)
        return result

    def hessian(self, x: Floating, dtype: np.dtype[Any]) -> DiagonalPlusRankOne:
        """The block of each row of the Hessian of the reduced loss."""
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
                weights = self.plan.row_factor([self.targets.row_weights(class_weights_inside=True)])
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
        if self.targets.label_weights is not None:
            ignored = self.targets.label_weights.reshape(self.batch) == 0.0
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
            targets=self.targets.as_rows(self.axes),
        )
        last.row_losses(rows, gradient)
        bent = -2.0 / self.softcap * np.tanh(rows / self.softcap)
        return np.multiply(gradient, bent, out=np.zeros_like(gradient), where=gradient != 0.0)

    def with_upstream(self, factor: Float64) -> Problem:
        """The same with the gradient of each row multiplied by a factor more, flat."""
        upstream = factor if self.plan.upstream is None else factor * self.plan.upstream
        return replace(self, plan=replace(self.plan, upstream=upstream))

    def _parts(self, x: Floating) -> Iterator[tuple[Block, Problem]]:
        # A Hessian of more than probabilities has some twenty temporaries.
        row = 4 * row_size(x.shape, self.axes)
        return ((block, self.at(block, x)) for block in blocks(x.shape, self.axes, row))

    def at(self, block: Block, x: Floating) -> Problem:
        """That of a block of the logits."""
        view, given = block.view(x), self.targets.probabilities
        axes = block.class_axes(view)
        targets = replace(self.targets, probabilities=None).rows(block.part)
        return replace(
            self,
            axes=axes,
            batch=shape_without(view.shape, axes),
            targets=replace(targets, probabilities=None if given is None else block.view(given)),
            plan=self.plan.rows(block.part),
            mask=None if self.mask is None else block.view(self.mask),
        )

    def rows(self, part: slice | Int64) -> Problem:
        """That of some of the rows, the class axis being the last of two."""
        targets = self.targets.rows(part)
        count = part.stop - part.start if isinstance(part, slice) else len(part)
        mask = None if self.mask is None else self.mask[part]
        return replace(self, batch=(count,), targets=targets, plan=self.plan.rows(part), mask=mask)


def cross_entropy_problem(
    logits_shape: tuple[int, ...],
    axes: tuple[int, ...],
    labels: ArrayLike,
    upstream: ArrayLike | None,
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
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> Problem:
    """Check everything, write nothing."""
    divisor = temperature_value(temperature)
    cap = np.inf if softcap is None else _positive(softcap, "softcap")
    z_weight = number_within(z_loss, "z_loss", lambda z: 0.0 <= z < inf, "finite and not negative")
    mask = class_mask(where, logits_shape)
    targets = Targets.of(
        logits_shape,
        axes,
        labels,
        class_weight=class_weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        mask=mask,
    )
    batch = shape_without(logits_shape, axes)
    plan = ReductionPlan.of(reduction, normalizer, upstream, batch, targets.label_weights)
    return Problem(axes, batch, targets, plan, mask, cap, divisor, z_weight)


def _positive(value: SupportsFloat, name: str) -> float:
    return number_within(value, name, lambda c: 0.0 < c < inf, "positive and finite")
