"""What the labels of a cross-entropy ask of each row, in the form the native core takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._blocks import blocks, class_rows
from softgrad._contracts import (
    Float64,
    Floating,
    Int64,
    as_array,
    class_labels,
    floating_array,
    ignored_label,
    is_floating,
    nonnegative_weights,
    row_size,
    shape_without,
    smoothing,
    target_probabilities,
)


# Not frozen: that takes a microsecond of every call.
@dataclass(slots=True)
class Targets:
    """Labels checked, and the weights of the rows. Arrays over rows are flat, in C order."""

    indices: Int64 | None
    probabilities: Floating | None
    class_weight: Float64 | None
    sample_weight: Float64 | None
    smoothing: float
    label_weights: Float64 | None
    """sample_weight * sum_k y_k w_k, y before smoothing; 0 for a row that is ignored. None: 1 for all."""

    @classmethod
    def of(
        cls,
        logits_shape: tuple[int, ...],
        axes: tuple[int, ...],
        labels: ArrayLike,
        *,
        class_weight: ArrayLike | None,
        sample_weight: ArrayLike | None,
        ignore_index: int | None,
        label_smoothing: float,
        mask: NDArray[np.bool_] | None,
    ) -> Targets:
        batch = shape_without(logits_shape, axes)
        classes = row_size(logits_shape, axes)
        if classes == 0:
            raise ValueError(f"logits has shape {logits_shape}: a row of no classes has no loss")
        given = as_array(labels, "labels")
        amount = smoothing(label_smoothing)
        ignore = ignored_label(ignore_index)
        w, s = None, None
        if class_weight is not None:
            class_shape = tuple(logits_shape[d] for d in axes)
            w = nonnegative_weights(class_weight, "class_weight", class_shape).reshape(-1)
        if sample_weight is not None:
            s = nonnegative_weights(sample_weight, "sample_weight", batch).reshape(-1)
        if given.dtype.kind in "iu":
            targets = cls._of_indices(given, batch, classes, ignore, w, s, amount)
        elif not is_floating(given):
            raise TypeError(
                f"labels has dtype {given.dtype}; it must be an integer dtype (classes) or floating (probabilities)"
            )
        elif ignore is not None:
            raise ValueError(
                "ignore_index is for class indices; labels has a floating dtype, so they are probabilities"
            )
        else:
            targets = cls._of_probabilities(given, logits_shape, axes, w, s, amount)
        if mask is None:
            return targets
        # A row whose classes are all left out does not count.
        label_weights = np.ones(batch).reshape(-1) if targets.label_weights is None else targets.label_weights
        return replace(targets, label_weights=np.where(mask.any(axis=axes).reshape(-1), label_weights, 0.0))

    @classmethod
    def _of_indices(
        cls,
        labels: NDArray[Any],
        batch: tuple[int, ...],
        classes: int,
        ignore: int | None,
        w: Float64 | None,
        s: Float64 | None,
        amount: float,
    ) -> Targets:
        checked, ignored = class_labels(labels, batch, classes, ignore)
        indices = checked.reshape(-1)
        label_weights = None
        if ignored is not None or w is not None or s is not None:
            label_weights = np.ones(indices.shape) if w is None else w[indices]
            if s is not None:
                label_weights = s * label_weights
            if ignored is not None:
                label_weights = np.where(ignored.reshape(-1), 0.0, label_weights)
        return cls(indices, None, w, s, amount, label_weights)

    @classmethod
    def _of_probabilities(
        cls,
        labels: NDArray[Any],
        shape: tuple[int, ...],
        axes: tuple[int, ...],
        w: Float64 | None,
        s: Float64 | None,
        amount: float,
    ) -> Targets:
        probabilities = floating_array(labels, "labels")
        if probabilities.shape != shape:
            raise ValueError(
                f"labels has shape {probabilities.shape}; probabilities must have the shape of logits, {shape}"
            )
        label_weights = np.empty(shape_without(shape, axes)).reshape(-1)
        _native.probability_weights(_native.buffer(probabilities), axes, w, label_weights)
        if s is not None:
            label_weights = np.multiply(s, label_weights, out=np.zeros_like(s), where=s != 0.0)
        # The sum of a row with an entry that is negative or not finite is not finite either.
        if not isfinite(_native.sum(label_weights)):
            counts = np.True_ if s is None else np.expand_dims((s != 0.0).reshape(shape_without(shape, axes)), axes)
            target_probabilities(probabilities, counts)
        return cls(None, probabilities, w, s, amount, label_weights)

    def row_weights(self, *, class_weights_inside: bool) -> Float64 | None:
        """What the core multiplies the loss of each row by; 0 for a row that is ignored. None: 1 for all.

        `class_weights_inside`: they are part of the target the core is given, not one number a row.
        """
        if self.label_weights is None or not class_weights_inside:
            return self.label_weights
        return np.where(self.label_weights == 0.0, 0.0, 1.0 if self.sample_weight is None else self.sample_weight)

    def totals(self, axes: tuple[int, ...], mask: NDArray[np.bool_] | None) -> Float64 | None:
        """The sum of the target of each row, class weights and smoothing in it, flat. None: 1 for all."""
        w, a = self.class_weight, self.smoothing
        if self.indices is not None:
            if w is None:
                return None
            given = w[self.indices]
        else:
            assert self.probabilities is not None
            given = np.empty(shape_without(self.probabilities.shape, axes)).reshape(-1)
            _native.probability_weights(_native.buffer(self.probabilities), axes, w, given)
        if a == 0.0:
            return given
        spread: Float64 | float = 1.0 if w is None else float(w.mean())
        if mask is not None and w is not None:
            spread = np.empty_like(given)
            for block in blocks(mask.shape, axes):
                allowed = block.rows(mask).reshape(-1, w.size)
                spread[block.part] = (allowed * w).sum(axis=-1) / np.maximum(allowed.sum(axis=-1), 1.0)
        totals: Float64 = (1.0 - a) * given + a * spread
        return totals

    def as_rows(self, axes: tuple[int, ...]) -> Targets:
        """The same for logits laid out as rows of classes."""
        given = self.probabilities
        return self if given is None else replace(self, probabilities=class_rows(given, axes))

    def counting(self, part: slice) -> slice | Int64:
        """The rows of a range that count: the range itself, or their indices where some are ignored."""
        if self.label_weights is None:
            return part
        counts = self.label_weights[part] != 0.0
        return part if counts.all() else part.start + np.flatnonzero(counts)

    def rows(self, part: slice | Int64) -> Targets:
        """Those of some of the rows, the class axis being the last of two."""
        return Targets(
            None if self.indices is None else self.indices[part],
            None if self.probabilities is None else self.probabilities[part],
            self.class_weight,
            None if self.sample_weight is None else self.sample_weight[part],
            self.smoothing,
            None if self.label_weights is None else self.label_weights[part],
        )
