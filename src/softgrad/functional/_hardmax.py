"""hardmax: the limit of softmax at temperature 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import Axis, Floating, axes_tuple, floating_array, row_size
from softgrad._float_mode import in_ieee_mode


@in_ieee_mode
def hardmax(x: ArrayLike, /, *, axis: Axis = -1) -> Floating:
    """One-hot of the first maximum of each row.

    Constant almost everywhere, it has no useful derivative: that is what softmax is for.

    Parameters
    ----------
    x : array_like, any shape
        float64, float32, float16 or bfloat16 (of the package ml_dtypes); integers are taken as float64.
    axis : int, tuple of int or None, default -1
        The class axes; None takes the whole array as one row.

    Returns
    -------
    ndarray, shape and dtype of `x`
        Infinite values are compared like others; a row with a NaN is a row of NaN. An empty row is empty.

    Raises
    ------
    TypeError
        `x` is not real.
    numpy.exceptions.AxisError
        `axis` is out of range.

    Examples
    --------
    >>> import softgrad as sg
    >>> sg.hardmax([1.0, 3.0, 3.0])
    array([0., 1., 0.])
    """
    array = floating_array(x, "x")
    axes = axes_tuple(axis, array.ndim)
    last = tuple(range(array.ndim - len(axes), array.ndim))
    moved = np.moveaxis(array, axes, last)
    rows = moved.reshape((*moved.shape[: array.ndim - len(axes)], row_size(array.shape, axes)))
    if rows.size == 0:
        return np.empty(array.shape, array.dtype)
    result = (np.arange(rows.shape[-1]) == rows.argmax(axis=-1)[..., None]).astype(array.dtype)
    result[np.isnan(rows).any(axis=-1)] = np.nan
    one_hot: Floating = np.moveaxis(result.reshape(moved.shape), last, axes)[()]
    return one_hot
