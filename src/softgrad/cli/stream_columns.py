"""What is learnt of columns whose rows come in parts: how numbers are standardised, and which texts there are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from softgrad.cli.errors import UserError
from softgrad.cli.preprocessing import MOST_CATEGORIES, NumberColumn, TextColumn, usable_scale
from softgrad.cli.tables import BoolArray, Float64Array, Words


@dataclass
class Numbers:
    """Mean and standard deviation in the training rows, in units of a power of 2 that none of their numbers exceeds.

    `least` and `most` are of all rows, each with the row that it is in.
    """

    name: str
    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    exponent: int = -1100
    mean: float = 0.0
    squares: float = 0.0
    least: tuple[float, int] = (math.inf, 0)
    most: tuple[float, int] = (-math.inf, 0)

    def add(self, values: Float64Array, train: BoolArray, first_row: int) -> None:
        """The numbers of some rows, of which those for the training count."""
        least, most = int(values.argmin()), int(values.argmax())
        self.least = min(self.least, (float(values[least]), first_row + least))
        self.most = max(self.most, (float(values[most]), first_row + most))
        counted = values[train]
        if not len(counted):
            return
        self.low, self.high = min(self.low, float(counted.min())), max(self.high, float(counted.max()))
        exponent = math.frexp(max(abs(self.low), abs(self.high)))[1]
        if exponent > self.exponent:
            self.mean = math.ldexp(self.mean, self.exponent - exponent)
            self.squares = math.ldexp(self.squares, 2 * (self.exponent - exponent))
            self.exponent = exponent
        scaled = np.ldexp(counted, -self.exponent)
        mean = float(scaled.mean())
        shift, total = mean - self.mean, self.count + len(counted)
        self.mean += shift * len(counted) / total
        self.squares += float(np.sum((scaled - mean) ** 2)) + shift**2 * self.count * len(counted) / total
        self.count = total

    def column(self) -> NumberColumn:
        """How they are standardised.

        Raises
        ------
        UserError
            If that takes a number of any row beyond the range of float64.
        """
        if self.low == self.high:
            column = NumberColumn(self.name, self.low, 1.0)
        else:
            deviation = math.ldexp(math.sqrt(self.squares / self.count), self.exponent)
            column = NumberColumn(self.name, math.ldexp(self.mean, self.exponent), usable_scale(deviation))
        for value, row in (self.least, self.most):
            with np.errstate(over="ignore"):
                standardised = (np.float64(value) - column.mean) / column.scale
            if not np.isfinite(standardised):
                raise UserError(f"column {self.name!r}, row {row + 1}: too large to standardise")
        return column


@dataclass
class Texts:
    """The texts of a column, and which of them occur in training rows."""

    name: str
    seen: set[str] = field(default_factory=set)
    trained: set[str] = field(default_factory=set)

    def add(self, words: Words, train: BoolArray) -> None:
        self.seen.update(words.vocabulary)
        if len(self.seen) > MOST_CATEGORIES:
            raise UserError(
                f"column {self.name!r} holds more than {MOST_CATEGORIES} different texts; at most so many can be "
                f"encoded"
            )
        self.trained.update(words.among(train))

    def column(self) -> TextColumn:
        return TextColumn(self.name, tuple(sorted(self.trained)))
