"""Rows of a table as features and class numbers, divided between the training and the test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse

from softgrad.cli.classes import Classes
from softgrad.cli.columns import Column, Features, are_sparse, encode, width_of
from softgrad.cli.division import Division
from softgrad.cli.probabilities import Targets
from softgrad.cli.roles import Roles
from softgrad.cli.tables import Float64Array, IntArray, Part
from softgrad.linear_model._data._pieces import piece_rows


class Piece(NamedTuple):
    """Encoded rows, all for the training or all for the test; `rows` are their numbers in the table."""

    features: Features
    targets: Targets
    weights: Float64Array
    rows: IntArray
    is_test: bool

    @property
    def codes(self) -> IntArray:
        """The number of the class of each row, or of the most probable one."""
        return self.targets.codes


@dataclass(frozen=True)
class Encoder:
    """What was learnt of a table; it makes pieces of parts of at most `length` rows."""

    roles: Roles
    columns: Sequence[Column]
    classes: Classes

    @property
    def length(self) -> int:
        """The rows that the fit takes at a time."""
        width = len(self.columns) if are_sparse(self.columns) else width_of(self.columns)
        return piece_rows(width, np.dtype(np.float64), len(self.roles.probability_columns))

    def pieces(self, parts: Iterable[Part], division: Division, *, test: bool) -> Iterator[Piece]:
        """The rows for the training, and those for the test if they are wanted; dense ones as many as the fit takes."""
        joined = {False: _Joined(self.length), True: _Joined(self.length)}
        for whole in parts:
            part, values = self.roles.kept(whole, self.columns)
            targets, weights = self.roles.targets(part, self.classes), self.roles.weights(part)
            train = division.train(self.classes.labels, targets.codes)
            for is_test in (False, True) if test else (False,):
                chosen = np.flatnonzero(train != is_test)
                if len(chosen):
                    rows = part.row_numbers[chosen]
                    features = encode(self.columns, values.of(chosen), part.table.origin, rows)
                    yield from joined[is_test].add(Piece(features, targets.of(chosen), weights[chosen], rows, is_test))
        for each in joined.values():
            yield from each.rest()


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
        self._rows += len(piece.rows)
        while self._rows >= self._length:
            whole = joined(self._waiting)
            left = _cut(whole, slice(self._length, None))
            self._waiting, self._rows = [left], len(left.rows)
            yield _cut(whole, slice(self._length))

    def rest(self) -> Iterator[Piece]:
        if self._rows:
            yield joined(self._waiting)


def _cut(piece: Piece, part: slice) -> Piece:
    return Piece(piece.features[part], piece.targets.of(part), piece.weights[part], piece.rows[part], piece.is_test)


def joined(pieces: Sequence[Piece]) -> Piece:
    """The rows of pieces of one kind after each other."""
    if len(pieces) == 1:
        return pieces[0]
    sparse = scipy.sparse.issparse(pieces[0].features)
    features = [piece.features for piece in pieces]
    return Piece(
        scipy.sparse.vstack(features, "csr") if sparse else np.concatenate(features),
        Targets(*(np.concatenate(each) for each in zip(*(piece.targets for piece in pieces), strict=True))),
        np.concatenate([piece.weights for piece in pieces]),
        np.concatenate([piece.rows for piece in pieces]),
        pieces[0].is_test,
    )
