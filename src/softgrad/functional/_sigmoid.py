"""sigmoid, 1 / (1 + exp(-x)), and its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softgrad import _native
from softgrad._chunks import elementwise
from softgrad._contracts import Float64, Floating, floating_array, output_for, same_shape
from softgrad._differentiable import Arguments, Differentiable


class Sigmoid(Differentiable, native_call=True):
    """Logistic sigmoid of each element.

    ``sigmoid(x, /, *, out=None)``, and its derivatives ``sigmoid.vjp``, ``jvp`` and ``hvp``.

    Parameters
    ----------
    x : array_like, any shape
        float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides; integers are taken as float64.
    out : ndarray, optional
        Where the result goes: shape and dtype of `x`; it may be `x` itself.

    Returns
    -------
    ndarray or NumPy scalar, shape and dtype of `x`
        0 at -inf, 1 at +inf, NaN at NaN.

    Raises
    ------
    TypeError
        `x` is not real, or `out` has another dtype.
    ValueError
        `out` has another shape, is read-only, or overlaps `x` without being the same elements.

    Notes
    -----
    Within 2 ulp (float32) and 3 ulp (float64), subnormal results included.

    References
    ----------
    With e = exp(-abs(x)): 1 / (1 + e) for x >= 0, e / (1 + e) below; nothing overflows or cancels.

    Examples
    --------
    >>> import softgrad as sg
    >>> sg.sigmoid([-800.0, 0.0, 800.0])
    array([0. , 0.5, 1. ])
    """

    name = "sigmoid"

    def __call__(self, x: ArrayLike, /, *, out: Floating | None = None) -> Any:
        array = floating_array(x, "x")
        result = output_for(array, out)
        _native.sigmoid(_native.buffer(array), _native.buffer(result))
        return result if out is not None else result[()]

    def jvp(self, x: ArrayLike, tangent: ArrayLike, /) -> Any:
        """The derivative in the direction `tangent`: v s (1 - s), with 1 - s taken as the sigmoid of -x.

        Worked out in float64 and rounded once.

        Parameters
        ----------
        x
            As in the call.
        tangent : array_like, shape of `x`

        Returns
        -------
        ndarray or NumPy scalar, shape and dtype of `x`

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.sigmoid.jvp(0.0, 2.0))
        0.5
        """
        array = floating_array(x, "x")
        v = same_shape(tangent, "tangent", array, "x")
        return elementwise(lambda x, v: sigmoid_slope(x) * v, array, v)

    def vjp(self, x: ArrayLike, cotangent: ArrayLike, /) -> Any:
        """The gradient of a loss whose gradient by sigmoid(x) is `cotangent`; the same product as `jvp`.

        Parameters
        ----------
        x
            As in the call.
        cotangent : array_like, shape of `x`

        Returns
        -------
        ndarray or NumPy scalar, shape and dtype of `x`

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.sigmoid.vjp(0.0, 2.0))
        0.5
        """
        array = floating_array(x, "x")
        return self.jvp(array, same_shape(cotangent, "cotangent", array, "x"))

    def hvp(self, x: ArrayLike, cotangent: ArrayLike, vector: ArrayLike, /) -> Any:
        """The derivative of `vjp` by x in the direction `vector`: -g s (1 - s) tanh(x / 2) v.

        tanh(x / 2) is 2 s - 1 without its cancellation near 0. Worked out in float64 and rounded once.

        Parameters
        ----------
        x
            As in the call.
        cotangent, vector : array_like, shape of `x`

        Returns
        -------
        ndarray or NumPy scalar, shape and dtype of `x`

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.sigmoid.hvp(1e-20, 1.0, 8.0))
        -1e-20
        """
        array = floating_array(x, "x")
        g, v = (same_shape(each, name, array, "x") for each, name in ((cotangent, "cotangent"), (vector, "vector")))
        return elementwise(lambda x, g, v: sigmoid_slope(x) * -np.tanh(0.5 * x) * g * v, array, g, v)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        return (rng.normal(scale=3.0, size=(4, 7)).astype(dtype),), {}


def sigmoid_slope(x: Float64) -> Float64:
    """s(x) s(-x)."""
    slope, complement = np.empty_like(x), np.empty_like(x)
    _native.sigmoid(x, slope)
    _native.sigmoid(-x, complement)
    slope *= complement
    return slope


sigmoid = Sigmoid()
