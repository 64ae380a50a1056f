"""What is learnt of columns, part by part and shard by shard: how numbers are standardised, texts, what is odd."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise
from typing import Literal

import numpy as np

from softgrad.cli.columns import NumberColumn, TextColumn
from softgrad.cli.errors import UserError, asked
from softgrad.cli.kinds import Kind
from softgrad.cli.moments import Moments
from softgrad.cli.origin import Origin
from softgrad.cli.tables import BoolArray, Float64Array, IntArray, Words

# A text column with more is an identifier or free text; it would be a matrix and not a feature.
MOST_CATEGORIES = 1000

Missing = Literal["error", "drop", "mean", "median", "most-frequent"]
MISSING: tuple[Missing, ...] = ("error", "drop", "mean", "median", "most-frequent")
# Of a table with more the numbers of a column are not kept, which would show whether they number the rows.
_MOST_NUMBERED = 1 << 20


def fills(policy: Missing) -> bool:
    """Whether a missing value is replaced by what is learnt."""
    return policy not in ("error", "drop")


@dataclass
class Numbers:
    """A column of numbers; `training` is of those in the training rows.

    `least` and `most` are of all rows, each with the row that it is in. `missing` counts all rows.
    """

    name: str
    policy: Missing
    truths: bool
    training: Moments = field(default_factory=Moments)
    least: tuple[float, int] = (math.inf, 0)
    most: tuple[float, int] = (-math.inf, 0)
    rows: int = 0
    missing: int = 0
    counts_the_rows: bool = True
    example: str = ""
    _offset: float = 0.0
    # The different values, ascending; None once one came twice or is not whole, or there are very many rows.
    _different: Float64Array | None = field(default_factory=lambda: np.empty(0))
    _of_value: Counter[float] = field(default_factory=Counter)
    _of_class: dict[int, tuple[float, float]] = field(default_factory=dict)

    def add(self, values: Float64Array, train: BoolArray, codes: IntArray, row_numbers: IntArray) -> None:
        """The numbers of some rows, NaN where missing, of which those for the training count."""
        given = ~np.isnan(values)
        self._look_for_a_count(values)
        self.rows += len(values)
        self.missing += len(values) - int(given.sum())
        if not given.any():
            return
        present = values[given]
        rows = row_numbers[given]
        if not self.example:
            self.example = f"{present[0]:g}"
        least, most = int(present.argmin()), int(present.argmax())
        self.least = min(self.least, (float(present[least]), int(rows[least])))
        self.most = max(self.most, (float(present[most]), int(rows[most])))
        self._look_for_numbers_of_rows(present if rows[-1] <= _MOST_NUMBERED else None)
        self._of_classes(present, codes[given])
        counted = values[train & given]
        if len(counted):
            self.training.add(counted)
            self._count(counted)

    def merge(self, other: Numbers) -> None:
        """Take in what is known of the rows that follow."""
        if not self.rows:
            self._offset = other._offset
        follows = not other.rows or other._offset == self._offset + self.rows
        self.counts_the_rows &= other.counts_the_rows and follows
        self.rows += other.rows
        self.missing += other.missing
        self.example = self.example or other.example
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)
        self._look_for_numbers_of_rows(other._different)
        for code, (low, high) in other._of_class.items():
            self._widen(code, low, high)
        self.training.merge(other.training)
        self._of_value.update(other._of_value)

    def _count(self, counted: Float64Array) -> None:
        if self.policy in ("median", "most-frequent"):
            distinct, counts = np.unique(counted, return_counts=True)
            for value, count in zip(distinct.tolist(), counts.tolist(), strict=True):
                self._of_value[value] += count

    def _look_for_a_count(self, values: Float64Array) -> None:
        """Whether the column counts its rows, from wherever."""
        if self.rows == 0 and len(values):
            self._offset = float(values[0])
        expected = self._offset + self.rows + np.arange(len(values))
        self.counts_the_rows &= bool((values == expected).all())

    def _look_for_numbers_of_rows(self, values: Float64Array | None) -> None:
        """The next values; None: they do not number the rows."""
        if self._different is None:
            return
        if values is None or (values != np.rint(values)).any():
            self._different = None
            return
        count = len(self._different) + len(values)
        self._different = np.union1d(self._different, values)
        if len(self._different) < count:
            self._different = None

    @property
    def numbers_the_rows(self) -> bool:
        """Whether each row has a whole number of its own, and most numbers in their range are there: an identifier."""
        values = self._different
        return values is not None and len(values) > 1 and bool(values[-1] - values[0] < 2 * len(values))

    def _of_classes(self, values: Float64Array, codes: IntArray) -> None:
        order = np.argsort(codes, kind="stable")
        present, starts = np.unique(codes[order], return_index=True)
        lows = np.minimum.reduceat(values[order], starts).tolist()
        highs = np.maximum.reduceat(values[order], starts).tolist()
        for code, low, high in zip(present.tolist(), lows, highs, strict=True):
            self._widen(code, low, high)

    def _widen(self, code: int, low: float, high: float) -> None:
        """The range of a class, by another one of it."""
        before = self._of_class.get(code, (math.inf, -math.inf))
        self._of_class[code] = (min(before[0], low), max(before[1], high))

    @property
    def tells_the_class(self) -> bool:
        """Whether the ranges of the classes do not meet, so that a threshold or two tell them apart."""
        ranges = sorted(self._of_class.values())
        return len(ranges) > 1 and all(a[1] < b[0] for a, b in pairwise(ranges))

    @property
    def average(self) -> float:
        return self.training.average

    def fill(self) -> float | None:
        """What takes the place of a missing number."""
        if not fills(self.policy):
            return None
        if self.policy == "mean":
            return self.average
        if self.policy == "median":
            return _median(self._of_value)
        most = max(self._of_value.values())
        return min(value for value, count in self._of_value.items() if count == most)

    def column(self, origin: Origin) -> NumberColumn:
        """How they are standardised; `origin` is what messages call the rows.

        Raises
        ------
        UserError
            The training rows have no number, or one of any row would be beyond the range of float64.
        """
        training = self.training
        if training.count == 0:
            raise UserError(_nothing_learnt(origin, self.name))
        if training.low == training.high:
            column = NumberColumn(self.name, training.low, 1.0, self.fill(), self.truths)
        else:
            scale = usable_scale(training.deviation)
            column = NumberColumn(self.name, self.average, scale, self.fill(), self.truths)
        for value, row in (self.least, self.most):
            if not np.isfinite(column.standardised(np.array([value]))[0]):
                raise UserError(f"{origin.cell(self.name, row)}: too large to standardise")
        return column


@dataclass
class Texts:
    """A column of text: which texts there are, and which of them occur in training rows."""

    name: str
    policy: Missing
    rows: int = 0
    missing: int = 0
    example: str = ""
    trained: Counter[str] = field(default_factory=Counter)
    # The number of its class; -1: it has several.
    _class_of: dict[str, int] = field(default_factory=dict)

    def add(self, words: Words, train: BoolArray, codes: IntArray, _: IntArray) -> None:
        given = words.codes >= 0
        self.rows += len(given)
        self.missing += len(given) - int(given.sum())
        if not self.example and given.any():
            self.example = words.vocabulary[words.codes[given.argmax()]]
        if self.too_many:
            return
        counts = np.bincount(words.codes[train & given], minlength=len(words.vocabulary)).tolist()
        self.trained.update({word: count for word, count in zip(words.vocabulary, counts, strict=True) if count})
        pairs = np.unique(words.codes[given] * (int(codes.max(initial=0)) + 1) + codes[given])
        for pair in pairs.tolist():
            code, label = divmod(pair, int(codes.max(initial=0)) + 1)
            self._belongs(words.vocabulary[code], label)

    def merge(self, other: Texts) -> None:
        """Take in what is known of the rows that follow."""
        self.rows += other.rows
        self.missing += other.missing
        self.example = self.example or other.example
        if self.too_many:
            return
        for word, label in other._class_of.items():
            self._belongs(word, label)
        self.trained.update(other.trained)

    def _belongs(self, word: str, label: int) -> None:
        self._class_of[word] = label if self._class_of.get(word, label) == label else -1

    @property
    def too_many(self) -> bool:
        """Whether there are more than can be encoded; then they are not looked at any more."""
        return len(self._class_of) > MOST_CATEGORIES

    @property
    def texts(self) -> Collection[str]:
        """The different ones, or the first of too many."""
        return self._class_of.keys()

    @property
    def different(self) -> int:
        return len(self._class_of)

    @property
    def most_frequent(self) -> str:
        most = max(self.trained.values())
        return min(word for word, count in self.trained.items() if count == most)

    @property
    def tells_the_class(self) -> bool:
        """Whether each text is of one class, of several, though most have several rows."""
        classes = set(self._class_of.values())
        enough = not self.too_many and self.different <= (self.rows - self.missing) // 2
        return enough and len(classes) > 1 and -1 not in classes

    def forget_too_many(self) -> None:
        """Keep no more than that there are too many, where none of them can be of use."""
        if self.too_many:
            self._class_of = dict(islice(self._class_of.items(), MOST_CATEGORIES + 1))
            self.trained.clear()

    def column(self, origin: Origin) -> TextColumn:
        """How they are encoded; `origin` is what messages call the rows.

        Raises
        ------
        UserError
            There are too many, or the training rows have none.
        """
        if self.too_many:
            raise UserError(
                f"{origin}: column {self.name!r} holds more than {MOST_CATEGORIES} different texts, at most so "
                f"many can be encoded; {asked('--drop', self.name)} leaves it out"
            )
        if not self.trained:
            raise UserError(_nothing_learnt(origin, self.name))
        fill = self.most_frequent if fills(self.policy) else None
        return TextColumn(self.name, tuple(sorted(self.trained)), fill)


def learner(name: str, kind: Kind, policy: Missing) -> Numbers | Texts:
    """What learns of a column of text, or of numbers or truth values."""
    return Texts(name, policy) if kind == "text" else Numbers(name, policy, kind == "truth value")


def _nothing_learnt(origin: Origin, name: str) -> str:
    return f"{origin}: column {name!r} has no value in the rows for the training; {asked('--drop', name)} leaves it out"


def usable_scale(deviation: float) -> float:
    """What numbers of a standard deviation are divided by: by a subnormal number their quotients would overflow."""
    return max(deviation, float(np.finfo(np.float64).tiny))


def _median(of_value: Counter[float]) -> float:
    values = np.array(sorted(of_value))
    ends = np.cumsum([of_value[value] for value in values.tolist()])
    low, high = values[np.searchsorted(ends, [(ends[-1] - 1) // 2 + 1, ends[-1] // 2 + 1])]
    # Their sum may be beyond the range, their halves below it.
    return float((Fraction(low) + Fraction(high)) / 2)
