"""What the caller says that rows are: a class each, or probabilities of the classes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from softgrad.linear_model._data._distributions import distributions


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
            return cls(np.arange(y.shape[1]), distributions(y, _place))
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
            return cls(classes, distributions(y, _place))
        y = column_or_1d(y, warn=True)
        found, codes = np.unique(y, return_inverse=True)
        # Labels are compared by Python, since NumPy compares integers of unlike dtypes as floats.
        known = {label: place for place, label in enumerate(classes.tolist())}
        places = np.array([known.get(label, -1) for label in found.tolist()], np.intp)[codes]
        unknown = np.flatnonzero(places < 0)
        if unknown.size:
            raise ValueError(f"y[{unknown[0]}] is {y[unknown[0]]!r}; the first call had the classes {classes}")
        return cls(classes, places)


def _place(row: int, column: int | None) -> str:
    return f"y[{row}]" if column is None else f"y[{row}, {column}]"
