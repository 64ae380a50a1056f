"""log_sigmoid and its derivatives: (log s)' = s(-x), (log s)'' = -s(x) s(-x)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._rows import FloatArray
from softgrad.reference.sigmoid import sigmoid, sigmoid_jvp


def log_sigmoid(x: ArrayLike, /) -> FloatArray:
    """Logarithm of sigmoid, ``min(x, 0) - log1p(exp(-|x|))``: two terms of one sign, so nothing cancels.

    Parameters
    ----------
    x : array_like, any shape
        -inf gives -inf, +inf gives 0, NaN gives NaN.

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of x

    Examples
    --------
    >>> log_sigmoid([-1000.0, 40.0])
    array([-1.00000000e+03, -4.24835426e-18])
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(under="ignore"):
        result: FloatArray = np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x)))
    return result


def log_sigmoid_jvp(x: ArrayLike, tangent: ArrayLike, /) -> FloatArray:
    """Directional derivative s(-x) v.

    Parameters
    ----------
    x : array_like, any shape
    tangent : array_like, shape of x
        The direction v.

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of x

    Examples
    --------
    >>> log_sigmoid_jvp([0.0], [3.0])
    array([1.5])
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(under="ignore"):
        return sigmoid(-x) * np.asarray(tangent, dtype=np.float64)


def log_sigmoid_vjp(x: ArrayLike, cotangent: ArrayLike, /) -> FloatArray:
    """Pull a cotangent of log_sigmoid(x) back to x; the derivative is diagonal, so this is `log_sigmoid_jvp`.

    Parameters
    ----------
    x : array_like, any shape
    cotangent : array_like, shape of x

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of x

    Examples
    --------
    >>> log_sigmoid_vjp([0.0], [3.0])
    array([1.5])
    """
    return log_sigmoid_jvp(x, cotangent)


def log_sigmoid_hvp(x: ArrayLike, cotangent: ArrayLike, vector: ArrayLike, /) -> FloatArray:
    """Derivative of `log_sigmoid_vjp` along a vector, -g s(x) s(-x) v.

    Parameters
    ----------
    x : array_like, any shape
    cotangent, vector : array_like, shape of x

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of x

    Examples
    --------
    >>> log_sigmoid_hvp([0.0], [2.0], [3.0])
    array([-1.5])
    """
    return -sigmoid_jvp(x, cotangent) * np.asarray(vector, dtype=np.float64)
