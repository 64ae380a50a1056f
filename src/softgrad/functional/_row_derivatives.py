"""What the Jacobians are put together from: probabilities as rows, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softgrad import _native
from softgrad._blocks import class_rows
from softgrad._contracts import Float64, Floating


def jacobian_shape(x: Floating, axes: tuple[int, ...], times: int) -> tuple[int, ...]:
    classes = tuple(x.shape[d] for d in axes)
    batch = tuple(size for d, size in enumerate(x.shape) if d not in axes)
    return batch + classes * times


def allowed_rows(mask: NDArray[np.bool_] | None, axes: tuple[int, ...]) -> NDArray[np.bool_] | None:
    return None if mask is None else class_rows(mask, axes) != 0.0


def probabilities(
    x: Floating, axes: tuple[int, ...], allowed: NDArray[np.bool_] | None, temperature: float = 1.0
) -> Float64:
    """softmax of x in float64, as rows."""
    rows = class_rows(x, axes)
    _native.softmax(rows, rows, (rows.ndim - 1,), allowed, temperature)
    return rows


def with_null_sums(matrices: Float64, axis: int) -> Float64:
    """Matrices that sum to 0 along an axis, given but for their diagonals, which are written in place.

    A diagonal is what the others leave: 1 - p would cancel where p is near 1.
    """
    diagonal = np.arange(matrices.shape[-1])
    matrices[..., diagonal, diagonal] = 0.0
    matrices[..., diagonal, diagonal] = -matrices.sum(axis=axis)
    return matrices
