"""Derivatives from one complex step, exact to the last bits where the function is analytic."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from softgrad.gradcheck._arrays import Float64Array
from softgrad.gradcheck._lines import EPS, Slope

# Far below the last bit of x, so that the truncation, of second order, is nothing; the square still fits in a double.
STEP = 1e-100
# Not a power of two: the second step rounds otherwise than the first, which shows by how much rounding matters.
SECOND = 0.7


def complex_slope(function: Callable[[Any], Any], x: Float64Array, direction: Float64Array) -> Slope | None:
    """The derivative along a direction and what rounding does to it; None as in `complex_derivative`."""
    first = complex_derivative(function, x, direction, STEP)
    second = complex_derivative(function, x, direction, SECOND * STEP)
    if first is None or second is None or not (math.isfinite(first) and math.isfinite(second)):
        return None
    return Slope(first, abs(first - second) + 4.0 * EPS * abs(first))


def complex_derivative(
    function: Callable[[Any], Any], x: Float64Array, direction: Float64Array, step: float
) -> float | None:
    """Im f(x + i step direction) / step, or None where the function takes no complex numbers or returns none.

    That the function is analytic is not known from this: `abs` of a part of it goes unnoticed. The caller must
    compare with real differences.
    """
    # Not x + 1j * step * direction: 1j * inf has a NaN for its real part.
    point = x.astype(np.complex128)
    point.imag = step * direction
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # What drops the imaginary part with a warning is no function of complex numbers.
            warnings.simplefilter("error")
            value = np.asarray(function(point))
    except Exception:
        # Each framework refuses complex numbers with an exception of its own; real differences remain.
        return None
    if value.dtype.kind != "c" or value.size != 1:
        return None
    return float(value.reshape(()).imag) / step
