"""log_sigmoid, -log(1 + exp(-x)), and its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from softgrad import _native
from softgrad._contracts import Float64
from softgrad.functional._elementwise_map import ElementwiseMap
from softgrad.functional._sigmoid import sigmoid_slope


class LogSigmoid(ElementwiseMap, native_call=True):
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
    shown: ClassVar[Mapping[str, str]] = {
        "jvp": """v times the sigmoid of -x
        >>> float(sg.log_sigmoid.jvp(0.0, 2.0))
        1.0""",
        "vjp": """g times the sigmoid of -x
        >>> float(sg.log_sigmoid.vjp(0.0, 2.0))
        1.0""",
        "hvp": """-g s(x) s(-x) v, s the sigmoid
        >>> float(sg.log_sigmoid.hvp(0.0, 2.0, 3.0))
        -1.5""",
    }

    def slope(self, x: Float64) -> Float64:
        slope = np.empty_like(x)
        _native.sigmoid(-x, slope)
        return slope

    def bend(self, x: Float64) -> Float64:
        return -sigmoid_slope(x)


log_sigmoid = LogSigmoid(_native.log_sigmoid)
