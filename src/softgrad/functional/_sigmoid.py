"""sigmoid, 1 / (1 + exp(-x)), and its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from softgrad import _native
from softgrad._contracts import Float64
from softgrad.functional._elementwise_map import ElementwiseMap


class Sigmoid(ElementwiseMap, native_call=True):
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
    shown: ClassVar[Mapping[str, str]] = {
        "jvp": """v s (1 - s), with 1 - s taken as the sigmoid of -x
        >>> float(sg.sigmoid.jvp(0.0, 2.0))
        0.5""",
        "vjp": """g s (1 - s)
        >>> float(sg.sigmoid.vjp(0.0, 2.0))
        0.5""",
        "hvp": """-g s (1 - s) tanh(x / 2) v

        tanh(x / 2) is 2 s - 1 without its cancellation near 0.

        >>> float(sg.sigmoid.hvp(1e-20, 1.0, 8.0))
        -1e-20""",
    }

    def slope(self, x: Float64) -> Float64:
        return sigmoid_slope(x)

    def bend(self, x: Float64) -> Float64:
        return sigmoid_slope(x) * -np.tanh(0.5 * x)


def sigmoid_slope(x: Float64) -> Float64:
    """s(x) s(-x)."""
    slope, complement = np.empty_like(x), np.empty_like(x)
    _native.sigmoid(x, slope)
    _native.sigmoid(-x, complement)
    slope *= complement
    return slope


sigmoid = Sigmoid(_native.sigmoid)
