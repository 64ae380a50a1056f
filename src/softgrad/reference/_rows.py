"""Rows: the class axes of an array flattened and moved last, and the statistics every formula starts from.

For a row x with first maximum k, m = x_k and R the sum over j != k of exp(x_j - m):

    logsumexp = m + log1p(R)      softmax_j = exp(x_j - m) / (1 + R)      log_softmax_j = (x_j - m) - log1p(R)

The maximum is left out of the sum: log(1 + R) would lose R once it is below eps, log1p(R) keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Axis = int | Sequence[int] | None


def class_axes(ndim: int, axis: Axis) -> tuple[int, ...]:
    """Return the class axes, non-negative and sorted: a tuple of axes is a set, its order says nothing."""
    if axis is None:
        return tuple(range(ndim))
    requested = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    for each in requested:
        if not -ndim <= each < ndim:
            raise np.exceptions.AxisError(int(each), ndim)
    axes = sorted(int(each) % ndim for each in requested)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis {tuple(requested)} names an axis twice")
    return tuple(axes)


def batch_and_class_shape(shape: tuple[int, ...], axis: Axis) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Split a shape into its batch axes and its class axes."""
    axes = class_axes(len(shape), axis)
    batch = tuple(length for place, length in enumerate(shape) if place not in axes)
    return batch, tuple(shape[place] for place in axes)


def to_rows(x: ArrayLike, axis: Axis) -> FloatArray:
    """Return x in float64 with shape (*batch, K), its class axes flattened in C order into the last one."""
    array = np.asarray(x, dtype=np.float64)
    axes = class_axes(array.ndim, axis)
    batch, classes = batch_and_class_shape(array.shape, axis)
    return np.moveaxis(array, axes, range(-len(axes), 0)).reshape((*batch, prod(classes)))


def from_rows(rows: FloatArray, shape: tuple[int, ...], axis: Axis) -> FloatArray:
    """Undo `to_rows`: bring rows of shape (*batch, K) back to `shape`."""
    axes = class_axes(len(shape), axis)
    batch, classes = batch_and_class_shape(shape, axis)
    return np.moveaxis(rows.reshape(batch + classes), range(-len(axes), 0), axes)


def allowed_rows(where: ArrayLike | None, shape: tuple[int, ...], axis: Axis) -> BoolArray:
    """Return `where`, broadcast to `shape`, as rows; None allows every class."""
    mask = np.broadcast_to(np.asarray(True if where is None else where, dtype=np.bool_), shape)
    rows: BoolArray = to_rows(mask, axis) != 0.0
    return rows


class Statistics(NamedTuple):
    """What softmax, log_softmax, logsumexp and the losses are made of; every field keeps the class axis."""

    first_maximum: BoolArray
    """(*batch, K): True at k; all False in a row that holds a NaN or has no class."""
    maximum: FloatArray
    """(*batch, 1): m; -inf in a row without classes."""
    shifted: FloatArray
    """(*batch, K): x - m; NaN in a row whose maximum is infinite or NaN."""
    rest: FloatArray
    """(*batch, 1): R; NaN in a row whose maximum is infinite or NaN."""


def statistics(rows: FloatArray) -> Statistics:
    """Return k, m, x - m and R of each row.

    A maximum that is not finite makes x - m and R NaN by name: inf - inf alone would not do so everywhere.
    """
    maximum = np.max(rows, axis=-1, keepdims=True, initial=-np.inf)
    ties = rows == maximum
    first_maximum = ties & (np.cumsum(ties, axis=-1) == 1)
    finite = np.isfinite(maximum)
    with np.errstate(over="ignore"):
        shifted = np.subtract(rows, maximum, out=np.full_like(rows, np.nan), where=finite)
    with np.errstate(under="ignore"):
        exponentials = np.exp(shifted)
    rest = np.sum(np.where(first_maximum, 0.0, exponentials), axis=-1, keepdims=True)
    return Statistics(first_maximum, maximum, shifted, np.where(finite, rest, np.nan))


def logsumexp_rows(row: Statistics) -> FloatArray:
    """Return m + log1p(R), shape (*batch, 1); an infinite maximum is the result itself."""
    return np.where(np.isinf(row.maximum), row.maximum, row.maximum + np.log1p(row.rest))


def softmax_rows(row: Statistics) -> FloatArray:
    """Return exp(x - m) / (1 + R), shape (*batch, K)."""
    with np.errstate(under="ignore"):
        p: FloatArray = np.exp(row.shifted) / (1.0 + row.rest)
    return p


def centred(tangent: FloatArray, row: Statistics) -> FloatArray:
    """Return v - v_k: <p, v - v_k> has no term at k, so nothing cancels in a row where p_k is nearly 1."""
    at_maximum = np.sum(np.where(row.first_maximum, tangent, 0.0), axis=-1, keepdims=True)
    difference: FloatArray = tangent - at_maximum
    return difference
