"""The rows of svmlight files for `softgrad train`: sparse, so neither centred nor encoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from softgrad.cli.classes import Classes
from softgrad.cli.division import Divided, Division
from softgrad.cli.encoder import Piece
from softgrad.cli.errors import UserError
from softgrad.cli.labels_found import FoundLabels
from softgrad.cli.origin import Origin
from softgrad.cli.probabilities import Targets
from softgrad.cli.readers import Readers
from softgrad.cli.shard_learning import Counts, Learning, Learnt
from softgrad.cli.svmlight import SvmlightFiles, label_numbers
from softgrad.cli.svmlight_columns import SvmlightColumns, UsedIndices
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.cli.training_rows import Rows, Shard
from softgrad.linear_model._data._svmlight import are_whole


class SvmlightEncoder(NamedTuple):
    """What was learnt of all files."""

    columns: SvmlightColumns
    classes: Classes


@dataclass(frozen=True)
class SvmlightShard(Shard):
    """A file."""

    files: SvmlightFiles
    number: int
    encoder: SvmlightEncoder
    divided: Divided

    @property
    def origin(self) -> Origin:  # type: ignore[override]
        return self.files.origin

    def pieces(self, *, test: bool) -> Iterator[Piece]:
        columns, classes = self.encoder
        division = self.divided.division()
        for X, y, row_numbers in self.files.shard(self.number):
            codes = label_numbers(y, classes, self.origin, row_numbers)
            train = division.train(classes.labels, codes)
            for is_test in (False, True) if test else (False,):
                chosen = np.flatnonzero(train != is_test)
                if len(chosen):
                    features, targets = columns.of(X[chosen]), Targets.of_labels(codes[chosen])
                    yield Piece(features, targets, np.ones(len(chosen)), row_numbers[chosen], is_test)


# What the label at the start of each line is called.
_TARGET = "label"


@dataclass
class SvmlightLearnt(Learnt):
    """Also which features there are."""

    used: UsedIndices

    def merge(self, other: Self) -> None:
        super().merge(other)
        self.used.add(other.used.ascending())


@dataclass(frozen=True)
class SvmlightLearning(Learning[SvmlightFiles, SvmlightLearnt]):
    """Of rows that are divided by a fraction and a seed."""

    fraction: float
    seed: int
    counted = None

    def counts(self, files: SvmlightFiles, number: int) -> Counts:
        return self.learn(files, number, Counts(0, {})).counts

    def learn(self, files: SvmlightFiles, number: int, before: Counts) -> SvmlightLearnt:
        found, used = FoundLabels(str(files.origin), _TARGET, before.labels), UsedIndices()
        division = Division(self.fraction, self.seed, before.labels)
        rows = train_rows = 0
        for X, y, row_numbers in files.shard(number):
            used.add(X.indices)
            train = division.train(found.labels, found.add(_whole(y, files.origin, row_numbers)))
            rows += len(train)
            train_rows += int(train.sum())
        divided = Divided(self.fraction, self.seed, before.labels, train_rows, rows - train_rows)
        return SvmlightLearnt(Counts(rows, found.counts), [divided], used)


class SvmlightRows(Rows):
    """The rows of files, and which of them are for the training; classes and features are learnt by `readers`.

    Raises
    ------
    UserError
        If a file cannot be read, a value is not finite, or the classes are too few or too many.
    """

    target = _TARGET

    def __init__(self, files: SvmlightFiles, fraction: float, seed: int, readers: Readers) -> None:
        self.origin, self.reading = files.origin, files.reading
        learnt = readers.learnt(files, SvmlightLearning(fraction, seed))
        self.train_rows, self.test_rows = learnt.train_rows, learnt.test_rows
        self.classes = FoundLabels(str(self.origin), self.target, learnt.counts.labels).classes("integer")
        self.columns = SvmlightColumns(learnt.used.ascending())
        encoder = SvmlightEncoder(self.columns, self.classes)
        self.shards = [SvmlightShard(files, number, encoder, divided) for number, divided in enumerate(learnt.divided)]


def _whole(labels: IntArray | Float64Array, origin: Origin, row_numbers: IntArray) -> IntArray:
    if labels.dtype == np.int64:
        return labels.astype(np.int64, copy=False)
    row = int(are_whole(labels.astype(np.float64, copy=False)).argmin())
    raise UserError(
        f"{origin.label(row_numbers[row])}: {labels[row]:g} is no whole number; regression targets are not supported"
    )
