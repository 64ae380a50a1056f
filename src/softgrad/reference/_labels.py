"""Labels, checked: class indices as one-hot rows, and target probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad.reference._rows import Axis, BoolArray, FloatArray, from_rows, to_rows


def one_hot(labels: NDArray[np.integer], ignored: BoolArray, classes: int) -> FloatArray:
    """One-hot rows of the labels; the row of an ignored label is 0 whatever the label is."""
    outside = ~ignored & ((labels < 0) | (labels >= classes))
    if np.any(outside):
        index = tuple(int(place) for place in np.argwhere(outside)[0])
        raise ValueError(f"labels{list(index)} is {labels[index]}; logits have {classes} classes (0 to {classes - 1})")
    return np.where(ignored[..., None], 0.0, labels[..., None] == np.arange(classes))


def target_rows(labels: ArrayLike, axis: Axis, ignored: BoolArray) -> FloatArray:
    """Target probabilities as rows (*batch, K); the row of an ignored one is 0 whatever it holds."""
    rows = to_rows(labels, axis)
    wrong = ~ignored[..., None] & ~((rows >= 0.0) & (rows < np.inf))
    if np.any(wrong):
        at = np.argwhere(from_rows(wrong.astype(np.float64), np.shape(labels), axis))[0]
        index = tuple(int(place) for place in at)
        value = np.asarray(labels)[index]
        raise ValueError(f"labels{list(index)} is {value}; a target probability is finite and not negative")
    return np.where(ignored[..., None], 0.0, rows)
