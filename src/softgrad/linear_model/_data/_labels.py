"""What the caller says that rows are: a class each, or probabilities of the classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from softgrad.linear_model._data._rows import Array

# How far from 1 probabilities may add up to, as those of float32 do.
_SUM_TOLERANCE = 1e-4


class Labels(NamedTuple):
    """Labels by number.

    classes : the distinct labels, ascending, shape (K,). values : the number of each row's class, shape (n,); or class
    probabilities, float64, shape (n, K).
    """

    classes: NDArray[Any]
    values: NDArray[Any]

    @classmethod
    def of(cls, y: NDArray[Any]) -> Labels:
        """The labels of y: one for each row, shape (n,) or (n, 1); or class probabilities, shape (n, K), K at least 2.

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
        labels = cls(*np.unique(y, return_inverse=True))
        # Integers are always classes, and the check takes as long as a small fit; it warns of as many as here.
        if integers and 2 * len(labels.classes) > len(y):
            check_classification_targets(y)
        return labels

    @classmethod
    def among(cls, y: NDArray[Any], classes: NDArray[Any]) -> Labels:
        """The labels of y, of shapes as in `of`, where the classes are known.

        Raises
        ------
        ValueError
            A label of y is none of them, or y has another number of columns.
        """
        if y.ndim == 2 and y.shape[1] > 1:
            if y.shape[1] != len(classes):
                raise ValueError(f"y has {y.shape[1]} columns of probabilities; there are {len(classes)} classes")
            return cls(classes, _distributions(y))
        y = column_or_1d(y, warn=True)
        found, codes = np.unique(y, return_inverse=True)
        # Labels are compared by Python, since NumPy compares integers of unlike dtypes as floats.
        known = {label: place for place, label in enumerate(classes.tolist())}
        places = np.array([known.get(label, -1) for label in found.tolist()], np.intp)[codes]
        unknown = np.flatnonzero(places < 0)
        if unknown.size:
            raise ValueError(f"y[{unknown[0]}] is {y[unknown[0]]!r}; the first call had the classes {classes}")
        return cls(classes, places)

    def weighted(self, weights: Array, class_weights: Array) -> tuple[NDArray[Any], Array]:
        """The values and the row weights, with the class weights worked in.

        A row of probabilities is as one row for each class, with these as its weights.
        """
        if self.values.ndim == 1:
            by_row: Array = class_weights[self.values]
            return self.values, weights * by_row
        shares = self.values * class_weights
        sums = shares.sum(axis=1)
        return shares / np.where(sums > 0, sums, 1.0)[:, None], weights * sums


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
