"""What one pass over a table tells: the classes, which rows are for the test, and the encoding of the columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from softgrad.cli import preprocessing, targets
from softgrad.cli.errors import UserError
from softgrad.cli.preprocessing import MOST_CATEGORIES, Column, NumberColumn, TextColumn
from softgrad.cli.stream_table import Part, StreamedTable
from softgrad.cli.tables import BoolArray, Float64Array, IntArray, Words
from softgrad.cli.targets import MOST_CLASSES, Classes, Kind


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


class Division:
    """Which rows are for the training, decided for each by itself: by chance, but the first row of a class always is.

    The same rows in the same order are divided alike, however they are cut into parts.
    """

    def __init__(self, fraction: float, seed: int) -> None:
        self._fraction = fraction
        self._seed = seed
        self._first_rows: set[int] = set()

    def start(self) -> Callable[[Part], BoolArray]:
        """For one pass: whether each row of a part is for the training; the parts come in their order."""
        generator = np.random.default_rng(self._seed)

        def of_part(part: Part) -> BoolArray:
            train = generator.random(part.rows) >= self._fraction
            for row in self._first_rows:
                if part.first_row <= row < part.first_row + part.rows:
                    train[row - part.first_row] = True
            return train

        return of_part

    def keep(self, row: int) -> None:
        """The row is the first of its class."""
        self._first_rows.add(row)


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
        self.train_rows = self.test_rows = 0
        names = [name for name in table.names if name != target]
        labels: dict[object, int] = {}
        kind: Kind = "text"
        learnt: dict[str, _Numbers | _Texts] = {}
        trained_in = division.start()
        for part in table.parts(len(names)):
            kind = self._find_labels(part, labels)
            train = trained_in(part)
            self.train_rows += int(train.sum())
            self.test_rows += int((~train).sum())
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
        if len(labels) == 1:
            raise UserError(f"target {target!r} has a single class, {next(iter(labels))!r}; two are needed")
        self.classes = Classes(kind, tuple(sorted(labels)))  # type: ignore[type-var, arg-type]
        self.columns: tuple[Column, ...] = tuple(learnt[name].column() for name in names)

    def _find_labels(self, part: Part, labels: dict[object, int]) -> Kind:
        """Notes the first row of each class."""
        values = part.labels(self.target)
        if isinstance(values, Words):
            kind: Kind = "text"
            present, first = values.vocabulary, np.unique(values.codes, return_index=True)[1]
        else:
            kind = "boolean" if values.dtype == np.bool_ else "integer"
            distinct, first = np.unique(values, return_index=True)
            present = distinct.tolist()
        for label, row in zip(present, first.tolist(), strict=True):
            if label not in labels:
                labels[label] = part.first_row + row
                self._division.keep(part.first_row + row)
        if len(labels) > MOST_CLASSES:
            raise UserError(
                f"target {self.target!r} has more than {MOST_CLASSES} different values; so many classes cannot be told "
                f"apart, and regression targets are not supported"
            )
        return kind

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
            yield features, codes, trained_in(part)


class TrainingRows:
    """The training rows of an encoded table, as often as they are asked for."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    def __iter__(self) -> Iterator[tuple[Float64Array, IntArray]]:
        for features, codes, train in self._encoding.parts():
            yield (features, codes) if train.all() else (features[train], codes[train])
