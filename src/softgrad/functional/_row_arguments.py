"""What the functions of rows are given, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad._contracts import Axis, Floating, axes_tuple, class_mask, floating_array


def row_arguments(
    x: ArrayLike, axis: Axis, where: ArrayLike | None, name: str = "x"
) -> tuple[Floating, tuple[int, ...], NDArray[np.bool_] | None]:
    """The array called `name`, its class axes, and the classes that take part."""
    array = floating_array(x, name)
    return array, axes_tuple(axis, array.ndim), class_mask(where, array.shape)
