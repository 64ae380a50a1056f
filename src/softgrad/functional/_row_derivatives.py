"""Products with the Jacobian of softmax, over rows, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softgrad import _native
from softgrad._contracts import Float64, Floating, class_rows, from_class_rows


def from_rows(rows: Float64, like: Floating, axes: tuple[int, ...]) -> Floating:
    """Undo `class_rows`: the shape and dtype of `like`."""
    # Beyond the range of float32 a value is inf, as it is for any cast of an exact result.
    with np.errstate(over="ignore", under="ignore"):
        return from_class_rows(rows, like.shape, axes).astype(like.dtype, order="C")


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


def vector_rows(vector: Floating, axes: tuple[int, ...], allowed: NDArray[np.bool_] | None) -> Float64:
    """A tangent or cotangent as rows, 0 in the classes that do not take part, whatever it holds there."""
    rows = class_rows(vector, axes)
    if allowed is not None:
        rows[~allowed] = 0.0
    return rows


def centred(vectors: Float64, p: Float64) -> Float64:
    """v - v_k with k the most probable class of the row.

    The products do not change, since constants are in the null space of the Jacobian, and lose no digits where p_k is
    near 1.
    """
    if vectors.shape[-1] == 0:
        return vectors
    return vectors - np.take_along_axis(vectors, p.argmax(axis=-1)[..., None], axis=-1)


def mean_under(p: Float64, vectors: Float64) -> Float64:
    """<p, v> of each row, shape (*batch, 1)."""
    means: Float64 = (p * vectors).sum(axis=-1, keepdims=True)
    return means
