"""Class indices: checked against their range, and as one-hot rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softgrad.reference._rows import BoolArray, FloatArray


def one_hot(labels: NDArray[np.integer], ignored: BoolArray, classes: int) -> FloatArray:
    """One-hot rows of the labels; the row of an ignored label is 0 whatever the label is."""
    outside = ~ignored & ((labels < 0) | (labels >= classes))
    if np.any(outside):
        index = tuple(int(place) for place in np.argwhere(outside)[0])
        raise ValueError(f"labels{list(index)} is {labels[index]}; logits have {classes} classes (0 to {classes - 1})")
    return np.where(ignored[..., None], 0.0, labels[..., None] == np.arange(classes))
