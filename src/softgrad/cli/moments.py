"""How many numbers there are, from which to which, their mean and deviation; learnt part by part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from softgrad.cli.tables import Float64Array

# Below that of the least subnormal number.
_LEAST_EXPONENT = -1100


@dataclass
class Moments:
    """Of numbers from `low` to `high`; mean and squares are in units of 2**exponent, which none exceeds.

    `squares` is the sum of the squared distances to the mean.
    """

    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    exponent: int = _LEAST_EXPONENT
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Float64Array) -> None:
        """Take in the next numbers, at least one."""
        low, high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        largest = max(abs(low), abs(high))
        # frexp gives 0 the exponent of 1.
        exponent = math.frexp(largest)[1] if largest else _LEAST_EXPONENT
        scaled = np.ldexp(values, -exponent)
        mean = float(scaled.mean())
        self.merge(Moments(len(values), low, high, exponent, mean, float(np.sum((scaled - mean) ** 2))))

    def merge(self, other: Moments) -> None:
        """Take in those of the numbers that follow."""
        if not other.count:
            return
        exponent = max(self.exponent, other.exponent)
        mean, squares = self._in_units(exponent)
        its_mean, its_squares = other._in_units(exponent)
        shift, total = its_mean - mean, self.count + other.count
        self.mean = mean + shift * other.count / total
        self.squares = squares + (its_squares + shift**2 * self.count * other.count / total)
        self.exponent, self.count = exponent, total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def _in_units(self, exponent: int) -> tuple[float, float]:
        """Mean and squares in units of a power of 2 that is no smaller."""
        return (
            math.ldexp(self.mean, self.exponent - exponent),
            math.ldexp(self.squares, 2 * (self.exponent - exponent)),
        )

    @property
    def average(self) -> float:
        return math.ldexp(self.mean, self.exponent)

    @property
    def deviation(self) -> float:
        return math.ldexp(math.sqrt(self.squares / self.count), self.exponent)
