"""From table columns to the feature matrix: numbers standardised, text one-hot, as learnt from training rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from softgrad.cli.errors import UserError, listing
from softgrad.cli.tables import Float64Array, IntArray, Table, Words

# Of a table, by their places.
Rows = IntArray | slice

# A text column with more is an identifier or free text; one-hot, it would be a matrix and not a feature.
MOST_CATEGORIES = 1000


@dataclass(frozen=True)
class NumberColumn:
    """A numeric column: (value - mean) / scale. The scale of a constant column is 1."""

    name: str
    mean: float
    scale: float

    @property
    def width(self) -> int:
        return 1

    def fill(self, block: Float64Array, values: Values, rows: Rows) -> None:
        np.subtract(values.numbers[self.name][rows], self.mean, out=block[:, 0])
        block[:, 0] /= self.scale


@dataclass(frozen=True)
class TextColumn:
    """A text column, one-hot over the categories seen in training; any other text is all zeros."""

    name: str
    categories: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.categories)

    def fill(self, block: Float64Array, values: Values, rows: Rows) -> None:
        words = values.words[self.name]
        place = {category: index for index, category in enumerate(self.categories)}
        index = np.array([place.get(word, -1) for word in words.vocabulary])[words.codes[rows]]
        known = np.flatnonzero(index >= 0)
        block[known, index[known]] = 1.0


Column = NumberColumn | TextColumn


@dataclass(frozen=True)
class Values:
    """What the feature columns of a table hold, each name in one of the two."""

    numbers: dict[str, Float64Array]
    words: dict[str, Words]


def read(table: Table, names: Sequence[str]) -> Values:
    """The columns as whichever of numbers and text they hold."""
    values = Values({}, {})
    for name in names:
        column = table.feature(name)
        if isinstance(column, Words):
            values.words[name] = column
        else:
            values.numbers[name] = column
    return values


def read_known(table: Table, columns: Sequence[Column]) -> Values:
    """The columns that a model was trained on, read as what they were then."""
    present = set(table.names)
    lacking = [column.name for column in columns if column.name not in present]
    if lacking:
        raise UserError(
            f"{table.source} lacks the column{'s' if len(lacking) > 1 else ''} {listing(map(repr, lacking))} "
            f"that the model was trained on"
        )
    return Values(
        {column.name: table.numbers(column.name) for column in columns if isinstance(column, NumberColumn)},
        {column.name: table.words(column.name) for column in columns if isinstance(column, TextColumn)},
    )


def learn(values: Values, names: Sequence[str], rows: IntArray) -> tuple[Column, ...]:
    """The encoding of each column, from the training rows alone."""
    return tuple(
        _learn_text(name, values.words[name], rows)
        if name in values.words
        else _learn_number(name, values.numbers[name][rows])
        for name in names
    )


def _learn_text(name: str, column: Words, rows: IntArray) -> TextColumn:
    count = len(column.vocabulary)
    if count > MOST_CATEGORIES:
        raise UserError(f"column {name!r} holds {count} different texts; at most {MOST_CATEGORIES} can be encoded")
    return TextColumn(name, tuple(column.among(rows)))


def _learn_number(name: str, values: Float64Array) -> NumberColumn:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return NumberColumn(name, low, 1.0)
    # In units of the largest magnitude, whose sum and whose squares cannot overflow.
    unit = max(abs(low), abs(high))
    scaled = values / unit
    mean = float(scaled.mean())
    deviation = float(np.sqrt(np.mean((scaled - mean) ** 2))) * unit
    return NumberColumn(name, mean * unit, usable_scale(deviation))


def usable_scale(deviation: float) -> float:
    """What numbers of a standard deviation are divided by: by a subnormal number their quotients would overflow."""
    return max(deviation, float(np.finfo(np.float64).tiny))


def encode(columns: Sequence[Column], values: Values, rows: int) -> Float64Array:
    """The feature matrix, shape (rows, sum of the widths).

    Raises
    ------
    UserError
        If a standardised number is beyond the range of float64.
    """
    features = np.zeros((rows, width_of(columns)))
    for column, block in blocks(columns, features):
        with np.errstate(over="ignore"):
            column.fill(block, values, slice(None))
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            raise UserError(f"column {column.name!r}, row {int(finite.argmin()) + 1}: too large to standardise")
    return features


def width_of(columns: Sequence[Column]) -> int:
    """How many features the columns become."""
    return sum(column.width for column in columns)


def blocks(columns: Sequence[Column], features: Float64Array) -> Iterator[tuple[Column, Float64Array]]:
    """Each column with its part of a feature matrix."""
    start = 0
    for column in columns:
        yield column, features[:, start : start + column.width]
        start += column.width
