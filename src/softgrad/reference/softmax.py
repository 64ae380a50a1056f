"""softmax and its derivatives: dp_i / dx_j = p_i (delta_ij - p_j) / temperature."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._rows import (
    Axis,
    FloatArray,
    allowed_rows,
    batch_and_class_shape,
    centred,
    from_rows,
    softmax_rows,
    statistics,
    to_rows,
)


def softmax(
    x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, temperature: float = 1.0
) -> FloatArray:
    """Exponentials normalised to sum 1, exp(x_j - m) / (1 + R): R the sum over all but the maximum m.

    Parameters
    ----------
    x : array_like, any shape
        Logits; -inf gives +0, a NaN, a +inf or a row of nothing but -inf gives a row of NaN.
    axis : int, tuple of int or None
        The class axes; None takes the whole array as one row.
    where : array_like of bool, broadcast to x
        Classes that take part; the others give 0, whatever they hold.
    temperature : float
        Divides x.

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> softmax([0.0, np.log(3.0)])
    array([0.25, 0.75])
    """
    shape = np.shape(x)
    allowed = allowed_rows(where, shape, axis)
    row = statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf))
    return from_rows(np.where(allowed, softmax_rows(row), 0.0), shape, axis)


def softmax_jvp(
    x: ArrayLike,
    tangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
) -> FloatArray:
    """Directional derivative p * (v' - <p, v'>) / temperature with v' = v - v_k, k the first maximum.

    The Jacobian is symmetric, so `softmax_vjp` is this function too.

    Parameters
    ----------
    x, axis, where, temperature
        As in `softmax`.
    tangent : array_like, shape of x
        The direction v.

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    shape = np.shape(x)
    allowed = allowed_rows(where, shape, axis)
    row = statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf))
    p = np.where(allowed, softmax_rows(row), 0.0)
    v = centred(np.where(allowed, to_rows(tangent, axis), 0.0), row)
    return from_rows(p * (v - np.sum(p * v, axis=-1, keepdims=True)) / temperature, shape, axis)


def softmax_vjp(
    x: ArrayLike,
    cotangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
) -> FloatArray:
    """Pull a cotangent of softmax(x) back to x: p * (g' - <p, g'>) / temperature.

    Parameters
    ----------
    x, axis, where, temperature
        As in `softmax`.
    cotangent : array_like, shape of x

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> softmax_vjp([0.0, 0.0], [0.0, 2.0])
    array([-0.5,  0.5])
    """
    return softmax_jvp(x, cotangent, axis=axis, where=where, temperature=temperature)


def softmax_hvp(
    x: ArrayLike,
    cotangent: ArrayLike,
    vector: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
) -> FloatArray:
    """Derivative of `softmax_vjp` by x along a vector: with dp = J v, (dp * (g - <p, g>) - p <dp, g>) / temperature.

    Parameters
    ----------
    x, axis, where, temperature
        As in `softmax`.
    cotangent, vector : array_like, shape of x

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> softmax_hvp([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]).round(4)
    array([ 0.0741, -0.037 , -0.037 ])
    """
    shape = np.shape(x)
    allowed = allowed_rows(where, shape, axis)
    row = statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf))
    p = np.where(allowed, softmax_rows(row), 0.0)
    dp = to_rows(softmax_jvp(x, vector, axis=axis, where=where, temperature=temperature), axis)
    g = centred(np.where(allowed, to_rows(cotangent, axis), 0.0), row)
    change = dp * (g - np.sum(p * g, axis=-1, keepdims=True)) - p * np.sum(dp * g, axis=-1, keepdims=True)
    return from_rows(change / temperature, shape, axis)


def softmax_jacobian(
    x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, temperature: float = 1.0
) -> FloatArray:
    """The matrix p_i (delta_ij - p_j) / temperature of each row.

    Parameters
    ----------
    x, axis, where, temperature
        As in `softmax`.

    Returns
    -------
    ndarray of float64, shape (\\*batch, \\*classes, \\*classes)
        First the batch axes of x in their order, then its class axes twice: result, then argument.

    Examples
    --------
    >>> softmax_jacobian([0.0, 0.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    shape = np.shape(x)
    batch, classes = batch_and_class_shape(shape, axis)
    allowed = allowed_rows(where, shape, axis)
    row = statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf))
    p = np.where(allowed, softmax_rows(row), 0.0)
    # 1 - p_k is R / (1 + R); the subtraction would lose it in a confident row.
    complement = np.where(row.first_maximum, row.rest / (1.0 + row.rest), 1.0 - p)
    matrix = -p[..., :, None] * p[..., None, :]
    diagonal = np.arange(p.shape[-1])
    # In a row whose classes are all left out p is 0, whatever the rest.
    matrix[..., diagonal, diagonal] = np.where(p == 0.0, 0.0, p * complement)
    return (matrix / temperature).reshape(batch + classes + classes)
