"""hardmax: the limit of softmax at temperature 0. Constant almost everywhere, it has no useful derivative."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._rows import Axis, FloatArray, from_rows, statistics, to_rows


def hardmax(x: ArrayLike, /, *, axis: Axis = -1) -> FloatArray:
    """One-hot of the first maximum of each row.

    Parameters
    ----------
    x : array_like, any shape
        Infinite values are compared like others; a NaN gives a row of NaN.
    axis : int, tuple of int or None
        The class axes; None takes the whole array as one row.

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> hardmax([1.0, 3.0, 3.0])
    array([0., 1., 0.])
    """
    row = statistics(to_rows(x, axis))
    result = np.where(np.isnan(row.maximum), np.nan, row.first_maximum)
    return from_rows(result, np.shape(x), axis)
