"""Vectors of all unknowns, arrays (K, P): what is done to them, in ranges of their columns that threads share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import TypeVar

import numpy as np

from softgrad import _native
from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._data._workers import Workers

Result = TypeVar("Result")
Range = tuple[int, int]

# With fewer entries than this a range is not worth a thread.
_LEAST_ENTRIES = 1 << 16


class Columns:
    """The columns of C-contiguous arrays of a shape (K, P).

    Their ranges depend on the shape alone, so that a sum over them does not depend on the threads.
    """

    def __init__(self, shape: tuple[int, ...], workers: Workers) -> None:
        classes, columns = shape
        self._ranges = _ranges(columns, min(max(classes * columns // _LEAST_ENTRIES, 1), columns))
        self._workers = workers

    def map(self, work: Callable[[Range], Result]) -> list[Result]:
        """What the work gives for each range, in their order."""
        return list(self._workers.map(work, self._ranges))

    def advance(self, length: float, search: Array, curved: Array, direction: Array, residual: Array) -> None:
        """direction += length * search, residual -= length * curved."""
        vectors = {"search": search, "curved": curved, "direction": direction, "residual": residual}
        self.map(lambda part: _native.advance(part, length, **vectors))

    def turn(self, ratio: float, following: Array, search: Array) -> None:
        """search = following + ratio * search."""
        self.map(lambda part: _native.turn(part, ratio, following, search))

    def divide(self, residual: Array, diagonal: Array) -> tuple[Array, float]:
        """residual / diagonal less its mean over the classes, and its inner product with the residual."""
        quotients = np.empty_like(residual)
        products = self.map(lambda part: _native.divide(part, residual, diagonal, quotients))
        return quotients, sum(products)

    def add_pull(self, ridge: Array, theta: Array, result: Array) -> tuple[float, float]:
        """Take its mean over the classes off the result, then add ridge * theta.

        The inner products of theta with the result, and with ridge * theta.
        """
        products = self.map(lambda part: _native.add_pull(part, ridge, theta, result))
        return sum(bend for bend, _ in products), sum(pull for _, pull in products)


@cache
def _ranges(columns: int, count: int) -> tuple[Range, ...]:
    return tuple(pairwise(columns * i // count for i in range(count + 1)))
