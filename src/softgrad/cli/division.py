"""Which rows are for the training and which for the test, decided row by row: no matter where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from softgrad.cli.tables import BoolArray, IntArray


class Division:
    """By chance, but so that each class has the same share in both, and its first row is for the training.

    Of every few rows of a class that follow each other, as many as the fraction says, one is drawn. The same rows in
    the same order are divided alike, however they are cut into parts, and from whichever of them on: `before` says how
    many rows of each label are before these.
    """

    def __init__(self, fraction: float, seed: int, before: Mapping[object, int] | None = None) -> None:
        self._fraction = fraction
        self._seed = seed
        self._before = before or {}
        self._classes: dict[object, _Turns] = {}

    def train(self, labels: Sequence[object], codes: IntArray) -> BoolArray:
        """Which of the next rows are for the training; row i has the label `labels[codes[i]]`."""
        train = np.ones(len(codes), np.bool_)
        if self._fraction == 0.0:
            return train
        for code in np.unique(codes).tolist():
            label = labels[code]
            if label not in self._classes:
                self._classes[label] = _Turns(self._fraction, self._generator(label), self._before.get(label, 0))
            rows = np.flatnonzero(codes == code)
            train[rows] = ~self._classes[label].next(len(rows))
        return train

    def _generator(self, label: object) -> np.random.PCG64:
        return np.random.PCG64([self._seed, int.from_bytes(repr(label).encode())])


@dataclass(frozen=True)
class Divided:
    """How a shard is divided.

    before : how many rows of each label the shards before it have. train_rows, test_rows : how many of it are for what.
    """

    fraction: float
    seed: int
    before: Mapping[object, int]
    train_rows: int
    test_rows: int

    def division(self) -> Division:
        """Of its rows from the first on."""
        return Division(self.fraction, self.seed, self.before)


class _Turns:
    """Which rows of a class are for the test: in each window of 1 / fraction rows one, or all but one.

    The first that it is asked for is the row `first` of the class.
    """

    def __init__(self, fraction: float, generator: np.random.PCG64, first: int) -> None:
        self._test_is_rare = fraction <= 0.5
        self._length = 1.0 / (fraction if self._test_is_rare else 1.0 - fraction)
        # The window of the row, or one before it; each takes one number of the generator.
        self._windows = max(int(first / self._length) - 1, 0)
        self._generator = np.random.Generator(generator.advance(self._windows))
        self._rows = first
        self._drawn: IntArray = np.empty(0, np.int64)

    def next(self, rows: int) -> BoolArray:
        end = self._rows + rows
        while self._windows * self._length < end:
            self._draw(int((end - self._windows * self._length) / self._length) + 1)
        drawn = self._drawn[self._drawn >= self._rows]
        here = drawn[drawn < end]
        self._drawn = drawn[len(here) :]
        rare = np.zeros(rows, np.bool_)
        rare[here - self._rows] = True
        self._rows = end
        return rare if self._test_is_rare else ~rare

    def _draw(self, windows: int) -> None:
        # Edges are whole and at least two apart, so that each window has a row of its own.
        edges = np.rint((self._windows + np.arange(windows + 1)) * self._length).astype(np.int64)
        offsets = np.floor(self._generator.random(windows) * np.diff(edges)).astype(np.int64)
        if self._windows == 0:
            # The first row of a class is for the training.
            offsets[0] = max(offsets[0], 1) if self._test_is_rare else 0
        self._drawn = np.concatenate([self._drawn, edges[:-1] + offsets])
        self._windows += windows
