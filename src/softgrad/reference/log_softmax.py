"""log_softmax and its derivatives: d log p_i / dx_j = (delta_ij - p_j) / temperature."""

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
from softgrad.reference.softmax import softmax_jvp


def log_softmax(
    x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, temperature: float = 1.0
) -> FloatArray:
    """Logarithm of softmax, (x_j - m) - log1p(R): two terms of one sign, so nothing cancels.

    Parameters
    ----------
    x : array_like, any shape
        Logits; -inf gives -inf, a NaN, a +inf or a row of nothing but -inf gives a row of NaN.
    axis : int, tuple of int or None
        The class axes; None takes the whole array as one row.
    where : array_like of bool, broadcast to x
        Classes that take part; the others give -inf, whatever they hold.
    temperature : float
        Divides x.

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> log_softmax([0.0, 40.0])
    array([-4.00000000e+01, -4.24835426e-18])
    """
    shape = np.shape(x)
    allowed = allowed_rows(where, shape, axis)
    row = statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf))
    return from_rows(np.where(allowed, row.shifted - np.log1p(row.rest), -np.inf), shape, axis)


def log_softmax_jvp(
    x: ArrayLike,
    tangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
) -> FloatArray:
    """Directional derivative (v' - <p, v'>) / temperature with v' = v - v_k, k the first maximum.

    Parameters
    ----------
    x, axis, where, temperature
        As in `log_softmax`.
    tangent : array_like, shape of x
        The direction v.

    Returns
    -------
    ndarray of float64, shape of x
        0 where `where` excludes a class.

    Examples
    --------
    >>> log_softmax_jvp([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    shape = np.shape(x)
    allowed = allowed_rows(where, shape, axis)
    row = statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf))
    p = np.where(allowed, softmax_rows(row), 0.0)
    v = centred(np.where(allowed, to_rows(tangent, axis), 0.0), row)
    change = (v - np.sum(p * v, axis=-1, keepdims=True)) / temperature
    return from_rows(np.where(allowed, change, 0.0), shape, axis)


def log_softmax_vjp(
    x: ArrayLike,
    cotangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
) -> FloatArray:
    """Pull a cotangent back to x: (g - p sum(g)) / temperature.

    Parameters
    ----------
    x, axis, where, temperature
        As in `log_softmax`.
    cotangent : array_like, shape of x

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> log_softmax_vjp([0.0, 0.0], [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    shape = np.shape(x)
    allowed = allowed_rows(where, shape, axis)
    row = statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf))
    p = np.where(allowed, softmax_rows(row), 0.0)
    g = np.where(allowed, to_rows(cotangent, axis), 0.0)
    total = np.sum(g, axis=-1, keepdims=True)
    others = np.sum(np.where(row.first_maximum, 0.0, g), axis=-1, keepdims=True)
    # g_k - p_k (g_k + others), with 1 - p_k = R / (1 + R) taken out before it can cancel.
    at_maximum = g * (row.rest / (1.0 + row.rest)) - p * others
    change = np.where(row.first_maximum, at_maximum, g - p * total) / temperature
    return from_rows(np.where(allowed, change, 0.0), shape, axis)


def log_softmax_hvp(
    x: ArrayLike,
    cotangent: ArrayLike,
    vector: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    temperature: float = 1.0,
) -> FloatArray:
    """Derivative of `log_softmax_vjp` by x along a vector: -sum(g) J v / temperature, J that of softmax.

    Parameters
    ----------
    x, axis, where, temperature
        As in `log_softmax`.
    cotangent, vector : array_like, shape of x

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> log_softmax_hvp([0.0, 0.0], [1.0, 1.0], [1.0, 0.0])
    array([-0.5,  0.5])
    """
    shape = np.shape(x)
    g = np.where(allowed_rows(where, shape, axis), to_rows(cotangent, axis), 0.0)
    dp = to_rows(softmax_jvp(x, vector, axis=axis, where=where, temperature=temperature), axis)
    return from_rows(-np.sum(g, axis=-1, keepdims=True) * dp / temperature, shape, axis)


def log_softmax_jacobian(
    x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, temperature: float = 1.0
) -> FloatArray:
    """The matrix (delta_ij - p_j) / temperature of each row.

    Parameters
    ----------
    x, axis, where, temperature
        As in `log_softmax`.

    Returns
    -------
    ndarray of float64, shape (\\*batch, \\*classes, \\*classes)
        First the batch axes of x in their order, then its class axes twice: result, then argument.

    Examples
    --------
    >>> log_softmax_jacobian([0.0, 0.0])
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    shape = np.shape(x)
    batch, classes = batch_and_class_shape(shape, axis)
    allowed = allowed_rows(where, shape, axis)
    row = statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf))
    p = np.where(allowed, softmax_rows(row), 0.0)
    size = p.shape[-1]
    matrix = np.repeat(-p[..., None, :], size, axis=-2)
    # 1 - p_k is R / (1 + R); the subtraction would lose it in a confident row.
    complement = np.where(row.first_maximum, row.rest / (1.0 + row.rest), 1.0 - p)
    diagonal = np.arange(size)
    matrix[..., diagonal, diagonal] = complement
    matrix = np.where(allowed[..., :, None], matrix, 0.0)
    return (matrix / temperature).reshape(batch + classes + classes)
