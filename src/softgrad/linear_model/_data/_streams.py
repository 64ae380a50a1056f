"""Rows that are read anew for every pass: files larger than memory, or batches that are made on the way.

They lie in shards, which the data alone decide: inside a shard rows are added in their order, above it in one binary
tree. So the sums have the same bits wherever the shards are.

A first pass learns the classes and their weights. From then on the source is a `RowSource` like an array in memory: the
objective and the solvers are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple, TypeVar

import scipy.sparse

from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._class_weights import weighted
from softgrad.linear_model._data._pieces import Piece, pieces_of
from softgrad.linear_model._data._read_ahead import read_ahead
from softgrad.linear_model._data._rows import Array, IteratedRows, Rows, RowSource
from softgrad.linear_model._data._survey import LabelKey, ShardSurvey, Survey
from softgrad.linear_model._data._terms import Term, added
from softgrad.linear_model._data._tree_sum import Node, TreeSum
from softgrad.linear_model._data._workers import Workers

Total = TypeVar("Total")


class Stream(ABC):
    """All rows, wherever they are."""

    @abstractmethod
    def survey(self, *, digest: bool) -> Survey:
        """Make the first pass, with a fingerprint of the rows or without."""

    @abstractmethod
    def rows(self, survey: Survey, class_weights: Array) -> RowSource:
        """The rows as the objective takes them, weighted by their classes, too."""


class LocalStream(Stream):
    """Shards that this process reads."""

    def __init__(self, shards: Sequence[Batches]) -> None:
        self._shards = shards

    def survey(self, *, digest: bool) -> Survey:
        return Survey([ShardSurvey.of(batches, digest=digest) for batches in self._shards])

    def rows(self, survey: Survey, class_weights: Array) -> StreamedRows:
        return StreamedRows(self._shards, survey, Encoding.of(survey, class_weights))


class Encoding(NamedTuple):
    """What makes rows of a fit of those of the shards: the number of each label, and the weight of each class.

    n_features : of all shards; sparse rows may come with fewer.
    """

    numbers: dict[LabelKey, int]
    class_weights: Array
    total_weight: float
    n_features: int

    @classmethod
    def of(cls, survey: Survey, class_weights: Array) -> Encoding:
        return cls(survey.numbers, class_weights, float(survey.totals @ class_weights), survey.n_features)


class ShardRows(IteratedRows):
    """The rows of a shard as the objective takes them; of all passes only the current piece is in memory."""

    resident = False

    def __init__(self, batches: Batches, survey: ShardSurvey, encoding: Encoding) -> None:
        self._batches = batches
        self.ahead = batches.ahead
        self._numbers, self._class_weights, self.total_weight, self.n_features = encoding
        self.dtype, self.is_sparse, self.n_rows = survey.dtype, survey.is_sparse, survey.n_rows
        self._n_probabilities, self._own_features = survey.n_probabilities, survey.n_features
        self._source = survey.file or "the source"

    def __iter__(self) -> Iterator[Rows]:
        """Raises ValueError where they are other rows than in the first pass."""
        rows = features = 0
        for piece in pieces_of(self._batches, self._number):
            rows += len(piece.codes)
            features = max(features, piece.X.shape[1])
            if rows > self.n_rows:
                break
            X = self._features(piece)
            labels, weights = weighted(piece.codes, piece.weights, self._class_weights)
            weights = weights / self.total_weight
            counted = weights > 0
            if counted.all():
                yield Rows(X, labels, weights)
            elif counted.any():
                yield Rows(X[counted], labels[counted], weights[counted])
        if rows != self.n_rows:
            more = "more rows than" if rows > self.n_rows else f"{rows} rows, not the"
            raise ValueError(f"{self._source} has changed since the first pass: it gives {more} {self.n_rows}")
        # Of sparse rows, pieces may come with fewer; not all of them.
        self._check_same("features", features, self._own_features)

    def _features(self, piece: Piece) -> Any:
        """The features of a piece, all that there are; its rows are of the form of the first pass."""
        X = piece.X
        if self.is_sparse and X.shape[1] < self.n_features:
            X = scipy.sparse.csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], self.n_features))
        self._check_same("features", X.shape[1], self.n_features)
        self._check_same("class probabilities", piece.probabilities, self._n_probabilities)
        return X

    def _check_same(self, what: str, found: int, expected: int) -> None:
        if found != expected:
            raise ValueError(
                f"{self._source} has changed since the first pass: its rows have {found} {what}, not the {expected}"
            )

    def _number(self, label: object) -> int:
        number = self._numbers.get((type(label), label))
        if number is None:
            raise ValueError(f"{self._source} has changed since the first pass: the label {label!r} is new")
        return number


class StreamedRows(RowSource):
    """The rows of several shards."""

    resident = False

    def __init__(self, shards: Sequence[Batches], survey: Survey, encoding: Encoding) -> None:
        self.shards = [ShardRows(*shard, encoding) for shard in zip(shards, survey.shards, strict=True)]
        self.dtype, self.is_sparse = survey.dtype, survey.is_sparse
        self.n_rows, self.n_features = survey.n_rows, survey.n_features
        self.total_weight = encoding.total_weight

    def total(self, term: Term[Rows, Total], workers: Workers, length: int) -> Total:
        tree = TreeSum(term.add)
        for total in totals_of(self.shards, term, workers, length):
            tree.append(Node(0, total))
        return tree.total()


def totals_of(shards: Sequence[ShardRows], term: Term[Rows, Total], workers: Workers, length: int) -> Iterator[Total]:
    """The sum over the rows of each shard.

    Where it pays one thread reads ahead, from a shard into the next: a thread for each would have memory of its own.
    """
    read = _until_none(shards)
    with closing(read_ahead(read) if shards[0].ahead else read) as pieces:
        for _ in shards:
            of_shard = iter(partial(next, pieces), None)
            yield added(term, (part for rows in of_shard for part in workers.map(term.part, rows.blocks(length))))


def _until_none(shards: Sequence[ShardRows]) -> Generator[Rows | None]:
    """The rows of all shards, None after those of each."""
    for shard in shards:
        yield from shard
        yield None
