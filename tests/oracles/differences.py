"""The derivative along a line by differences, for functions in float64, and what the method leaves of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STEP = 2.0**-11
# The extrapolation leaves STEP^4 / 480 times the fifth derivative. That of softmax, and of what is made of it, is up to
# some 8^4 times the first along a normal direction: the differences of its entries, to the fourth. Rounding, EPS / STEP
# of the function's value, is a hundredth of this.
METHOD_ERROR = (8.0 * STEP) ** 4


def along(function: Callable[[float], Any]) -> Any:
    """The derivative at 0: central differences at STEP and at half of it, extrapolated."""

    def central(step: float) -> Any:
        return (function(step) - function(-step)) / (2.0 * step)

    return (4.0 * central(STEP / 2.0) - central(STEP)) / 3.0
