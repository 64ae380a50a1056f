"""What the functions of rows are given, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad._contracts import Axis, Floating, axes_tuple, class_mask, floating_array


def row_arguments(
    x: ArrayLike, axis: Axis, where: ArrayLike | None
) -> tuple[Floating, tuple[int, ...], NDArray[np.bool_] | None]:
    """The logits, their class axes, and the classes that take part."""
    logits = floating_array(x, "x")
    return logits, axes_tuple(axis, logits.ndim), class_mask(where, logits.shape)
