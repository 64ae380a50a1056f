"""What a row weighs for its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array

ClassWeight = Mapping[Any, float] | Literal["balanced"] | None


@np.errstate(over="ignore")
def checked_class_weights(class_weight: ClassWeight, classes: NDArray[Any], totals: Array | None) -> Array:
    """The weight of each class; with the sums of their rows' weights, at least two of which are then positive.

    Raises
    ------
    ValueError
        A weight is negative or not finite, or fewer than two classes have rows with one.
    """
    if len(classes) < 2:
        raise ValueError(f"y has 1 class, {classes[0]}; a classifier needs at least 2")
    weights = _class_weights(class_weight, classes, totals)
    if totals is None:
        return weights
    if not np.isfinite(weights @ totals):
        raise ValueError("the row weights (sample_weight times class_weight) add up to more than float64 holds")
    present = np.flatnonzero(weights * totals)
    if len(present) < 2:
        found = f"only class {classes[present[0]]} has one" if len(present) else "none has one"
        raise ValueError(f"at least 2 classes need a row of positive weight; {found}")
    return weights


def weighted(values: NDArray[Any], weights: Array, class_weights: Array) -> tuple[NDArray[Any], Array]:
    """Class numbers (n,) or probabilities (n, K), and the row weights, with the class weights worked in.

    A row of probabilities is as one row for each class, with these as its weights.
    """
    if values.ndim == 1:
        by_row: Array = class_weights[values]
        return values, weights * by_row
    shares = values * class_weights
    sums = shares.sum(axis=1)
    return shares / np.where(sums > 0, sums, 1.0)[:, None], weights * sums


def _class_weights(class_weight: ClassWeight, classes: NDArray[Any], totals: Array | None) -> Array:
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        assert totals is not None
        balanced: Array = np.divide(totals.sum(), len(classes) * totals, out=np.zeros(len(classes)), where=totals > 0)
        return balanced
    # scikit-learn takes a second to import.
    from sklearn.utils.class_weight import compute_class_weight

    weights: Array = compute_class_weight(class_weight, classes=classes, y=classes)
    for label, weight in zip(classes, weights, strict=True):
        if not (weight >= 0 and np.isfinite(weight)):
            raise ValueError(f"class_weight of class {label} is {weight}; it must be finite and not negative")
    return weights
