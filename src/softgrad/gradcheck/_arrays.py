"""Reading what callers give, and what its dtype can hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Float64Array = NDArray[np.float64]


def as_array(value: Any, name: str) -> Array:
    """`value` as a NumPy array, whatever framework it comes from."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        # A tensor on another device, or one that is part of a graph, refuses; its own message says what to call.
        raise TypeError(f"{name} ({type(value).__name__}) cannot be read as an array: {error}") from error


def is_floating(array: Array) -> bool:
    # Kind "V" is how NumPy sees the bfloat16 of ml_dtypes.
    return array.dtype.kind in "fV"


def real_values(value: Any, name: str) -> Float64Array:
    """`value` in float64."""
    array = as_array(value, name)
    if array.dtype.kind not in "fiubV":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are needed")
    return array.astype(np.float64)


@dataclass(frozen=True)
class Grid:
    """The numbers of a floating dtype: distances relative to a number, and the least one between any two."""

    eps: float
    smallest: float

    def last_bits(self, x: Float64Array) -> Float64Array:
        """The distance of each element to its neighbour; at 0 that of the numbers below 1."""
        distances: Float64Array = np.ldexp(self.eps, np.frexp(x)[1] - 1)
        return distances


@cache
def grid_of(dtype: np.dtype[Any]) -> Grid:
    """Found by trying, since np.finfo does not know every dtype; not finer than float64."""

    def rounded(value: float) -> float:
        return float(np.asarray(value).astype(dtype).astype(np.float64))

    eps = smallest = 1.0
    while eps > 2.0**-52 and rounded(1.0 + eps / 2.0) != 1.0:
        eps /= 2.0
    while smallest > 2.0**-1074 and rounded(smallest / 2.0) != 0.0:
        smallest /= 2.0
    return Grid(eps, smallest)
