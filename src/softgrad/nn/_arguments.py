"""Arguments that several classes have in common: their types, and their checks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]
Seed = int | np.random.Generator

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def dtype_of(dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in DTYPES:
        raise TypeError(f"dtype is {kind}; it must be float32 or float64")
    return kind


def positive_integer(value: int, name: str) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; it must be an integer")
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")
    return int(value)


def positive(value: float, name: str) -> float:
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} is {value}; it must be positive and finite")
    return float(value)


def fraction(value: float, name: str) -> float:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} is {value}; it must be in [0, 1)")
    return float(value)
