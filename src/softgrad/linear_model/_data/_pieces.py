"""The rows of batches, cut once: into the pieces that are in memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._rows import Array

# What the dense features of a piece take, with their class probabilities if they have such.
_PIECE_BYTES = 1 << 22


class Piece(NamedTuple):
    """Rows in memory.

    codes : the numbers of their labels in the order of the classes, or in the order they were found in, shape (n,); or
    the probabilities of the labels in that order, shape (n, K).
    """

    X: Any
    codes: NDArray[Any]
    weights: Array

    @property
    def probabilities(self) -> int:
        """How many a row has; 0 where it has a label."""
        return 0 if self.codes.ndim == 1 else self.codes.shape[1]

    def part(self, rows: slice) -> Piece:
        return Piece(self.X[rows], self.codes[rows], self.weights[rows])


def piece_rows(features: int, dtype: np.dtype[Any], probabilities: int = 0) -> int:
    """How many dense rows, each with so many class probabilities, there are in a piece that is not the last."""
    return max(_PIECE_BYTES // max(features * dtype.itemsize + probabilities * np.float64().itemsize, 1), 256)


def pieces_of(batches: Batches, place_of: Callable[[object], int]) -> Iterator[Piece]:
    """All rows, by the numbers that `place_of` gives labels.

    Dense rows are in pieces of equal length whatever the batches are; sparse ones as they come.
    """
    waiting: list[Piece] = []
    held = 0
    for batch in batches:
        places = np.array([place_of(label) for label in batch.labels], np.intp)
        piece = Piece(batch.X, _renumbered(batch.codes, places), batch.weights)
        if scipy.sparse.issparse(batch.X):
            if len(piece.codes):
                yield piece
            continue
        length = piece_rows(batch.X.shape[1], batch.X.dtype, piece.probabilities)
        while held + len(piece.codes) >= length:
            missing = length - held
            yield _joined([*waiting, piece.part(slice(missing))], batches.order)
            waiting, held, piece = [], 0, piece.part(slice(missing, None))
        if len(piece.codes):
            waiting.append(piece)
            held += len(piece.codes)
    if waiting:
        yield _joined(waiting, batches.order)


def _renumbered(codes: NDArray[Any], places: NDArray[np.intp]) -> NDArray[Any]:
    """Label numbers, or columns of probabilities, by the places that the labels have."""
    if codes.ndim == 1:
        numbers: NDArray[np.intp] = places[codes]
        return numbers
    return codes if (np.diff(places) > 0).all() else np.take(codes, np.argsort(places), axis=1)


def _joined(pieces: list[Piece], order: Literal["C", "F"]) -> Piece:
    """One piece; matrix products with its features have the same bits whatever it was made of."""
    X, codes, weights = zip(*pieces, strict=True)
    if len(pieces) == 1:
        return Piece(np.asarray(X[0], order=order), codes[0], weights[0])
    joined = np.empty((sum(map(len, codes)), X[0].shape[1]), X[0].dtype, order)
    return Piece(np.concatenate(X, out=joined), np.concatenate(codes), np.concatenate(weights))
