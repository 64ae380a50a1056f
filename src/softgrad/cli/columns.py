"""From table columns to features: numbers standardised, text one-hot, as learnt from training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array

from softgrad.cli.errors import UserError, listing
from softgrad.cli.kinds import Kind
from softgrad.cli.origin import Origin
from softgrad.cli.tables import BoolArray, Float64Array, IntArray, Part, Words

Features: TypeAlias = Float64Array | csr_array

# What a feature takes in a sparse row, and in a dense one.
_SPARSE_BYTES, _DENSE_BYTES = 12, 8


def dense(features: Features) -> Float64Array:
    rows: Float64Array = features.toarray() if isinstance(features, csr_array) else features
    return rows


@dataclass(frozen=True)
class NumberColumn:
    """A numeric column: (value - mean) / scale. The scale of a constant column is 1.

    `fill` takes the place of a missing value; None: a row without one cannot be used. `truths` says that a text file
    has true and false there, which count as 1 and 0; None, that it was not recorded.
    """

    name: str
    mean: float
    scale: float
    fill: float | None = None
    truths: bool | None = False

    @property
    def width(self) -> int:
        return 1

    def standardised(self, values: Float64Array) -> Float64Array:
        with np.errstate(over="ignore"):
            result: Float64Array = (values - self.mean) / self.scale
        return result


@dataclass(frozen=True)
class TextColumn:
    """A text column, one-hot over the categories seen in training; any other text is all zeros.

    `fill` takes the place of a missing cell; None: a row without one cannot be used.
    """

    name: str
    categories: tuple[str, ...]
    fill: str | None = None

    @property
    def width(self) -> int:
        return len(self.categories)

    def places(self, words: Words) -> IntArray:
        """The place of each row's text among the categories, -1 if it has none."""
        place = {category: index for index, category in enumerate(self.categories)}
        return np.array([*(place.get(word, -1) for word in words.vocabulary), -1])[words.codes]


Column = NumberColumn | TextColumn


def as_it_is(name: str, kind: Kind) -> Column:
    """A column of text, or of numbers or truth values, of which nothing is known yet."""
    return TextColumn(name, ()) if kind == "text" else NumberColumn(name, 0.0, 1.0, truths=kind == "truth value")


@dataclass(frozen=True)
class Values:
    """What the feature columns hold in some rows, NaN or the code -1 where nothing; each name in one of the two."""

    numbers: dict[str, Float64Array]
    words: dict[str, Words]

    def missing(self, name: str) -> BoolArray:
        return np.isnan(self.numbers[name]) if name in self.numbers else self.words[name].codes < 0

    def of(self, rows: IntArray | BoolArray) -> Values:
        """The values of some of the rows; the vocabularies stay whole."""
        return Values(
            {name: values[rows] for name, values in self.numbers.items()},
            {name: Words(words.codes[rows], words.vocabulary) for name, words in self.words.items()},
        )


def read(part: Part, columns: Sequence[Column]) -> Values:
    """The columns of a part as what a model has them as, missing cells filled where it says with what."""
    of_numbers = [column for column in columns if isinstance(column, NumberColumn)]
    matrix = part.matrix([column.name for column in of_numbers], [column.truths for column in of_numbers])
    values = Values({}, {})
    for column, numbers in zip(of_numbers, matrix.T, strict=True):
        values.numbers[column.name] = numbers
        if column.fill is not None:
            numbers[np.isnan(numbers)] = column.fill
    for text in columns:
        if isinstance(text, TextColumn):
            words = part.words(text.name)
            values.words[text.name] = words if text.fill is None else _filled(words, text.fill)
    return values


def _filled(words: Words, fill: str) -> Words:
    if fill in words.vocabulary:
        return Words(np.where(words.codes < 0, words.vocabulary.index(fill), words.codes), words.vocabulary)
    # The order of the words does not matter any more.
    return Words(np.where(words.codes < 0, len(words.vocabulary), words.codes), [*words.vocabulary, fill])


def require_columns(name: str, present: Sequence[str], columns: Sequence[Column]) -> None:
    """Refuses a table that has not all columns of the training."""
    found = set(present)
    lacking = [column.name for column in columns if column.name not in found]
    if lacking:
        raise UserError(
            f"{name} lacks the column{'s' if len(lacking) > 1 else ''} {listing(map(repr, lacking))} "
            f"that the model was trained on; its columns are {listing(present)}"
        )


def width_of(columns: Sequence[Column]) -> int:
    """How many features the columns become."""
    return sum(column.width for column in columns)


def feature_names(columns: Sequence[Column]) -> list[str]:
    """What each feature is: a column of numbers, or one text of a column."""
    names = []
    for column in columns:
        texts = column.categories if isinstance(column, TextColumn) else None
        names += [column.name] if texts is None else [f"{column.name} = {text}" for text in texts]
    return names


def are_sparse(columns: Sequence[Column]) -> bool:
    """Whether rows take less memory as CSR: a number has one entry, and so has a text."""
    return _SPARSE_BYTES * len(columns) < _DENSE_BYTES * width_of(columns)


def encode(columns: Sequence[Column], values: Values, origin: Origin, row_numbers: IntArray) -> Features:
    """The feature matrix of some rows, none with a missing value, (rows, sum of the widths); CSR if that is smaller.

    `row_numbers` are those of the rows in their table.

    Raises
    ------
    UserError
        A standardised number is beyond the range of float64.
    """
    standardised = {
        column.name: _finite(column, values, origin, row_numbers)
        for column in columns
        if isinstance(column, NumberColumn)
    }
    encoded = _sparse if are_sparse(columns) else _dense
    return encoded(columns, Values(standardised, values.words), len(row_numbers))


def _dense(columns: Sequence[Column], values: Values, rows: int) -> Float64Array:
    features = np.zeros((rows, width_of(columns)))
    start = 0
    for column in columns:
        block = features[:, start : start + column.width]
        if isinstance(column, NumberColumn):
            block[:, 0] = values.numbers[column.name]
        else:
            places = column.places(values.words[column.name])
            known = np.flatnonzero(places >= 0)
            block[known, places[known]] = 1.0
        start += column.width
    return features


def _sparse(columns: Sequence[Column], values: Values, rows: int) -> csr_array:
    shape = (rows, len(columns))
    entries, indices = np.ones(shape), np.empty(shape, np.int32)
    start = 0
    for number, column in enumerate(columns):
        if isinstance(column, NumberColumn):
            entries[:, number] = values.numbers[column.name]
            indices[:, number] = start
        else:
            places = column.places(values.words[column.name])
            indices[:, number] = np.where(places < 0, -1, start + places)
        start += column.width
    known = indices >= 0
    ends = np.concatenate([[0], np.cumsum(known.sum(axis=1))]).astype(np.int32)
    return csr_array((entries[known], indices[known], ends), shape=(rows, start))


def _finite(column: NumberColumn, values: Values, origin: Origin, row_numbers: IntArray) -> Float64Array:
    standardised = column.standardised(values.numbers[column.name])
    finite = np.isfinite(standardised)
    if not finite.all():
        row = row_numbers[finite.argmin()]
        raise UserError(f"{origin.cell(column.name, row)}: too large to standardise")
    return standardised
