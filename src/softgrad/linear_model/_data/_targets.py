"""What a row is fitted to: a class, or a probability of each class; and how much it weighs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from softgrad.linear_model._data._rows import Array

ClassWeight = Mapping[Any, float] | Literal["balanced"] | None

# How far from 1 probabilities may add up to, as those of float32 do.
_SUM_TOLERANCE = 1e-4


class Targets(NamedTuple):
    """labels : shape (K,). values : numbers of the labels, shape (n,), or probabilities, float64, shape (n, K)."""

    labels: NDArray[Any]
    values: NDArray[Any]

    @classmethod
    def of(cls, y: NDArray[Any]) -> Targets:
        """Of labels, shape (n,) or (n, 1); or of class probabilities, shape (n, K), K at least 2.

        Raises
        ------
        ValueError
            The labels are not those of classes, or a row is no distribution.
        """
        if y.ndim == 2 and y.shape[1] > 1:
            return cls(np.arange(y.shape[1]), _distributions(y))
        if y.ndim != 1:
            y = column_or_1d(y, warn=True)
        integers = y.dtype.kind in "biu"
        if not integers:
            check_classification_targets(y)
        targets = cls(*np.unique(y, return_inverse=True))
        # Integers are always classes, and the check takes as long as a small fit; it warns of as many as here.
        if integers and 2 * len(targets.labels) > len(y):
            check_classification_targets(y)
        return targets

    def totals(self, weights: Array) -> Array:
        """The sum of the row weights of each class, (K,)."""
        if self.values.ndim == 2:
            totals: Array = weights @ self.values
            return totals
        return np.bincount(self.values, weights, len(self.labels)).astype(np.float64)

    def weighted(self, weights: Array, class_weights: Array) -> tuple[NDArray[Any], Array]:
        """Targets and row weights with the weights of the classes worked in.

        A row of probabilities is as one row for each class, with these as its weights.
        """
        if self.values.ndim == 1:
            by_row: Array = class_weights[self.values]
            return self.values, weights * by_row
        shares = self.values * class_weights
        sums = shares.sum(axis=1)
        return shares / np.where(sums > 0, sums, 1.0)[:, None], weights * sums


def values_of(y: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """The values of `Targets` for labels that are known.

    Raises
    ------
    ValueError
        One of y is none of them, or y has another number of columns.
    """
    if y.ndim == 2 and y.shape[1] > 1:
        if y.shape[1] != len(labels):
            raise ValueError(f"y has {y.shape[1]} columns of probabilities; there are {len(labels)} classes")
        return _distributions(y)
    y = column_or_1d(y, warn=True)
    found, codes = np.unique(y, return_inverse=True)
    # As Python's, since NumPy compares integers of unlike dtypes as floats.
    known = {label: place for place, label in enumerate(labels.tolist())}
    places = np.array([known.get(label, -1) for label in found.tolist()], np.intp)[codes]
    unknown = np.flatnonzero(places < 0)
    if unknown.size:
        raise ValueError(f"y[{unknown[0]}] is {y[unknown[0]]!r}; the first call had the classes {labels}")
    return places


def _distributions(y: NDArray[Any]) -> Array:
    if y.dtype.kind not in "fiub":
        raise ValueError(f"y of shape {y.shape} must hold class probabilities; it has dtype {y.dtype}")
    probabilities = y.astype(np.float64)
    wrong = np.argwhere(~(probabilities >= 0.0))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise ValueError(f"y[{row}, {column}] is {probabilities[row, column]:g}; a probability is at least 0")
    sums = probabilities.sum(axis=1)
    off = np.flatnonzero(~(np.abs(sums - 1.0) <= _SUM_TOLERANCE))
    if off.size:
        raise ValueError(f"y[{off[0]}] adds up to {sums[off[0]]:.6g}; the probabilities of a row add up to 1")
    probabilities /= sums[:, None]
    return probabilities


@np.errstate(over="ignore")
def checked_class_weights(class_weight: ClassWeight, labels: NDArray[Any], totals: Array | None) -> Array:
    """The weight of each class; with the sums of their rows' weights, at least two of which are then positive.

    Raises
    ------
    ValueError
        A weight is negative or not finite, or fewer than two classes have rows with one.
    """
    if len(labels) < 2:
        raise ValueError(f"y has 1 class, {labels[0]}; a classifier needs at least 2")
    weights = _class_weights(class_weight, labels, totals)
    if totals is None:
        return weights
    if not np.isfinite(weights @ totals):
        raise ValueError("the row weights (sample_weight times class_weight) add up to more than float64 holds")
    present = np.flatnonzero(weights * totals)
    if len(present) < 2:
        found = f"only class {labels[present[0]]} has one" if len(present) else "none has one"
        raise ValueError(f"at least 2 classes need a row of positive weight; {found}")
    return weights


def _class_weights(class_weight: ClassWeight, labels: NDArray[Any], totals: Array | None) -> Array:
    if class_weight is None:
        return np.ones(len(labels))
    if class_weight == "balanced":
        assert totals is not None
        balanced: Array = np.divide(totals.sum(), len(labels) * totals, out=np.zeros(len(labels)), where=totals > 0)
        return balanced
    weights: Array = compute_class_weight(class_weight, classes=labels, y=labels)
    for label, weight in zip(labels, weights, strict=True):
        if not (weight >= 0 and np.isfinite(weight)):
            raise ValueError(f"class_weight of class {label} is {weight}; it must be finite and not negative")
    return weights
