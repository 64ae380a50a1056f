"""The rows of svmlight files for a model that was trained on one: sparse, features found by their indices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from softgrad.cli.classes import Classes, class_numbers
from softgrad.cli.data import Data, user_errors
from softgrad.cli.errors import UserError, listing
from softgrad.cli.model import Model
from softgrad.cli.origin import Origin
from softgrad.cli.reading import Unseen
from softgrad.cli.reading_progress import ReadingProgress
from softgrad.cli.svmlight_columns import SparseRows, SvmlightColumns
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.linear_model._data._locations import Location
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._svmlight import Extent, SvmlightFile, common_extent


def is_svmlight(data: Data, options: ReadOptions) -> bool:
    """Whether an option or the ending of a name says that these are svmlight files."""
    return data.built_in is None and data.located(options).form == "svmlight"


class SvmlightFiles:
    """Svmlight files after each other, with the features of all.

    Attributes
    ----------
    origin : Origin
        What messages call the rows.
    reading : ReadingProgress
    first_index : int

    Raises
    ------
    UserError
        One cannot be read.
    """

    def __init__(self, data: Data, options: ReadOptions) -> None:
        self.origin = Origin(str(data))
        locations = data.located(options).locations
        self.reading = ReadingProgress([location.size for location in locations])
        self._files = [_opened(location) for location in locations]
        if len(self._files) > 1:
            extent = common_extent([file.extent for file in self._files])
            self._files = [_opened(location, extent) for location in locations]
        self.first_index = self._files[0].first_index

    def parts(self) -> Iterator[tuple[SparseRows, IntArray | Float64Array, IntArray]]:
        """A pass over the files: features, labels and numbers of some rows after the other.

        Raises
        ------
        UserError
            A file cannot be read, or a value is not finite.
        """
        before = 0
        with self.reading.reading():
            for number, file in enumerate(self._files):
                self.origin.begin(file.name, before)
                with user_errors(file.name):
                    for X, labels in file:
                        row_numbers = before + 1 + np.arange(len(labels))
                        before += len(labels)
                        self._check(X, row_numbers)
                        self.reading.at(number, file.share, before)
                        yield X, labels, row_numbers

    def _check(self, X: SparseRows, row_numbers: IntArray) -> None:
        finite = np.isfinite(X.data)
        if not finite.all():
            entry = int(finite.argmin())
            raise UserError(
                f"{self.origin.row(row_numbers[_row_of(X, entry)])}: feature {X.indices[entry] + self.first_index} is "
                f"{X.data[entry]}; it must be finite"
            )


def _opened(location: Location, extent: Extent | None = None) -> SvmlightFile:
    with user_errors(location.name):
        return SvmlightFile(location, extent=extent)


def parts_for(
    model: Model, files: SvmlightFiles, unseen: Unseen | None
) -> Iterator[tuple[sparse.csr_array, IntArray | Float64Array, IntArray]]:
    """Features (n, d) as the model has them, sparse, labels and numbers of some rows after the other.

    Features that no row of the training had are left out, up to the last that one had.

    Raises
    ------
    UserError
        A file cannot be read, a value is not finite, the model was trained on other columns, or it knows no feature of
        an index; or `unseen` says what becomes of texts, which there are none of.
    """
    origin = files.origin
    if unseen is not None:
        raise UserError(f"--unseen {unseen}: {origin} is an svmlight file, which has no texts")
    columns = model.columns
    if not isinstance(columns, SvmlightColumns):
        names = listing((column.name for column in columns), 5)
        raise UserError(f"{origin}: the model was not trained on an svmlight file; its columns are {names}")
    for X, labels, row_numbers in files.parts():
        outside = columns.outside(X, files.first_index)
        if outside.any():
            entry = int(outside.argmax())
            raise UserError(
                f"{origin.row(row_numbers[_row_of(X, entry)])}: the model knows no feature "
                f"{X.indices[entry] + files.first_index}, only {columns.first} to {columns.last}"
            )
        yield columns.of(X, files.first_index), labels, row_numbers


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
