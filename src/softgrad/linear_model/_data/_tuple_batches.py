"""Batches that are tuples of arrays, dense or sparse; an array may be longer than a piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from softgrad.linear_model._data._batches import Batch, Batches, check_labels, check_weights
from softgrad.linear_model._data._distributions import distributions
from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._pieces import piece_rows
from softgrad.linear_model._data._rows import canonical


class TupleBatches(Batches):
    """Tuples (X, y) or (X, y, sample_weight) of arrays, X dense or sparse; y also of class probabilities.

    `file` is what messages call the file that the rows come from.
    """

    def __init__(self, tuples: Iterable[object], file: str | None = None) -> None:
        self._tuples = tuples
        self.file = file
        self._at = "" if file is None else f"{file}, "

    def __iter__(self) -> Iterator[Batch]:
        rows = 0
        first: Any = None
        expected: int | None = None
        for number, batch in enumerate(self._tuples):
            if not (isinstance(batch, tuple) and len(batch) in (2, 3)):
                raise TypeError(
                    f"batch {number} of the source is {type(batch).__name__}; without target it must be a tuple (X, y) "
                    f"or (X, y, sample_weight)"
                )
            X = canonical(batch[0]) if scipy.sparse.issparse(batch[0]) else np.asarray(batch[0])
            if X.ndim != 2:
                raise ValueError(f"X of batch {number} has shape {X.shape}; it must have rows and columns")
            first = X[:0] if first is None else first
            _same_form(X, first, number)
            y = np.asarray(label_array(batch[1], partial(_place, self._at, rows)))
            weights = np.ones(X.shape[0]) if len(batch) == 2 else np.asarray(batch[2])
            # A column of labels is refused below, as one of a single probability.
            probabilities = y.shape[1] if y.ndim == 2 and y.shape[1] > 1 else 0
            for name, shape, values in [
                ("y", y.shape[:1] if probabilities else y.shape, y),
                ("sample_weight", weights.shape, weights),
            ]:
                if shape != X.shape[:1]:
                    raise ValueError(f"{name} of batch {number} has shape {values.shape}; X has {X.shape[0]} rows")
            expected = probabilities if expected is None else expected
            if probabilities != expected:
                raise ValueError(
                    f"y of batch {number} has {probabilities} columns of probabilities; that of batch 0 has {expected}"
                )
            # A single array may be larger than memory, mapped from a file.
            length = max(X.shape[0], 1) if scipy.sparse.issparse(X) else piece_rows(X.shape[1], X.dtype, probabilities)
            for start in range(0, len(y), length):
                part = slice(start, start + length)
                yield _checked(X[part], y[part], weights[part], self._at, rows + start)
            rows += len(y)


def _place(at: str, first_row: int, row: int, column: int | None = None) -> str:
    return f"{at}y, row {first_row + row + 1}" + ("" if column is None else f", class {column}")


def _checked(X: Any, y: NDArray[Any], weights: NDArray[Any], at: str, first_row: int) -> Batch:
    labels: list[Any]
    codes: NDArray[Any]
    if y.ndim == 2:
        labels, codes = list(range(y.shape[1])), distributions(y, partial(_place, at, first_row))
    else:
        check_labels(y, partial(_place, at, first_row))
        found, codes = np.unique(y, return_inverse=True)
        labels = found.tolist()
    weights = weights.astype(np.float64)
    check_weights(weights, f"{at}sample_weight", first_row)
    return Batch(_matrix(X, at, first_row), labels, codes, weights)


def _matrix(X: Any, at: str, first_row: int) -> Any:
    """X as C-contiguous float32 or float64, or CSR; finite."""
    if X.dtype.kind not in "iubf":
        raise TypeError(f"X has dtype {X.dtype}; it must be real")
    dtype = X.dtype if X.dtype == np.float32 else np.dtype(np.float64)
    sparse = scipy.sparse.issparse(X)
    matrix: Any = X.astype(dtype, copy=False) if sparse else np.ascontiguousarray(X, dtype)
    finite = np.isfinite(matrix.data if sparse else matrix)
    if not finite.all():
        position = int(finite.argmin())
        if sparse:
            row, column = int(np.searchsorted(matrix.indptr, position, side="right")) - 1, matrix.indices[position]
        else:
            row, column = divmod(position, matrix.shape[1])
        raise ValueError(
            f"{at}X, row {first_row + row + 1}, feature {column} is {matrix[row, column]}; it must be finite"
        )
    return matrix


def _same_form(X: Any, first: Any, number: int) -> None:
    for what, found, expected in [
        ("features", X.shape[1], first.shape[1]),
        ("dtype", X.dtype, first.dtype),
        ("sparse", scipy.sparse.issparse(X), scipy.sparse.issparse(first)),
    ]:
        if found != expected:
            raise ValueError(f"X of batch {number} has another form than the first: {what} {found}, not {expected}")
