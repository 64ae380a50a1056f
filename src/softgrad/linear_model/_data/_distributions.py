"""Probabilities of the classes, which add up to 1 in each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array

# How far from 1 probabilities may add up to, as those of float32 do.
_SUM_TOLERANCE = 1e-4


def distributions(y: NDArray[Any], place: Callable[[int, int | None], str]) -> Array:
    """Rows of probabilities, shape (n, K), as float64, C-contiguous, each scaled to add up to 1.

    Parameters
    ----------
    y : ndarray, shape (n, K)
    place : callable
        What messages call a row, given None for its column, or a single probability of it.

    Raises
    ------
    ValueError
        They are no numbers, or a row is no distribution.
    """
    if y.dtype.kind not in "fiub":
        raise ValueError(f"y of shape {y.shape} must hold class probabilities; it has dtype {y.dtype}")
    # Sums of a row have the same bits whatever array it was part of.
    probabilities: Array = np.array(y, np.float64, order="C")
    wrong = np.argwhere(~(probabilities >= 0.0))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise ValueError(f"{place(row, column)} is {probabilities[row, column]:g}; a probability is at least 0")
    sums = probabilities.sum(axis=1)
    off = np.flatnonzero(~(np.abs(sums - 1.0) <= _SUM_TOLERANCE))
    if off.size:
        row = int(off[0])
        raise ValueError(f"{place(row, None)} adds up to {sums[row]:.6g}; the probabilities of a row add up to 1")
    probabilities /= sums[:, None]
    return probabilities
