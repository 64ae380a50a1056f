"""sigmoid and its derivatives.

With e = exp(-|x|): s' = s(x) s(-x) = e / (1 + e)^2, and s'' = s' (1 - 2 s) = -s' tanh(x / 2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._rows import FloatArray


def sigmoid(x: ArrayLike, /) -> FloatArray:
    """1 / (1 + exp(-x)), with the exponential always taken of ``-|x|`` so that it cannot overflow.

    Parameters
    ----------
    x : array_like, any shape
        -inf gives 0, +inf gives 1, NaN gives NaN.

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of x

    Examples
    --------
    >>> sigmoid([-np.log(3.0), 0.0])
    array([0.25, 0.5 ])
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(under="ignore"):
        e = np.exp(-np.abs(x))
    result: FloatArray = np.where(x < 0.0, e, 1.0) / (1.0 + e)
    return result


def sigmoid_jvp(x: ArrayLike, tangent: ArrayLike, /) -> FloatArray:
    """Directional derivative s(x) s(-x) v; s(-x) and not 1 - s(x), which is 0 from x = 37 on.

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
    >>> sigmoid_jvp([0.0, 40.0], [1.0, 1.0])
    array([2.50000000e-01, 4.24835426e-18])
    """
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(under="ignore"):
        return sigmoid(x) * sigmoid(-x) * np.asarray(tangent, dtype=np.float64)


def sigmoid_vjp(x: ArrayLike, cotangent: ArrayLike, /) -> FloatArray:
    """Pull a cotangent of sigmoid(x) back to x; the derivative is diagonal, so this is `sigmoid_jvp`.

    Parameters
    ----------
    x : array_like, any shape
    cotangent : array_like, shape of x

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of x

    Examples
    --------
    >>> sigmoid_vjp([0.0], [2.0])
    array([0.5])
    """
    return sigmoid_jvp(x, cotangent)


def sigmoid_hvp(x: ArrayLike, cotangent: ArrayLike, vector: ArrayLike, /) -> FloatArray:
    """Derivative of `sigmoid_vjp` along a vector, -g s(x) s(-x) tanh(x / 2) v; 1 - 2 s(x) would cancel near 0.

    Parameters
    ----------
    x : array_like, any shape
    cotangent, vector : array_like, shape of x

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of x

    Examples
    --------
    >>> sigmoid_hvp([0.0, -np.log(3.0)], [1.0, 1.0], [1.0, 1.0])
    array([-0.     ,  0.09375])
    """
    x = np.asarray(x, dtype=np.float64)
    return sigmoid_jvp(x, cotangent) * -np.tanh(x / 2.0) * np.asarray(vector, dtype=np.float64)
