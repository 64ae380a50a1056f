"""The classes of rows that come in parts, and which of the rows are for the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from softgrad.cli.errors import UserError
from softgrad.cli.tables import BoolArray, IntArray, Labels, Words
from softgrad.cli.targets import MOST_CLASSES, Classes, Kind, found_classes, kind_of


class Division:
    """Which rows are for the training, decided for each by itself: by chance, but the first row of a class always is.

    The same rows in the same order are divided alike, however they are cut into parts.
    """

    def __init__(self, fraction: float, seed: int) -> None:
        self._fraction = fraction
        self._seed = seed
        self._first_rows: set[int] = set()

    def start(self) -> Callable[[int, int], BoolArray]:
        """For one pass: whether each row of a part is for the training, by the number of its first row and of its rows.

        The parts come in their order.
        """
        generator = np.random.default_rng(self._seed)

        def of_part(first_row: int, rows: int) -> BoolArray:
            train = generator.random(rows) >= self._fraction
            for row in self._first_rows:
                if first_row <= row < first_row + rows:
                    train[row - first_row] = True
            return train

        return of_part

    def keep(self, row: int) -> None:
        """The row is the first of its class."""
        self._first_rows.add(row)


class FoundLabels:
    """The labels of a target, found part by part; the first row of each is kept for the training.

    Attributes
    ----------
    train_rows, test_rows : int
        Rows so far.
    """

    def __init__(self, target: str, division: Division) -> None:
        self._target = target
        self._division = division
        self._kind: Kind = "text"
        self._found: set[object] = set()
        self._trained_in = division.start()
        self.train_rows = self.test_rows = 0

    def add(self, labels: Labels, first_row: int) -> BoolArray:
        """Take in the labels of the next part; returns which of its rows are for the training.

        Raises
        ------
        UserError
            There are too many different ones.
        """
        self._kind = kind_of(labels)
        values: IntArray | BoolArray
        present: Sequence[object]
        if isinstance(labels, Words):
            values, distinct, present = labels.codes, np.arange(len(labels.vocabulary)), labels.vocabulary
        else:
            values, distinct = labels, np.unique(labels)
            present = distinct.tolist()
        new = {label: value for label, value in zip(present, distinct, strict=True) if label not in self._found}
        self._found.update(new)
        if len(self._found) > MOST_CLASSES:
            raise UserError(
                f"target {self._target!r} has more than {MOST_CLASSES} different values; so many classes cannot be "
                f"told apart, and regression targets are not supported"
            )
        for value in new.values():
            self._division.keep(first_row + int((values == value).argmax()))
        train = self._trained_in(first_row, len(values))
        self.train_rows += int(train.sum())
        self.test_rows += int((~train).sum())
        return train

    def classes(self) -> Classes:
        """The classes of all labels so far.

        Raises
        ------
        UserError
            There is a single one.
        """
        return found_classes(self._target, self._kind, tuple(sorted(self._found)))  # type: ignore[type-var, arg-type]
