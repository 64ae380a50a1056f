"""The rows of svmlight files for a model that was trained on one: sparse, features found by their indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from softgrad.cli.classes import Classes, class_numbers
from softgrad.cli.data import Data, user_errors
from softgrad.cli.errors import UserError, listing
from softgrad.cli.model import Model
from softgrad.cli.origin import Origin
from softgrad.cli.reading_progress import ReadingProgress
from softgrad.cli.svmlight_columns import SparseRows, SvmlightColumns
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.linear_model._data._locations import Location
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._svmlight import WIDEST, SvmlightFile


class SparsePart(NamedTuple):
    """Features, in the places of their indices, labels and numbers of some rows."""

    X: SparseRows
    labels: IntArray | Float64Array
    row_numbers: IntArray


def is_svmlight(data: Data, options: ReadOptions) -> bool:
    """Whether an option or the ending of a name says that these are svmlight files."""
    return data.built_in is None and data.located(options).form == "svmlight"


class SvmlightFiles:
    """Svmlight files after each other, each a shard.

    Parameters
    ----------
    name : str
        What the user called them.
    locations : sequence of Location
    before : int, default 0
        How many rows are before the first.

    Attributes
    ----------
    origin : Origin
        What messages call the rows.
    reading : ReadingProgress
    n_shards : int

    Raises
    ------
    UserError
        One cannot be read.
    """

    def __init__(self, name: str, locations: Sequence[Location], before: int = 0) -> None:
        self.origin = Origin(name)
        self.locations = locations
        self.reading = ReadingProgress([location.size for location in locations])
        self.n_shards = len(locations)
        self._files = [_opened(location) for location in locations]
        # Of each shard, known once those before it were passed.
        self._first_rows = [before]

    @classmethod
    def of(cls, data: Data, options: ReadOptions) -> SvmlightFiles:
        return cls(str(data), data.located(options).locations)

    def shard(self, number: int) -> Iterator[SparsePart]:
        """A pass over a file, some rows after the other. The first pass goes over all files in their order.

        Raises
        ------
        UserError
            The file cannot be read, a value is not finite, or no row has a feature.
        """
        file, before = self._files[number], self._first_rows[number]
        features = False
        self.origin.begin(file.name, before)
        with self.reading.reading(number), user_errors(file.name):
            for X, labels in file:
                row_numbers = before + 1 + np.arange(len(labels))
                before += len(labels)
                features |= X.nnz > 0
                self._check(X, row_numbers)
                self.reading.at(number, file.share, before)
                yield SparsePart(X, labels, row_numbers)
        if not features:
            raise UserError(f"{file.name} has no rows with a feature")
        self.passed(number, before - self._first_rows[number])

    def passed(self, number: int, rows: int) -> None:
        """Take note that somebody passed over a shard of so many rows; those before it were passed."""
        before = self._first_rows[number]
        self.origin.begin(self._files[number].name, before)
        if len(self._first_rows) == number + 1:
            self._first_rows.append(before + rows)

    def _check(self, X: SparseRows, row_numbers: IntArray) -> None:
        finite = np.isfinite(X.data)
        if not finite.all():
            entry = int(finite.argmin())
            raise UserError(
                f"{self.origin.row(row_numbers[_row_of(X, entry)])}: feature {X.indices[entry]} is "
                f"{X.data[entry]}; it must be finite"
            )


def _opened(location: Location) -> SvmlightFile:
    with user_errors(location.name):
        return SvmlightFile(location, extent=WIDEST)


def columns_of(model: Model, origin: Origin) -> SvmlightColumns:
    """The columns of a model that was trained on svmlight files; raises UserError where it was not."""
    if not isinstance(model.columns, SvmlightColumns):
        names = listing((column.name for column in model.columns), 5)
        raise UserError(f"{origin}: the model was not trained on an svmlight file; its columns are {names}")
    return model.columns


def features_for(columns: SvmlightColumns, part: SparsePart, origin: Origin) -> sparse.csr_array:
    """The features of a part as a model has them.

    Those that no row of the training had are left out, up to the last that one had; raises UserError where there are
    others.
    """
    outside = columns.outside(part.X)
    if outside.any():
        entry = int(outside.argmax())
        raise UserError(
            f"{origin.row(part.row_numbers[_row_of(part.X, entry)])}: the model knows no feature "
            f"{part.X.indices[entry]}, only {columns.first} to {columns.last}"
        )
    return columns.of(part.X)


def _row_of(X: SparseRows, entry: int) -> int:
    """The row of an entry."""
    return int(np.searchsorted(X.indptr, entry, side="right")) - 1


def label_numbers(labels: IntArray | Float64Array, classes: Classes, origin: Origin, row_numbers: IntArray) -> IntArray:
    """The class number of each of some rows.

    Raises
    ------
    UserError
        If a label is not among the classes.
    """
    return class_numbers(labels, classes, lambda row: origin.label(row_numbers[row]))
