"""What one pass over a table tells: the classes, which rows are for the test, and the encoding of the columns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from softgrad.cli import preprocessing, targets
from softgrad.cli.errors import UserError
from softgrad.cli.preprocessing import MOST_CATEGORIES, Column, NumberColumn, TextColumn
from softgrad.cli.stream_labels import Division, Labels
from softgrad.cli.stream_table import StreamedTable
from softgrad.cli.tables import BoolArray, Float64Array, IntArray, Words


@dataclass
class _Numbers:
    """Mean and standard deviation of numbers that come in parts, in units of a power of 2 that none exceeds."""

    name: str
    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    exponent: int = -1100
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Float64Array) -> None:
        if not len(values):
            return
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        exponent = math.frexp(max(abs(self.low), abs(self.high)))[1]
        if exponent > self.exponent:
            self.mean = math.ldexp(self.mean, self.exponent - exponent)
            self.squares = math.ldexp(self.squares, 2 * (self.exponent - exponent))
            self.exponent = exponent
        scaled = np.ldexp(values, -self.exponent)
        mean = float(scaled.mean())
        shift, total = mean - self.mean, self.count + len(values)
        self.mean += shift * len(values) / total
        self.squares += float(np.sum((scaled - mean) ** 2)) + shift**2 * self.count * len(values) / total
        self.count = total

    def column(self) -> NumberColumn:
        if self.low == self.high:
            return NumberColumn(self.name, self.low, 1.0)
        deviation = math.ldexp(math.sqrt(self.squares / self.count), self.exponent)
        # Division by a subnormal number would overflow.
        return NumberColumn(
            self.name, math.ldexp(self.mean, self.exponent), max(deviation, float(np.finfo(np.float64).tiny))
        )


@dataclass
class _Texts:
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
        self.trained.update(words.vocabulary[code] for code in np.unique(words.codes[train]))

    def column(self) -> TextColumn:
        return TextColumn(self.name, tuple(sorted(self.trained)))


class Encoding:
    """How the rows of a table become features and class numbers, learnt in one pass.

    Attributes
    ----------
    classes : Classes
    columns : tuple of Column
    train_rows, test_rows : int

    Raises
    ------
    UserError
        If a value is missing or infinite, a column cannot be encoded, or the classes are too few or too many.
    """

    def __init__(self, table: StreamedTable, target: str, division: Division) -> None:
        self.table, self.target = table, target
        self._division = division
        names = [name for name in table.names if name != target]
        labels = Labels(target, division)
        learnt: dict[str, _Numbers | _Texts] = {}
        for part in table.parts(len(names)):
            train = labels.add(part.labels(target), part.first_row)
            for name in names:
                values = part.feature(name)
                if isinstance(values, Words):
                    texts = learnt.setdefault(name, _Texts(name))
                    assert isinstance(texts, _Texts)
                    texts.add(values, train)
                else:
                    numbers = learnt.setdefault(name, _Numbers(name))
                    assert isinstance(numbers, _Numbers)
                    numbers.add(values[train])
        self.classes = labels.classes()
        self.train_rows, self.test_rows = labels.train_rows, labels.test_rows
        self.columns: tuple[Column, ...] = tuple(learnt[name].column() for name in names)

    @property
    def width(self) -> int:
        return sum(column.width for column in self.columns)

    def parts(self) -> Iterator[tuple[Float64Array, IntArray, BoolArray]]:
        """A pass: features and class numbers of some rows, and which of them are for the training."""
        trained_in = self._division.start()
        for part in self.table.parts(self.width):
            codes = targets.number(part, self.target, self.classes)
            values = preprocessing.read_known(part, self.columns)
            try:
                features = preprocessing.encode(self.columns, values, part.rows)
            except UserError as error:
                raise UserError(f"{error}, counted from row {part.first_row + 1}") from None
            yield features, codes, trained_in(part.first_row, part.rows)
