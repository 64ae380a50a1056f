"""The rows of an svmlight file for `softgrad train`: sparse, so neither centred nor encoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from softgrad.cli.division import Division
from softgrad.cli.errors import UserError
from softgrad.cli.labels_found import FoundLabels
from softgrad.cli.sources import user_errors
from softgrad.cli.svmlight import label_numbers, parts_of
from softgrad.cli.svmlight_columns import SparseRows, SvmlightColumns, UsedIndices
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.cli.training_rows import Piece
from softgrad.linear_model._data._svmlight import SvmlightFile, are_whole


class SvmlightRows:
    """The rows of a file, and which of them are for the training; classes and features are learnt in one pass.

    Attributes
    ----------
    target : str
    classes : Classes
    columns : SvmlightColumns
    train_rows, test_rows : int

    Raises
    ------
    UserError
        If the file cannot be read, a value is not finite, or the classes are too few or too many.
    """

    # What the label at the start of each line is called.
    target = "label"

    def __init__(self, source: str, fraction: float, seed: int) -> None:
        self._source = source
        self._fraction, self._seed = fraction, seed
        found, division = FoundLabels(source, self.target), Division(fraction, seed)
        used = UsedIndices()
        self.train_rows = self.test_rows = 0
        with user_errors(source):
            self._file = SvmlightFile(Path(source))
        for X, y, first_row in parts_of(self._file, source):
            used.add(X.indices)
            train = division.train(found.labels, found.add(_whole(y, source, first_row)))
            self.train_rows += int(train.sum())
            self.test_rows += int((~train).sum())
        self.classes = found.classes()
        self.columns = SvmlightColumns(used.ascending() + self._file.first_index)

    def training(self) -> Iterator[Piece]:
        """A pass over the rows for the training."""
        return (piece for piece in self.pieces() if not piece.is_test)

    def pieces(self) -> Iterator[Piece]:
        """A pass over all rows."""
        division = Division(self._fraction, self._seed)
        for X, y, first_row in parts_of(self._file, self._source):
            row_numbers = first_row + 1 + np.arange(len(y))
            codes = label_numbers(y, self.classes, self._source, row_numbers)
            train = division.train(self.classes.labels, codes)
            for is_test in (False, True):
                chosen = np.flatnonzero(train != is_test)
                if len(chosen):
                    features, weights = self._features(X[chosen]), np.ones(len(chosen))
                    yield Piece(features, codes[chosen], weights, row_numbers[chosen], is_test)

    def _features(self, X: SparseRows) -> csr_array:
        return self.columns.of(X, self._file.first_index)


def _whole(labels: IntArray | Float64Array, source: str, first_row: int) -> IntArray:
    if labels.dtype == np.int64:
        return labels.astype(np.int64, copy=False)
    row = int(are_whole(labels.astype(np.float64, copy=False)).argmin())
    raise UserError(
        f"{source}, label of row {first_row + row + 1}: {labels[row]:g} is no whole number; regression targets are "
        f"not supported"
    )
