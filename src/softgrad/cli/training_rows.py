"""The rows of a table as features and class numbers, by an encoding that one pass over it tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse

from softgrad.cli.classes import Classes, numbers
from softgrad.cli.columns import Column, Features, Values, are_sparse, as_it_is, encode, read, width_of
from softgrad.cli.division import Division
from softgrad.cli.errors import UserError
from softgrad.cli.labels_found import FoundLabels
from softgrad.cli.learning import Missing, Numbers, learner
from softgrad.cli.origin import Origin
from softgrad.cli.reading_progress import ReadingProgress
from softgrad.cli.tables import Float64Array, IntArray, LabelKind, Part, Table
from softgrad.linear_model._data._batches import Batch, Batches
from softgrad.linear_model._data._pieces import piece_rows


class Piece(NamedTuple):
    """Encoded rows, all for the training or all for the test; `rows` are their numbers in the table."""

    features: Features
    codes: IntArray
    weights: Float64Array
    rows: IntArray
    is_test: bool


class Rows(Protocol):
    """Rows that are divided and encoded: pieces, the same at every pass."""

    target: str
    classes: Classes
    origin: Origin
    reading: ReadingProgress | None
    train_rows: int
    test_rows: int

    @property
    def columns(self) -> Sequence[Column]: ...

    def training(self) -> Iterator[Piece]:
        """A pass over the rows for the training."""

    def pieces(self) -> Iterator[Piece]:
        """A pass over all rows."""


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are for: the features, the target and what its labels are, and row weights."""

    features: Sequence[str]
    target: str
    labels: LabelKind
    sample_weight: str | None


class EncodedRows:
    """Rows that are divided and encoded; what there is to learn for that is learnt in one pass.

    Attributes
    ----------
    target : str
    classes : Classes
    origin : Origin
        What messages call the rows.
    reading : ReadingProgress or None
    columns : tuple of Column
    learnt : mapping of str to Numbers or Texts
        What is known of each feature.
    train_rows, test_rows, dropped_rows : int

    Raises
    ------
    UserError
        A value is missing where none may be, infinite or too large, a column cannot be encoded, or the classes are too
        few or too many.
    """

    def __init__(self, table: Table, roles: Roles, policy: Missing, fraction: float, seed: int) -> None:
        self.target, self.origin, self.reading = roles.target, table.origin, table.reading
        self._table, self._roles, self._policy = table, roles, policy
        self._fraction, self._seed = fraction, seed
        kinds = {name: table.kind(name) for name in roles.features}
        self.learnt = {name: learner(table.origin, name, kind, policy) for name, kind in kinds.items()}
        # What takes the place of a missing value is known afterwards.
        self.columns: Sequence[Column] = [as_it_is(name, kind) for name, kind in kinds.items()]
        self.train_rows = self.test_rows = self.dropped_rows = 0
        found, division = FoundLabels(table.name, roles.target), Division(fraction, seed)
        weighted: set[object] = set()
        for whole in table.parts(piece_rows(len(kinds), np.dtype(np.float64))):
            part, values = self._read(whole)
            weights = self._weights(part)
            codes = found.add(part.labels(roles.target, roles.labels))
            train = division.train(found.labels, codes)
            self.train_rows += int(train.sum())
            weighted.update(found.labels[code] for code in np.unique(codes[train & (weights > 0.0)]))
            self.test_rows += int((~train).sum())
            self.dropped_rows += whole.rows - part.rows
            for name, learnt in self.learnt.items():
                column = values.numbers[name] if isinstance(learnt, Numbers) else values.words[name]
                learnt.add(column, train, codes, part.row_numbers)  # type: ignore[arg-type]
        if not self.train_rows:
            raise UserError(f"{table.name} has no row without a missing value")
        self.classes = found.classes()
        if len(weighted) < 2:
            classes = f"those of class {weighted.pop()!r}" if weighted else "none"
            raise UserError(
                f"{table.name}: of the rows for the training column {roles.sample_weight!r} gives {classes} a weight "
                f"above 0; two classes need one"
            )
        self.columns = tuple(learnt.column() for learnt in self.learnt.values())
        # The rows that the fit takes at a time.
        width = len(self.columns) if are_sparse(self.columns) else width_of(self.columns)
        self._length = piece_rows(width, np.dtype(np.float64))

    def training(self) -> Iterator[Piece]:
        """A pass over the rows for the training."""
        return (piece for piece in self._pieces(test=False) if not piece.is_test)

    def pieces(self) -> Iterator[Piece]:
        """A pass over all rows."""
        return self._pieces(test=True)

    def _pieces(self, *, test: bool) -> Iterator[Piece]:
        joined = {False: _Joined(self._length), True: _Joined(self._length)}
        division = Division(self._fraction, self._seed)
        for whole in self._table.parts(self._length):
            part, values = self._read(whole)
            codes, weights = numbers(part, self.target, self.classes), self._weights(part)
            train = division.train(self.classes.labels, codes)
            for is_test in (False, True) if test else (False,):
                chosen = np.flatnonzero(train != is_test)
                if len(chosen):
                    rows = part.row_numbers[chosen]
                    features = encode(self.columns, values.of(chosen), self._table.origin, rows)
                    yield from joined[is_test].add(Piece(features, codes[chosen], weights[chosen], rows, is_test))
        for each in joined.values():
            yield from each.rest()

    def _read(self, part: Part) -> tuple[Part, Values]:
        """The rows of a part that are kept, and their features."""
        values = read(part, self.columns)
        missing = np.zeros(part.rows, np.bool_)
        for name in self._roles.features:
            of_column = values.missing(name)
            if self._policy == "error":
                part.require_complete(name, of_column, "--missing says what takes its place")
            missing |= of_column
        if self._policy != "drop":
            return part, values
        missing |= part.missing(self.target, self._roles.labels)
        if self._roles.sample_weight is not None:
            missing |= np.isnan(part.numbers(self._roles.sample_weight, truths=False))
        return (part.where(~missing), values.of(~missing)) if missing.any() else (part, values)

    def _weights(self, part: Part) -> Float64Array:
        name = self._roles.sample_weight
        if name is None:
            return np.ones(part.rows)
        weights = part.numbers(name, truths=False)
        part.require_complete(name, np.isnan(weights), "--missing drop leaves such rows out")
        negative = weights < 0.0
        if negative.any():
            row = int(negative.argmax())
            raise UserError(f"{part.at(name, row)}: the weight {weights[row]:g} is negative")
        return weights


