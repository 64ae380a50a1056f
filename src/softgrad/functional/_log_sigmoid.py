"""log_sigmoid, -log(1 + exp(-x)), and its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softgrad import _native
from softgrad._chunks import elementwise
from softgrad._contracts import Floating, floating_array, output_for, same_shape
from softgrad._differentiable import Arguments, Differentiable
from softgrad.functional._sigmoid import sigmoid, sigmoid_slope


class LogSigmoid(Differentiable, native_call=True):
    """Logarithm of the logistic sigmoid of each element, exact where the sigmoid itself is 0 or 1.

    ``log_sigmoid(x, /, *, out=None)``, and its derivatives ``log_sigmoid.vjp``, ``jvp`` and ``hvp``.

    Parameters
    ----------
    x : array_like, any shape
        float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides; integers are taken as float64.
    out : ndarray, optional
        Where the result goes: shape and dtype of `x`; it may be `x` itself.

    Returns
    -------
    ndarray or NumPy scalar, shape and dtype of `x`
        -inf at -inf, 0 at +inf, NaN at NaN.

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
    min(x, 0) - log1p(exp(-abs(x))): two terms of one sign.

    Examples
    --------
    >>> import softgrad as sg
    >>> sg.log_sigmoid([-800.0, 40.0])
    array([-8.00000000e+02, -4.24835426e-18])
    """

    name = "log_sigmoid"

    def __call__(self, x: ArrayLike, /, *, out: Floating | None = None) -> Any:
        array = floating_array(x, "x")
        result = output_for(array, out)
        _native.log_sigmoid(_native.buffer(array), _native.buffer(result))
        return result if out is not None else result[()]

    def jvp(self, x: ArrayLike, tangent: ArrayLike, /) -> Any:
        """The derivative in the direction `tangent`: v times the sigmoid of -x.

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
        >>> float(sg.log_sigmoid.jvp(0.0, 2.0))
        1.0
        """
        array = floating_array(x, "x")
        v = same_shape(tangent, "tangent", array, "x")
        return elementwise(lambda x, v: sigmoid(-x) * v, array, v)

    def vjp(self, x: ArrayLike, cotangent: ArrayLike, /) -> Any:
        """The gradient of a loss whose gradient by log_sigmoid(x) is `cotangent`; the same product as `jvp`.

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
        >>> float(sg.log_sigmoid.vjp(0.0, 2.0))
        1.0
        """
        array = floating_array(x, "x")
        return self.jvp(array, same_shape(cotangent, "cotangent", array, "x"))

    def hvp(self, x: ArrayLike, cotangent: ArrayLike, vector: ArrayLike, /) -> Any:
        """The derivative of `vjp` by x in the direction `vector`: -g s(x) s(-x) v, s the sigmoid.

        Worked out in float64 and rounded once.

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
        >>> float(sg.log_sigmoid.hvp(0.0, 2.0, 3.0))
        -1.5
        """
        array = floating_array(x, "x")
        g, v = (same_shape(each, name, array, "x") for each, name in ((cotangent, "cotangent"), (vector, "vector")))
        return elementwise(lambda x, g, v: -sigmoid_slope(x) * g * v, array, g, v)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        return (rng.normal(scale=3.0, size=(4, 7)).astype(dtype),), {}


log_sigmoid = LogSigmoid()
