"""The derivative along a line by differences, for functions in float64, and what the method leaves of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STEP = 2.0**-11
# The extrapolation leaves STEP^4 / 480 times the fifth derivative. Along a direction the derivatives of softmax grow by
# the range of its entries, and of 1 / temperature: for normal numbers up to 4.7 * 8, and 4.7^4 is 480. Rounding,
# EPS / STEP times the value of the function, is a 500th of this.
METHOD_ERROR = (8.0 * STEP) ** 4


def along(function: Callable[[float], Any]) -> Any:
    """The derivative at 0: central differences at STEP and at half of it, extrapolated."""

    def central(step: float) -> Any:
        return (function(step) - function(-step)) / (2.0 * step)

    return (4.0 * central(STEP / 2.0) - central(STEP)) / 3.0