class _Joined:
    """Dense rows joined until there are as many as the fit takes at a time: it neither cuts nor joins them again."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._waiting: list[Piece] = []
        self._rows = 0

    def add(self, piece: Piece) -> Iterator[Piece]:
        if scipy.sparse.issparse(piece.features):
            yield piece
            return
        self._waiting.append(piece)
        self._rows += len(piece.codes)
        while self._rows >= self._length:
            whole = joined(self._waiting)
            left = _cut(whole, slice(self._length, None))
            self._waiting, self._rows = [left], len(left.codes)
            yield _cut(whole, slice(self._length))

    def rest(self) -> Iterator[Piece]:
        if self._rows:
            yield joined(self._waiting)


def _cut(piece: Piece, part: slice) -> Piece:
    return Piece(piece.features[part], piece.codes[part], piece.weights[part], piece.rows[part], piece.is_test)


def joined(pieces: Sequence[Piece]) -> Piece:
    """The rows of pieces of one kind after each other."""
    if len(pieces) == 1:
        return pieces[0]
    sparse = scipy.sparse.issparse(pieces[0].features)
    features = [piece.features for piece in pieces]
    return Piece(
        scipy.sparse.vstack(features, "csr") if sparse else np.concatenate(features),
        np.concatenate([piece.codes for piece in pieces]),
        np.concatenate([piece.weights for piece in pieces]),
        np.concatenate([piece.rows for piece in pieces]),
        pieces[0].is_test,
    )


class HeldRows:
    """Rows whose pieces are kept in memory."""

    def __init__(self, rows: Rows) -> None:
        self.target, self.classes, self.origin = rows.target, rows.classes, rows.origin
        self.reading: ReadingProgress | None = None
        self.columns: Sequence[Column] = rows.columns
        self.train_rows, self.test_rows = rows.train_rows, rows.test_rows
        self._pieces = list(rows.pieces())

    def training(self) -> Iterator[Piece]:
        return (piece for piece in self._pieces if not piece.is_test)

    def pieces(self) -> Iterator[Piece]:
        return iter(self._pieces)


class TrainingBatches(Batches):
    """The rows for the training, checked and with their class numbers, as often as they are asked for."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._numbers = list(range(len(rows.classes.labels)))

    def __iter__(self) -> Iterator[Batch]:
        for piece in self._rows.training():
            yield Batch(piece.features, self._numbers, piece.codes, piece.weights)
