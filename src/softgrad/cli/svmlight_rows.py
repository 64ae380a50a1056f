"""The rows of svmlight files for `softgrad train`: sparse, so neither centred nor encoded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from softgrad.cli.division import Division
from softgrad.cli.errors import UserError
from softgrad.cli.labels_found import FoundLabels
from softgrad.cli.origin import Origin
from softgrad.cli.reading_progress import ReadingProgress
from softgrad.cli.svmlight import SvmlightFiles, label_numbers
from softgrad.cli.svmlight_columns import SparseRows, SvmlightColumns, UsedIndices
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.cli.training_rows import Piece
from softgrad.linear_model._data._svmlight import are_whole


class SvmlightRows:
    """The rows of files, and which of them are for the training; classes and features are learnt in one pass.

    Attributes
    ----------
    target : str
    classes : Classes
    origin : Origin
    reading : ReadingProgress
    columns : SvmlightColumns
    train_rows, test_rows : int

    Raises
    ------
    UserError
        If the file cannot be read, a value is not finite, or the classes are too few or too many.
    """

    # What the label at the start of each line is called.
    target = "label"

    def __init__(self, files: SvmlightFiles, fraction: float, seed: int) -> None:
        self._files, self.origin = files, files.origin
        self.reading: ReadingProgress | None = files.reading
        self._fraction, self._seed = fraction, seed
        found, division = FoundLabels(str(self.origin), self.target), Division(fraction, seed)
        used = UsedIndices()
        self.train_rows = self.test_rows = 0
        for X, y, row_numbers in files.parts():
            used.add(X.indices)
            train = division.train(found.labels, found.add(_whole(y, self.origin, row_numbers)))
            self.train_rows += int(train.sum())
            self.test_rows += int((~train).sum())
        self.classes = found.classes()
        self.columns = SvmlightColumns(used.ascending() + files.first_index)

    def training(self) -> Iterator[Piece]:
        """A pass over the rows for the training."""
        return (piece for piece in self.pieces() if not piece.is_test)

    def pieces(self) -> Iterator[Piece]:
        """A pass over all rows."""
        division = Division(self._fraction, self._seed)
        for X, y, row_numbers in self._files.parts():
            codes = label_numbers(y, self.classes, self.origin, row_numbers)
            train = division.train(self.classes.labels, codes)
            for is_test in (False, True):
                chosen = np.flatnonzero(train != is_test)
                if len(chosen):
                    features, weights = self._features(X[chosen]), np.ones(len(chosen))
                    yield Piece(features, codes[chosen], weights, row_numbers[chosen], is_test)

    def _features(self, X: SparseRows) -> csr_array:
        return self.columns.of(X, self._files.first_index)


def _whole(labels: IntArray | Float64Array, origin: Origin, row_numbers: IntArray) -> IntArray:
    if labels.dtype == np.int64:
        return labels.astype(np.int64, copy=False)
    row = int(are_whole(labels.astype(np.float64, copy=False)).argmin())
    raise UserError(
        f"{origin.label(row_numbers[row])}: {labels[row]:g} is no whole number; regression targets are not supported"
    )
