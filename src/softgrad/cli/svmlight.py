"""The rows of an svmlight file for a model that was trained on one: sparse, features found by their indices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

from softgrad.cli.classes import Classes, class_numbers
from softgrad.cli.errors import UserError, listing
from softgrad.cli.model import Model
from softgrad.cli.reading import Unseen
from softgrad.cli.sources import file_of, user_errors
from softgrad.cli.svmlight_columns import SparseRows, SvmlightColumns
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.linear_model._data._files import format_of
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._svmlight import SvmlightFile


def is_svmlight(source: str, options: ReadOptions) -> bool:
    """Whether an option or the ending of a name says that it is an svmlight file."""
    return file_of(source) is not None and format_of(source, options) == "svmlight"


def parts_for(
    model: Model, source: str, unseen: Unseen | None
) -> Iterator[tuple[sparse.csr_array, IntArray | Float64Array, IntArray]]:
    """Features (n, d) as the model has them, sparse, labels and numbers of some rows after the other.

    Features that no row of the training had are left out, up to the last that one had.

    Raises
    ------
    UserError
        If the file cannot be read, a value is not finite, the model was trained on other columns, or it knows no
        feature of an index; if `unseen` says what becomes of texts, which there are none of.
    """
    if unseen is not None:
        raise UserError(f"--unseen {unseen}: {source} is an svmlight file, which has no texts")
    columns = model.columns
    if not isinstance(columns, SvmlightColumns):
        names = listing((column.name for column in columns), 5)
        raise UserError(f"{source}: the model was not trained on an svmlight file; its columns are {names}")
    with user_errors(source):
        file = SvmlightFile(Path(source))
    for X, labels, first_row in parts_of(file, source):
        outside = columns.outside(X, file.first_index)
        if outside.any():
            entry = int(outside.argmax())
            raise UserError(
                f"{source}, row {first_row + _row_of(X, entry)}: the model knows no feature "
                f"{X.indices[entry] + file.first_index}, only {columns.first} to {columns.last}"
            )
        yield columns.of(X, file.first_index), labels, first_row + 1 + np.arange(len(labels))


def parts_of(file: SvmlightFile, source: str) -> Iterator[tuple[SparseRows, IntArray | Float64Array, int]]:
    """A pass over a file: features and labels of some rows, and how many rows were before.

    Raises
    ------
    UserError
        If the file cannot be read, or a value is not finite.
    """
    first_row = 0
    with user_errors(source):
        for X, labels in file:
            finite = np.isfinite(X.data)
            if not finite.all():
                entry = int(finite.argmin())
                raise UserError(
                    f"{source}, row {first_row + _row_of(X, entry)}: feature {X.indices[entry] + file.first_index} is "
                    f"{X.data[entry]}; it must be finite"
                )
            yield X, labels, first_row
            first_row += len(labels)


def _row_of(X: SparseRows, entry: int) -> int:
    """The row of an entry, counted from 1."""
    return int(np.searchsorted(X.indptr, entry, side="right"))


def label_numbers(labels: IntArray | Float64Array, classes: Classes, source: str, row_numbers: IntArray) -> IntArray:
    """The class number of each of some rows; `source` and `row_numbers` are what messages call the file and the rows.

    Raises
    ------
    UserError
        If a label is not among the classes.
    """
    return class_numbers(labels, classes, lambda row: f"{source}, label of row {row_numbers[row]}")
