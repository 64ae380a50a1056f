"""What the labels of a cross-entropy ask of each row, in the form the native core takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from softgrad import _native
from softgrad._contracts import (
    Float64,
    Floating,
    Int64,
    class_labels,
    floating_array,
    ignored_label,
    nonnegative_weights,
    row_size,
    shape_without,
    smoothing,
)


@dataclass(frozen=True)
class Targets:
    """Labels checked, and the weights of the rows. Arrays over rows are flat, in C order."""

    indices: Int64 | None
    probabilities: Floating | None
    class_weight: Float64 | None
    smoothing: float
    label_weights: Float64 | None
    """sample_weight * sum_k y_k w_k, y before smoothing; 0 for a row that is ignored. None: 1 for all."""
    row_weights: Float64 | None
    """What the core multiplies the loss of the row by; 0 for a row that is ignored. None: 1 for all."""

    @property
    def is_index(self) -> bool:
        """Whether the loss is that of one class: the core's fused kernel."""
        return self.indices is not None and self.smoothing == 0.0

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
    ) -> Targets:
        batch = shape_without(logits_shape, axes)
        classes = row_size(logits_shape, axes)
        if classes == 0:
            raise ValueError(f"logits has shape {logits_shape}: a row of no classes has no loss")
        given = np.asarray(labels)
        amount = smoothing(label_smoothing)
        ignore = ignored_label(ignore_index)
        class_shape = tuple(logits_shape[d] for d in axes)
        w = None if class_weight is None else nonnegative_weights(class_weight, "class_weight", class_shape).reshape(-1)
        s = None if sample_weight is None else nonnegative_weights(sample_weight, "sample_weight", batch).reshape(-1)

        if given.dtype.kind in "iu":
            return cls._of_indices(given, batch, classes, ignore, w, s, amount)
        if given.dtype.kind != "f":
            raise TypeError(
                f"labels has dtype {given.dtype}; it must be an integer dtype (classes) or floating (probabilities)"
            )
        if ignore is not None:
            raise ValueError(
                "ignore_index is for class indices; labels has a floating dtype, so they are probabilities"
            )
        probabilities = floating_array(given, "labels")
        if probabilities.shape != logits_shape:
            raise ValueError(
                f"labels has shape {probabilities.shape}; probabilities must have the shape of logits, {logits_shape}"
            )
        label_weights = np.empty(batch).reshape(-1)
        _native.probability_weights(probabilities, axes, w, label_weights)
        if s is not None:
            label_weights = np.where(s == 0.0, 0.0, s * label_weights)
        row_weights = np.where(label_weights == 0.0, 0.0, 1.0 if s is None else s)
        return cls(None, probabilities, w, amount, label_weights, row_weights)

    def counting(self, part: slice) -> slice | Int64:
        """The rows of a range that count: the range itself, or their indices where some are ignored."""
        if self.row_weights is None:
            return part
        counts = self.row_weights[part] != 0.0
        return part if counts.all() else part.start + np.flatnonzero(counts)

    def rows(self, part: slice | Int64) -> Targets:
        """Those of some of the rows, the class axis being the last of two."""
        return Targets(
            None if self.indices is None else self.indices[part],
            None if self.probabilities is None else self.probabilities[part],
            self.class_weight,
            self.smoothing,
            None if self.label_weights is None else self.label_weights[part],
            None if self.row_weights is None else self.row_weights[part],
        )

    @classmethod
    def _of_indices(
        cls,
        labels: Int64,
        batch: tuple[int, ...],
        classes: int,
        ignore: int | None,
        w: Float64 | None,
        s: Float64 | None,
        amount: float,
    ) -> Targets:
        checked, ignored = class_labels(labels, batch, classes, ignore)
        indices = checked.reshape(-1)
        if ignored is None and w is None and s is None:
            return cls(indices, None, None, amount, None, None)
        label_weights = np.ones(indices.shape) if w is None else w[indices]
        if s is not None:
            label_weights = s * label_weights
        if ignored is not None:
            label_weights = np.where(ignored.reshape(-1), 0.0, label_weights)
        # With smoothing the weights of the classes are inside the target, without it they are one number a row.
        row_weights = label_weights
        if amount != 0.0:
            row_weights = np.where(label_weights == 0.0, 0.0, 1.0 if s is None else s)
        return cls(indices, None, w, amount, label_weights, row_weights)
