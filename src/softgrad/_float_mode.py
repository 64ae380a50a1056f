"""Arithmetic as IEEE 754 says by default, whatever the floating-point mode of the thread that calls.

A program may have chosen another one, as `torch.set_flush_denormal(True)` does, and XLA for what it calls back:
subnormal results would vanish in its thread and not in the core's. The core sees to its own functions; this is for what
NumPy works out around them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from softgrad._native import enter_ieee_mode, set_float_mode

P = ParamSpec("P")
R = TypeVar("R")


def in_ieee_mode(function: Callable[P, R], on_type_error: Callable[P, None] | None = None) -> Callable[P, R]:
    """A function made to work in IEEE mode; the thread has its own mode again when it returns or raises.

    `on_type_error`: given the arguments where the function raises a TypeError, it may raise a clearer one. It is here
    since another wrapper would be felt in a small call.
    """

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        before = enter_ieee_mode()
        try:
            return function(*args, **kwargs)
        except TypeError:
            if on_type_error is not None:
                on_type_error(*args, **kwargs)
            raise
        finally:
            if before is not None:
                set_float_mode(before)

    return inside
