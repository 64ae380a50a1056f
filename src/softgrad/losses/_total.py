"""A sum of many numbers that come in parts, to the last bit that of all of them at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad import _native
from softgrad._chunks import CHUNK, chunks


class Total:
    """The sum of the numbers added so far, in two doubles.

    It depends on their order alone, not on how they were parted: they are summed CHUNK by CHUNK, which is a multiple of
    what the native sum adds up before it keeps what a rounding loses.
    """

    def __init__(self) -> None:
        # The last place is for minus the sum of the others: the sum with it is what the first one lost.
        self._chunk = np.empty(CHUNK + 1)
        self._filled = 0
        self._high, self._low = 0.0, 0.0

    def add(self, numbers: NDArray[Any]) -> None:
        flat = numbers.reshape(-1)
        start = 0
        while start < flat.size:
            if self._filled == CHUNK:
                self._fold()
            stop = min(start + CHUNK - self._filled, flat.size)
            end = self._filled + stop - start
            self._chunk[self._filled : end] = flat[start:stop]
            self._filled, start = end, stop

    def value(self) -> float:
        if self._high == 0.0 == self._low:
            return _native.sum(self._chunk[: self._filled])
        self._fold()
        # An infinite sum has a NaN for what it lost.
        return self._high if math.isnan(self._low) else self._high + self._low

    def _fold(self) -> None:
        part = _native.sum(self._chunk[: self._filled])
        self._chunk[self._filled :] = 0.0
        self._chunk[CHUNK] = -part
        lost = _native.sum(self._chunk)
        self._filled = 0
        high = self._high + part
        taken = high - self._high
        self._low += (self._high - (high - taken)) + (part - taken) + lost
        self._high = high


def total(array: NDArray[Any]) -> float:
    """The sum of all elements of an array."""
    if array.dtype == np.float64 and array.flags.c_contiguous:
        return _native.sum(array.reshape(-1))
    result = Total()
    for chunk in chunks(array):
        result.add(chunk)
    return result.value()
