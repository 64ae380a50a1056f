"""A cross-entropy with all its options checked, ready for the native core."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, SupportsFloat, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._contracts import (
    Float64,
    Floating,
    Int64,
    Normalizer,
    Reduction,
    class_mask,
    number_within,
    shape_without,
    temperature_value,
)
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


@dataclass(frozen=True)
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

    def row_losses(self, x: Floating, gradient: Floating | None) -> Float64:
        """The weighted loss of each row, flat; the gradient of the reduced loss, if there is a place for it."""
        losses = np.empty(self.batch).reshape(-1)
        targets, plan = self.targets, self.plan
        logits = _native.buffer(x)
        written = None if gradient is None else _native.buffer(gradient)
        plain = self.mask is None and self.softcap == np.inf and self.temperature == 1.0 and self.z_loss == 0.0
        if plain and targets.indices is not None and targets.smoothing == 0.0:
            weights = targets.row_weights(class_weights_inside=False)
            _native.cross_entropy(
                logits, self.axes, targets.indices, weights, plan.upstream, plan.scale, losses, written
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
            )
        return losses

    def with_upstream(self, factor: Float64) -> Problem:
        """The same with the gradient of each row multiplied by a factor more, flat."""
        upstream = factor if self.plan.upstream is None else factor * self.plan.upstream
        return replace(self, plan=replace(self.plan, upstream=upstream))

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
    z_weight = number_within(z_loss, "z_loss", lambda z: 0.0 <= z < np.inf, "finite and not negative")
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
    return number_within(value, name, lambda c: 0.0 < c < np.inf, "positive and finite")
