"""What the labels of a cross-entropy ask of each row, in the form the native core takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._blocks import Block, blocks, class_rows
from softgrad._contracts import (
    Float64,
    Floating,
    Int64,
    as_array,
    class_count,
    floating_array,
    ignored_label,
    is_floating,
    label_indices,
    nonnegative_weights,
    require_classes,
    shape_without,
    smoothing,
    target_probabilities,
)


# Not frozen: that takes a microsecond of every call.
@dataclass(slots=True)
class Labels(ABC):
    """Labels checked, and the weights of the rows. Arrays over rows are flat, in C order."""

    class_weight: Float64 | None
    sample_weight: Float64 | None
    smoothing: float
    label_weights: Float64 | None
    """sample_weight * sum_k y_k w_k, y before smoothing; 0 for a row that is ignored. None: 1 for all."""

    @property
    @abstractmethod
    def native(self) -> NDArray[Any]:
        """Indices or probabilities as the core takes them."""

    @abstractmethod
    def require_classes(self, batch: tuple[int, ...], classes: int) -> None:
        """Refuses a label that is no class: before the first write of whoever does not go to the core at once."""

    @abstractmethod
    def weight_sums(self) -> Float64 | None:
        """sum_k y_k w_k of each row. None: 1 for all."""

    @abstractmethod
    def write(self, classes: slice, out: Float64) -> None:
        """The probabilities of some classes go to `out`, the class axis being the last of two."""

    @abstractmethod
    def rows(self, part: slice | Int64) -> Self:
        """The labels of some of the rows, the class axis being the last of two."""

    @abstractmethod
    def at(self, block: Block) -> Self:
        """The labels of a block."""

    @abstractmethod
    def as_rows(self) -> Self:
        """The labels for logits laid out as rows of classes."""

    def weights(self, batch: tuple[int, ...]) -> Float64 | None:
        """The label weights in the shape of the rows."""
        return None if self.label_weights is None else self.label_weights.reshape(batch)

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
        given = self.weight_sums()
        if given is None or a == 0.0:
            return given
        spread: Float64 | float = 1.0 if w is None else float(w.mean())
        if mask is not None and w is not None:
            spread = np.empty_like(given)
            for block in blocks(mask.shape, axes):
                allowed = block.rows(mask).reshape(-1, w.size)
                spread[block.part] = (allowed * w).sum(axis=-1) / np.maximum(allowed.sum(axis=-1), 1.0)
        totals: Float64 = (1.0 - a) * given + a * spread
        return totals

    def counting(self, part: slice) -> slice | Int64:
        """The rows of a slice that count: the slice itself, or their indices where some are ignored."""
        if self.label_weights is None:
            return part
        counts = self.label_weights[part] != 0.0
        return part if counts.all() else part.start + np.flatnonzero(counts)

    def _weights(self, part: slice | Int64) -> tuple[Float64 | None, Float64 | None, float, Float64 | None]:
        """The fields of this class for some of the rows."""
        s, label_weights = (None if each is None else each[part] for each in (self.sample_weight, self.label_weights))
        return self.class_weight, s, self.smoothing, label_weights


@dataclass(slots=True)
class IndexLabels(Labels):
    """One class a row."""

    indices: Int64
    """May be no classes where the caller gave them in this form: a second look would cost a small call too much."""

    @classmethod
    def of(
        cls,
        labels: NDArray[Any],
        logits_shape: tuple[int, ...],
        axes: tuple[int, ...],
        batch: tuple[int, ...],
        class_weight: ArrayLike | None,
        sample_weight: ArrayLike | None,
        ignore_index: int | None,
        label_smoothing: float = 0.0,
    ) -> IndexLabels:
        """Labels of an integer dtype, checked."""
        classes = class_count(logits_shape, axes)
        amount, ignore = smoothing(label_smoothing), ignored_label(ignore_index)
        w = None if class_weight is None else _class_weights(class_weight, logits_shape, axes)
        s = None if sample_weight is None else nonnegative_weights(sample_weight, "sample_weight", batch).reshape(-1)
        taken, ignored = label_indices(labels, batch, ignore)
        # An index into the class weights has to be a class; what was converted shows no more what was given.
        if w is not None or taken is not labels:
            require_classes(labels, taken, batch, classes)
        indices = taken if taken.ndim == 1 else taken.reshape(-1)
        label_weights = None
        if ignored is not None or w is not None or s is not None:
            label_weights = np.ones(indices.shape) if w is None else w[indices]
            if s is not None:
                label_weights = s * label_weights
            if ignored is not None:
                label_weights = np.where(ignored.reshape(-1), 0.0, label_weights)
        return cls(w, s, amount, label_weights, indices)

    @property
    def native(self) -> Int64:
        return self.indices

    def require_classes(self, batch: tuple[int, ...], classes: int) -> None:
        require_classes(self.indices, self.indices, batch, classes)

    def weight_sums(self) -> Float64 | None:
        return None if self.class_weight is None else self.class_weight[self.indices]

    def write(self, classes: slice, out: Float64) -> None:
        out[...] = 0.0
        here = np.flatnonzero((self.indices >= classes.start) & (self.indices < classes.stop))
        out[here, self.indices[here] - classes.start] = 1.0

    def rows(self, part: slice | Int64) -> IndexLabels:
        return IndexLabels(*self._weights(part), self.indices[part])

    def at(self, block: Block) -> IndexLabels:
        return self.rows(block.part)

    def as_rows(self) -> IndexLabels:
        return self


@dataclass(slots=True)
class ProbabilityLabels(Labels):
    """Probabilities, of the shape of the logits."""

    probabilities: Floating
    axes: tuple[int, ...]
    """The axes of the classes."""

    @classmethod
    def of(
        cls,
        labels: NDArray[Any],
        logits_shape: tuple[int, ...],
        axes: tuple[int, ...],
        batch: tuple[int, ...],
        class_weight: ArrayLike | None,
        sample_weight: ArrayLike | None,
        label_smoothing: float,
    ) -> ProbabilityLabels:
        """Labels of a floating dtype, checked."""
        class_count(logits_shape, axes)
        amount = smoothing(label_smoothing)
        w = None if class_weight is None else _class_weights(class_weight, logits_shape, axes)
        s = None if sample_weight is None else nonnegative_weights(sample_weight, "sample_weight", batch).reshape(-1)
        probabilities = floating_array(labels, "labels")
        if probabilities.shape != logits_shape:
            raise ValueError(
                f"labels has shape {probabilities.shape}; probabilities must have the shape of logits, {logits_shape}"
            )
        label_weights = _weight_sums(probabilities, axes, w)
        if s is not None:
            label_weights = np.multiply(s, label_weights, out=np.zeros_like(s), where=s != 0.0)
        # The sum of a row with an entry that is negative or not finite is not finite either.
        if not isfinite(_native.sum(label_weights)):
            counts = np.True_ if s is None else np.expand_dims((s != 0.0).reshape(batch), axes)
            target_probabilities(probabilities, counts)
        return cls(w, s, amount, label_weights, probabilities, axes)

    @property
    def native(self) -> NDArray[Any]:
        return _native.buffer(self.probabilities)

    def require_classes(self, batch: tuple[int, ...], classes: int) -> None:
        """There is nothing to refuse: the shape of probabilities says which classes they are of."""

    def weight_sums(self) -> Float64:
        return _weight_sums(self.probabilities, self.axes, self.class_weight)

    def write(self, classes: slice, out: Float64) -> None:
        out[...] = self.probabilities[:, classes]

    def rows(self, part: slice | Int64) -> ProbabilityLabels:
        return ProbabilityLabels(*self._weights(part), self.probabilities[part], self.axes)

    def at(self, block: Block) -> ProbabilityLabels:
        view = block.view(self.probabilities)
        return ProbabilityLabels(*self._weights(block.part), view, block.class_axes(view))

    def as_rows(self) -> ProbabilityLabels:
        rows = class_rows(self.probabilities, self.axes)
        return replace(self, probabilities=rows, axes=(rows.ndim - 1,))


def labels_of(
    labels: ArrayLike,
    logits_shape: tuple[int, ...],
    axes: tuple[int, ...],
    batch: tuple[int, ...],
    class_weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
    ignore_index: int | None,
    label_smoothing: float,
    mask: NDArray[np.bool_] | None,
) -> Labels:
    """Labels are indices or probabilities by their dtype."""
    given = as_array(labels, "labels")
    result: Labels
    if given.dtype.kind in "iu":
        result = IndexLabels.of(
            given, logits_shape, axes, batch, class_weight, sample_weight, ignore_index, label_smoothing
        )
    elif not is_floating(given):
        raise TypeError(
            f"labels has dtype {given.dtype}; it must be an integer dtype (classes) or floating (probabilities)"
        )
    elif ignored_label(ignore_index) is not None:
        raise ValueError("ignore_index is for class indices; labels has a floating dtype, so they are probabilities")
    else:
        result = ProbabilityLabels.of(given, logits_shape, axes, batch, class_weight, sample_weight, label_smoothing)
    if mask is not None:
        # A row whose classes are all left out does not count.
        weights = result.label_weights
        result.label_weights = np.where(mask.any(axis=axes).reshape(-1), 1.0 if weights is None else weights, 0.0)
    return result


def _class_weights(class_weight: ArrayLike, logits_shape: tuple[int, ...], axes: tuple[int, ...]) -> Float64:
    return nonnegative_weights(class_weight, "class_weight", tuple(logits_shape[d] for d in axes)).reshape(-1)


def _weight_sums(probabilities: Floating, axes: tuple[int, ...], class_weight: Float64 | None) -> Float64:
    """sum_k y_k w_k of each row, flat."""
    sums = np.empty(shape_without(probabilities.shape, axes)).reshape(-1)
    _native.probability_weights(_native.buffer(probabilities), axes, class_weight, sums)
    return sums
