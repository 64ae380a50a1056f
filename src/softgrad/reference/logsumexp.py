"""logsumexp and its derivatives: d lse / dx_j = p_j, the softmax.

A row of nothing but -inf has no softmax. Its logsumexp is -inf however far its entries move by a finite step, so its
derivatives are 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._rows import (
    Axis,
    BoolArray,
    FloatArray,
    allowed_rows,
    batch_and_class_shape,
    class_axes,
    from_rows,
    logsumexp_rows,
    softmax_rows,
    statistics,
    to_rows,
)
from softgrad.reference.softmax import softmax_jvp


def logsumexp(
    x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, keepdims: bool = False
) -> FloatArray:
    """Logarithm of the sum of exponentials, m + log1p(R): R the sum over all but the maximum m.

    Parameters
    ----------
    x : array_like, any shape
        A NaN gives NaN, else a +inf gives +inf; nothing but -inf, or no class at all, gives -inf, and derivatives of 0.
    axis : int, tuple of int or None
        The class axes; None takes the whole array as one row.
    where : array_like of bool, broadcast to x
        Classes that take part; what the others hold is left out.
    keepdims : bool
        Keep the class axes with length 1.

    Returns
    -------
    ndarray of float64 (a NumPy scalar where nothing is left), shape of x without its class axes

    Examples
    --------
    >>> float(logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    """
    shape = np.shape(x)
    allowed = allowed_rows(where, shape, axis)
    lse: FloatArray = logsumexp_rows(statistics(np.where(allowed, to_rows(x, axis), -np.inf)))[..., 0][()]
    return np.expand_dims(lse, class_axes(len(shape), axis)) if keepdims else lse


def _has_mass(x: ArrayLike, axis: Axis, where: ArrayLike | None) -> BoolArray:
    """(*batch, 1): whether a class that takes part is above -inf."""
    has_mass: BoolArray = np.any(
        allowed_rows(where, np.shape(x), axis) & (to_rows(x, axis) != -np.inf), -1, keepdims=True
    )
    return has_mass


def _probabilities(x: ArrayLike, axis: Axis, where: ArrayLike | None) -> FloatArray:
    """The gradient of logsumexp as rows (*batch, K)."""
    allowed = allowed_rows(where, np.shape(x), axis)
    row = statistics(np.where(allowed, to_rows(x, axis), -np.inf))
    return np.where(allowed & _has_mass(x, axis, where), softmax_rows(row), 0.0)


def _per_row(values: ArrayLike, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> FloatArray:
    """A cotangent of the result as (*batch, 1)."""
    array = np.asarray(values, dtype=np.float64)
    if keepdims:
        array = np.squeeze(array, axis=class_axes(len(shape), axis))
    return array[..., None]


def logsumexp_vjp(
    x: ArrayLike,
    cotangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    keepdims: bool = False,
) -> FloatArray:
    """Pull a cotangent of logsumexp(x) back to x: g p.

    Parameters
    ----------
    x, axis, where, keepdims
        As in `logsumexp`.
    cotangent : array_like, shape of the result

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> logsumexp_vjp([0.0, 0.0], 3.0)
    array([1.5, 1.5])
    """
    shape = np.shape(x)
    return from_rows(_probabilities(x, axis, where) * _per_row(cotangent, shape, axis, keepdims), shape, axis)


def logsumexp_jvp(
    x: ArrayLike,
    tangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    keepdims: bool = False,
) -> FloatArray:
    """Directional derivative <p, v>.

    Parameters
    ----------
    x, axis, where, keepdims
        As in `logsumexp`.
    tangent : array_like, shape of x
        The direction v; what it holds where `where` is False is left out.

    Returns
    -------
    ndarray of float64 (a NumPy scalar where nothing is left), shape of the result

    Examples
    --------
    >>> float(logsumexp_jvp([0.0, 0.0], [1.0, 2.0]))
    1.5
    """
    shape = np.shape(x)
    v = np.where(allowed_rows(where, shape, axis), to_rows(tangent, axis), 0.0)
    change: FloatArray = np.sum(_probabilities(x, axis, where) * v, axis=-1)
    return np.expand_dims(change, class_axes(len(shape), axis)) if keepdims else change


def logsumexp_hvp(
    x: ArrayLike,
    cotangent: ArrayLike,
    vector: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    where: ArrayLike | None = None,
    keepdims: bool = False,
) -> FloatArray:
    """Derivative of `logsumexp_vjp` by x along a vector: g J v, J that of softmax.

    Parameters
    ----------
    x, axis, where, keepdims
        As in `logsumexp`.
    cotangent : array_like, shape of logsumexp(x)
    vector : array_like, shape of x

    Returns
    -------
    ndarray of float64, shape of x

    Examples
    --------
    >>> logsumexp_hvp([0.0, 0.0], 2.0, [1.0, 0.0])
    array([ 0.5, -0.5])
    """
    shape = np.shape(x)
    del keepdims  # one number a row either way
    dp = np.where(_has_mass(x, axis, where), to_rows(softmax_jvp(x, vector, axis=axis, where=where), axis), 0.0)
    g = np.asarray(cotangent, dtype=np.float64).reshape((*dp.shape[:-1], 1))
    return from_rows(g * dp, shape, axis)


def logsumexp_jacobian(x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None) -> FloatArray:
    """The gradient p of each row.

    Parameters
    ----------
    x, axis, where
        As in `logsumexp`.

    Returns
    -------
    ndarray of float64, shape (\\*batch, \\*classes)
        First the batch axes of x in their order, then its class axes.

    Examples
    --------
    >>> logsumexp_jacobian([0.0, 0.0])
    array([0.5, 0.5])
    """
    batch, classes = batch_and_class_shape(np.shape(x), axis)
    return _probabilities(x, axis, where).reshape(batch + classes)
