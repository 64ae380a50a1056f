"""What one pass over all rows tells: the classes, their weights, and how many rows there are, shard by shard."""

from __future__ import annotations

import hashlib
import operator
import re
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._pieces import Piece, pieces_of
from softgrad.linear_model._data._read_ahead import read_ahead
from softgrad.linear_model._data._rows import Array, class_totals
from softgrad.linear_model._data._tree_sum import Node, TreeSum

# True is not 1, though Python takes them for one key.
LabelKey = tuple[type, object]


class ShardSurvey(NamedTuple):
    """What a pass over the rows of one shard tells.

    labels : in the order they were found in. totals : the sum of the row weights of each. n_probabilities : how many
    class probabilities a row has; 0 where it has a label. names, untyped, file : as of `Batches`. digest : a
    fingerprint of all rows in their order, if it was asked for.
    """

    labels: list[Any]
    totals: Array
    n_rows: int
    n_features: int
    n_probabilities: int
    dtype: np.dtype[Any]
    is_sparse: bool
    names: list[str] | None
    untyped: bool
    file: str | None
    digest: str | None

    @classmethod
    def of(cls, batches: Batches, *, digest: bool) -> ShardSurvey:
        """Raises ValueError where there are no rows."""
        places: dict[LabelKey, int] = {}
        totals: Array = np.zeros(0)
        hashed = hashlib.blake2b(digest_size=16) if digest else None
        n_rows = n_features = 0
        pieces = pieces_of(batches, partial(_place, places))
        for piece in read_ahead(pieces) if batches.ahead else pieces:
            n_rows += len(piece.codes)
            X = piece.X
            # Of sparse rows no piece need have the last features.
            n_features = max(n_features, X.shape[1])
            # The piece that is made ahead may be finding more.
            found = len(places)
            totals = np.pad(totals, (0, found - len(totals))) + class_totals(piece.codes, piece.weights, found)
            if hashed is not None:
                _hash(hashed, piece)
        if n_rows == 0:
            raise ValueError(f"{batches.file or 'the source'} has no rows")
        return cls(
            labels=[label for _, label in places],
            totals=totals,
            n_rows=n_rows,
            n_features=n_features,
            n_probabilities=piece.probabilities,
            dtype=X.dtype,
            is_sparse=scipy.sparse.issparse(X),
            names=batches.names,
            untyped=batches.untyped,
            file=batches.file,
            digest=None if hashed is None else hashed.hexdigest(),
        )


class Survey:
    """What the surveys of all shards come to.

    Parameters
    ----------
    shards : sequence of ShardSurvey

    Attributes
    ----------
    shards : sequence of ShardSurvey
    classes : ndarray, shape (K,)
        The distinct labels, ascending.
    numbers : dict
        The place of each label among them.
    totals : ndarray, shape (K,)
        Sum of the row weights of each class.
    n_rows, n_features : int
    dtype, is_sparse : of X
    names : list of str or None
        Of the features.

    Raises
    ------
    ValueError
        There are labels of several kinds, the rows of two shards have another form, or none has a feature.
    """

    def __init__(self, shards: Sequence[ShardSurvey]) -> None:
        self.shards = shards
        first = shards[0]
        for number, shard in enumerate(shards):
            _same_form(shard, first, number)
        self.n_features = max(shard.n_features for shard in shards)
        if self.n_features == 0:
            raise ValueError(f"{first.file or 'the source'} has no features")
        self.dtype, self.is_sparse, self.names = first.dtype, first.is_sparse, first.names
        self.n_rows = sum(shard.n_rows for shard in shards)
        places: dict[LabelKey, int] = {}
        codes = [np.array([_place(places, label) for label in shard.labels], np.intp) for shard in shards]
        untyped = first.untyped and not first.n_probabilities
        if not untyped and len({kind for kind, _ in places}) > 1:
            raise ValueError(f"the labels are of several kinds: {_kinds(shards)}")
        self.classes, sorted_places = _sorted_classes([label for _, label in places], untyped=untyped)
        self.numbers = {key: int(sorted_places[place]) for key, place in places.items()}
        totals: TreeSum[Array] = TreeSum(operator.add)
        for shard, of_shard in zip(shards, codes, strict=True):
            by_class = np.bincount(sorted_places[of_shard], shard.totals, len(self.classes))
            totals.append(Node(0, by_class.astype(np.float64)))
        self.totals = totals.total()

    def description(self) -> dict[str, object]:
        """What tells these data from others, as JSON can hold it."""
        digests = "".join(str(shard.digest) for shard in self.shards)
        fingerprint = hashlib.blake2b(f"{digests}{self.classes.tolist()!r}".encode(), digest_size=16)
        return {
            "number of rows": self.n_rows,
            "number of features": self.n_features,
            "dtype": self.dtype.name,
            "classes": [str(label) for label in self.classes],
            "names of the features": self.names,
            "digest of the data": fingerprint.hexdigest(),
        }


def _same_form(shard: ShardSurvey, first: ShardSurvey, number: int) -> None:
    here = shard.file or f"part {number} of the source"
    there = first.file or "part 0 of the source"
    for what, found, expected in [
        ("features", shard.n_features, first.n_features),
        ("class probabilities", shard.n_probabilities, first.n_probabilities),
    ]:
        if found != expected and not (what == "features" and first.is_sparse):
            raise ValueError(f"the rows of {here} have {found} {what}; those of {there} have {expected}")
    # Lists in two columns may have other lengths that add up to the same.
    for name, expected_name in zip(shard.names or [], first.names or [], strict=True):
        if name != expected_name:
            raise ValueError(
                f"the rows of {here} have the feature {name!r} where those of {there} have {expected_name!r}"
            )


def _place(places: dict[LabelKey, int], label: object) -> int:
    return places.setdefault((type(label), label), len(places))


def _kinds(shards: Sequence[ShardSurvey]) -> str:
    """The kinds of the labels, and the first of each with the source that has it."""
    found: dict[str, str] = {}
    for shard in shards:
        for label in shard.labels:
            found.setdefault(type(label).__name__, f"{label!r} of {shard.file or 'the source'}")
    return f"{', '.join(sorted(found))}, as {' and '.join(found[kind] for kind in sorted(found))}"


def _sorted_classes(found: list[Any], *, untyped: bool) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The labels that were found in ascending order, and the place there of each."""
    values = found
    # As an integer is written: 01 and 1 are two labels.
    if untyped and all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", label) for label in found):
        values = [int(label) for label in found]
    classes, codes = np.unique(label_array(values, lambda code: f"label {values[code]!r}"), return_inverse=True)
    return classes, codes


def _hash(digest: hashlib.blake2b, piece: Piece) -> None:
    digest.update(repr((piece.X.shape, piece.X.dtype.str)).encode())
    parts = (piece.X.data, piece.X.indices, piece.X.indptr) if scipy.sparse.issparse(piece.X) else (piece.X,)
    for array in (*parts, piece.codes, piece.weights):
        digest.update(np.ascontiguousarray(array).data)
