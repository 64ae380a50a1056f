"""Rows from a source that is read anew for every pass: files larger than memory, or batches that are made on the way.

A first pass learns the classes and their weights. From then on the source is a `RowSource` like an array in memory: the
objective and the solvers are the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._files import FileBatches, format_of
from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._pieces import Piece, pieces_of
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._rows import Array, Rows, RowSource
from softgrad.linear_model._data._svmlight import SvmlightFile
from softgrad.linear_model._data._tuple_batches import TupleBatches

Source = str | os.PathLike[str] | Iterable[object]


def batches_of(
    source: Source,
    target: str | None,
    sample_weight: str | None,
    read_options: ReadOptions | Mapping[str, Any] | None,
) -> Batches:
    """The batches of a path, or of an iterable of record batches or of tuples of arrays; `Batches` as they are.

    Raises
    ------
    TypeError, ValueError, OSError
        If the source is no such thing.
    ImportError
        If it takes pyarrow, which is not installed.
    """
    if isinstance(source, (str, os.PathLike)):
        return _batches_of_file(source, target, sample_weight, ReadOptions.of(read_options))
    if read_options is not None:
        raise ValueError(f"read_options say how a file is read; source is {type(source).__name__}, not a path")
    if iter(source) is source:
        raise TypeError(
            f"source is an iterator, {type(source).__name__}, which gives its batches once; many passes are made: give "
            f"a path, a list or an object whose __iter__ starts again"
        )
    if target is not None:
        _check_pyarrow()
        return ArrowBatches(source, target, sample_weight, text=None, ahead=False)
    if sample_weight is not None:
        raise ValueError("sample_weight names a column, so target must name one; or give (X, y, sample_weight)")
    return source if isinstance(source, Batches) else TupleBatches(source)


def _batches_of_file(
    path: str | os.PathLike[str], target: str | None, sample_weight: str | None, options: ReadOptions
) -> Batches:
    if format_of(path, options) == "svmlight":
        if target is not None or sample_weight is not None:
            raise ValueError(f"{path} has its labels at the start of each line; target and sample_weight are None")
        return TupleBatches(SvmlightFile(path, options))
    if target is None:
        raise ValueError(f"which column of {path} is the target?")
    _check_pyarrow()
    wanted = [name for name in (target, sample_weight) if name is not None]
    dropped = [name for name in wanted if name in options.drop]
    if dropped:
        raise ValueError(f"the option drop names the column {dropped[0]!r}, which is the target or the sample_weight")
    if options.columns is not None:
        options = replace(options, columns=tuple(dict.fromkeys((*options.columns, *wanted))))
    batches = FileBatches(path, options)
    return ArrowBatches(batches, target, sample_weight, text=options if batches.untyped else None, ahead=True)


def _check_pyarrow() -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise ImportError('columns are read with pyarrow, which is not installed: pip install "softgrad[cli]"')


class Survey:
    """What one pass over all rows tells.

    Parameters
    ----------
    batches : Batches
    digest : bool
        Whether to compute the digest of the data.

    Attributes
    ----------
    classes : ndarray, shape (K,)
        The distinct labels, ascending.
    totals : ndarray, shape (K,)
        Sum of the row weights of each class.
    n_rows, n_features : int
    dtype, is_sparse : of X
    digest : str or None
        A fingerprint of all rows in their order.

    Raises
    ------
    ValueError
        There are no rows or no features, or labels of several kinds.
    """

    def __init__(self, batches: Batches, *, digest: bool) -> None:
        self.batches = batches
        self.n_rows = 0
        # True is not 1, though Python takes them for one key.
        places: dict[tuple[type, object], int] = {}
        totals: Array = np.zeros(0)
        hashed = hashlib.blake2b(digest_size=16) if digest else None
        for piece in pieces_of(batches, lambda label: places.setdefault((type(label), label), len(places))):
            self.n_rows += len(piece.codes)
            self.n_features, self.dtype = piece.X.shape[1], piece.X.dtype
            self.is_sparse = scipy.sparse.issparse(piece.X)
            # The piece that is made ahead may be finding more.
            found = len(places)
            totals = np.pad(totals, (0, found - len(totals))) + np.bincount(piece.codes, piece.weights, found)
            if hashed is not None:
                _hash(hashed, piece)
        if self.n_rows == 0:
            raise ValueError("the source has no rows")
        if self.n_features == 0:
            raise ValueError("the source has no features")
        self._places = places
        self.classes, self._codes = _sorted_classes([label for _, label in places], batches.untyped)
        self.totals: Array = np.bincount(self._codes, totals, len(self.classes)).astype(np.float64)
        if hashed is not None:
            hashed.update(repr(self.classes.tolist()).encode())
        self.digest = None if hashed is None else hashed.hexdigest()

    def description(self) -> dict[str, object]:
        """What tells these data from others, as JSON can hold it."""
        return {
            "number of rows": self.n_rows,
            "number of features": self.n_features,
            "dtype": self.dtype.name,
            "classes": [str(label) for label in self.classes],
            "names of the features": self.batches.names,
            "digest of the data": self.digest,
        }

    def pieces(self) -> Iterator[Piece]:
        """Another pass, with the numbers of the classes as codes.

        Raises
        ------
        ValueError
            It gives other rows than the first.
        """
        rows = 0
        for piece in pieces_of(self.batches, self._known):
            rows += len(piece.codes)
            if rows > self.n_rows:
                break
            yield piece._replace(codes=self._codes[piece.codes])
        if rows != self.n_rows:
            more = "more rows than" if rows > self.n_rows else f"{rows} rows, not the"
            raise ValueError(f"the source has changed since the first pass: it gives {more} {self.n_rows}")

    def _known(self, label: object) -> int:
        place = self._places.get((type(label), label))
        if place is None:
            raise ValueError(f"the source has changed since the first pass: the label {label!r} is new")
        return place


class StreamedRows(RowSource):
    """The rows of a source as the objective takes them; of all passes only the current piece is in memory."""

    resident = False

    def __init__(self, survey: Survey, class_weights: Array) -> None:
        self._survey = survey
        self._class_weights = class_weights
        self.dtype, self.is_sparse = survey.dtype, survey.is_sparse
        self.n_features = survey.n_features
        self.n_rows = survey.n_rows
        self.total_weight = float(survey.totals @ class_weights)

    def __iter__(self) -> Iterator[Rows]:
        for piece in self._survey.pieces():
            weights = piece.weights * self._class_weights[piece.codes] / self.total_weight
            counted = weights > 0
            if counted.all():
                yield Rows(piece.X, piece.codes, weights)
            elif counted.any():
                yield Rows(piece.X[counted], piece.codes[counted], weights[counted])


def _sorted_classes(found: list[Any], untyped: bool) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The labels that were found in ascending order, and the place there of each."""
    values = found
    # As an integer is written: 01 and 1 are two labels.
    if untyped and all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", label) for label in found):
        values = [int(label) for label in found]
    kinds = {type(value).__name__ for value in values}
    if len(kinds) > 1:
        raise ValueError(f"the labels are of several kinds: {', '.join(sorted(kinds))}")
    classes, codes = np.unique(label_array(values, lambda code: f"label {values[code]!r}"), return_inverse=True)
    return classes, codes


def _hash(digest: hashlib.blake2b, piece: Piece) -> None:
    digest.update(repr((piece.X.shape, piece.X.dtype.str)).encode())
    parts = (piece.X.data, piece.X.indices, piece.X.indptr) if scipy.sparse.issparse(piece.X) else (piece.X,)
    for array in (*parts, piece.codes, piece.weights):
        digest.update(np.ascontiguousarray(array).data)
