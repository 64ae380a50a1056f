"""The rows of an svmlight file for `softgrad train --stream`: sparse, so neither centred nor encoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from softgrad.cli.errors import UserError
from softgrad.cli.stream_labels import Division, FoundLabels
from softgrad.cli.stream_table import user_errors
from softgrad.cli.svmlight import label_numbers, parts_of
from softgrad.cli.svmlight_columns import SparseRows, SvmlightColumns, UsedIndices
from softgrad.cli.tables import BoolArray, Float64Array, IntArray
from softgrad.cli.training_gradient import MOST_ROWS
from softgrad.linear_model._data._files import SvmlightFile, are_whole

# A table has no more, as a rule; the gradient check makes thousands of evaluations for each hundred.
_COLUMNS_IN_SAMPLE = 64


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

    def __init__(self, source: str, division: Division) -> None:
        self._source = source
        self._division = division
        labels = FoundLabels(self.target, division)
        used = UsedIndices()
        with user_errors(source):
            self._file = SvmlightFile(Path(source))
        for X, y, first_row in parts_of(self._file, source):
            used.add(X.indices)
            labels.add(_whole(y, first_row), first_row)
        self.classes = labels.classes()
        self.train_rows, self.test_rows = labels.train_rows, labels.test_rows
        self.columns = SvmlightColumns(used.ascending() + self._file.first_index)

    def training(self) -> Iterator[tuple[csr_array, IntArray]]:
        """A pass over the training rows: sparse features and class numbers of some."""
        for X, codes, train in self._read():
            yield self._features(X[train]), codes[train]

    def sample(self) -> tuple[Float64Array, IntArray]:
        """The first training rows, dense, and of their columns the first that are not 0 in all of them."""
        features, codes = next(self.training())
        head = features[:MOST_ROWS]
        used = np.unique(head.indices)[:_COLUMNS_IN_SAMPLE]
        dense: Float64Array = head[:, used if used.size else [0]].toarray()
        return dense, codes[:MOST_ROWS]

    def parts(self) -> Iterator[tuple[csr_array, IntArray, BoolArray]]:
        """A pass over all rows: sparse features and class numbers of some, and which of them are for the training."""
        for X, codes, train in self._read():
            yield self._features(X), codes, train

    def _read(self) -> Iterator[tuple[SparseRows, IntArray, BoolArray]]:
        """A pass over all rows as they are in the file, their class numbers, and which are for the training."""
        trained_in = self._division.start()
        for X, y, first_row in parts_of(self._file, self._source):
            codes = label_numbers(y, self.classes, self._source, first_row)
            yield X, codes, trained_in(first_row, len(y))

    def _features(self, X: SparseRows) -> csr_array:
        return self.columns.of(X, self._file.first_index)


def _whole(labels: IntArray | Float64Array, first_row: int) -> IntArray:
    if labels.dtype == np.int64:
        return labels.astype(np.int64, copy=False)
    row = int(are_whole(labels.astype(np.float64, copy=False)).argmin())
    raise UserError(
        f"the label of row {first_row + row + 1} is {labels[row]:g}; whole numbers are needed, regression targets are "
        f"not supported"
    )
