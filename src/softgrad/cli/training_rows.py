"""The rows of a training: shards of pieces, by an encoding that one pass over all of them tells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from softgrad.cli.classes import Classes
from softgrad.cli.columns import Column
from softgrad.cli.division import Divided
from softgrad.cli.encoder import Encoder, Piece
from softgrad.cli.errors import UserError
from softgrad.cli.labels_found import FoundLabels
from softgrad.cli.origin import Origin
from softgrad.cli.readers import Readers
from softgrad.cli.reading_progress import ReadingProgress
from softgrad.cli.roles import Roles
from softgrad.cli.table_learning import TableLearning
from softgrad.cli.tables import Table
from softgrad.linear_model._data._batches import Batch, Batches


class Shard(ABC):
    """Rows that stay together, whoever reads them.

    `origin` is what messages call the rows of all shards.
    """

    origin: Origin
    divided: Divided

    @abstractmethod
    def pieces(self, *, test: bool) -> Iterator[Piece]:
        """A pass over the rows for the training, and those for the test if they are wanted; at every pass the same."""


class Rows(ABC):
    """Rows that are divided and encoded."""

    target: str
    probability_columns: Sequence[str] = ()
    classes: Classes
    origin: Origin
    reading: ReadingProgress | None
    columns: Sequence[Column]
    shards: Sequence[Shard]
    train_rows: int
    test_rows: int

    def training(self) -> Iterator[Piece]:
        """A pass over the rows for the training."""
        return (piece for shard in self.shards for piece in shard.pieces(test=False))

    def pieces(self) -> Iterator[Piece]:
        """A pass over all rows."""
        return (piece for shard in self.shards for piece in shard.pieces(test=True))


@dataclass(frozen=True)
class TableShard(Shard):
    """A shard of a table."""

    table: Table
    number: int
    encoder: Encoder
    divided: Divided

    @property
    def origin(self) -> Origin:  # type: ignore[override]
        return self.table.origin

    def pieces(self, *, test: bool) -> Iterator[Piece]:
        parts = self.table.shard(self.number, self.encoder.length)
        return self.encoder.pieces(parts, self.divided.division(), test=test)


class EncodedRows(Rows):
    """The rows of a table; what there is to learn for their encoding is learnt by `readers`.

    Attributes
    ----------
    learnt : TableLearnt
    encoder : Encoder

    Raises
    ------
    UserError
        A value is missing where none may be, infinite or too large, a column cannot be encoded, or the classes are too
        few or too many.
    """

    def __init__(self, table: Table, roles: Roles, fraction: float, seed: int, readers: Readers) -> None:
        self.target, self.origin, self.reading = roles.target, table.origin, table.reading
        self.probability_columns = roles.probability_columns
        kinds = {name: table.kind(name) for name in roles.features}
        self.learnt = learnt = readers.learnt(table, TableLearning(roles, kinds, fraction, seed))
        self.train_rows, self.test_rows = learnt.train_rows, learnt.test_rows
        if not self.train_rows:
            raise UserError(f"{table.name} has no row without a missing value")
        found = FoundLabels(table.name, roles.target, learnt.counts.labels)
        self.classes = roles.classes or found.classes(roles.labels)
        if roles.classes is None and len(learnt.weighted) < 2:
            classes = f"those of class {learnt.weighted.pop()!r}" if learnt.weighted else "none"
            raise UserError(
                f"{table.name}: of the rows for the training column {roles.sample_weight!r} gives {classes} a weight "
                f"above 0; two classes need one"
            )
        self.columns = tuple(column.column(table.origin) for column in learnt.columns.values())
        self.encoder = Encoder(roles, self.columns, self.classes)
        self.shards = [
            TableShard(table, number, self.encoder, divided) for number, divided in enumerate(learnt.divided)
        ]


class HeldRows(Rows):
    """Rows whose pieces are kept in memory."""

    def __init__(self, rows: Rows) -> None:
        self.target, self.classes, self.origin = rows.target, rows.classes, rows.origin
        self.reading = None
        self.columns, self.probability_columns = rows.columns, rows.probability_columns
        self.train_rows, self.test_rows = rows.train_rows, rows.test_rows
        self.shards = [_HeldShard(list(shard.pieces(test=True)), shard.origin, shard.divided) for shard in rows.shards]


@dataclass(frozen=True)
class _HeldShard(Shard):
    held: Sequence[Piece]
    origin: Origin
    divided: Divided

    def pieces(self, *, test: bool) -> Iterator[Piece]:
        return (piece for piece in self.held if test or not piece.is_test)


class TrainingBatches(Batches):
    """The rows of a shard for the training, checked and with their class numbers, as often as they are asked for."""

    def __init__(self, shard: Shard, classes: Classes) -> None:
        self._shard = shard
        self._numbers = list(range(len(classes.labels)))

    def __iter__(self) -> Iterator[Batch]:
        for piece in self._shard.pieces(test=False):
            yield Batch(piece.features, self._numbers, piece.targets.values, piece.weights)
