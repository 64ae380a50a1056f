"""The rows of an svmlight file for `softgrad train --stream`: sparse, so neither centred nor encoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from softgrad.cli.errors import UserError
from softgrad.cli.stream_labels import Division, Labels
from softgrad.cli.stream_table import user_errors
from softgrad.cli.svmlight_columns import SvmlightColumns, UsedIndices
from softgrad.cli.tables import BoolArray, Float64Array, IntArray
from softgrad.linear_model._data._files import SvmlightFile, are_whole

# What the label at the start of each line is called.
TARGET = "label"

# As many as a table has; the gradient check makes thousands of evaluations for each hundred.
_COLUMNS_IN_SAMPLE = 64


class SvmlightRows:
    """Rows, their class numbers and which of them are for the training; the classes are learnt in one pass.

    Attributes
    ----------
    classes : Classes
    columns : SvmlightColumns
    train_rows, test_rows : int

    Raises
    ------
    UserError
        If the file cannot be read, or the classes are too few or too many.
    """

    def __init__(self, source: str, division: Division) -> None:
        self._source = source
        self._division = division
        labels = Labels(TARGET, division)
        used = UsedIndices()
        with user_errors(source):
            self._file = SvmlightFile(Path(source))
            for X, y in self._file:
                used.add(X.indices)
                first_row = labels.train_rows + labels.test_rows
                labels.add(_whole(y, first_row), first_row)
        self.classes = labels.classes()
        self.train_rows, self.test_rows = labels.train_rows, labels.test_rows
        self.columns = SvmlightColumns(used.ascending() + self._file.first_index)

    def parts(self) -> Iterator[tuple[Any, IntArray, BoolArray]]:
        """A pass: sparse features and class numbers of some rows, and which of them are for the training."""
        trained_in = self._division.start()
        first_row = 0
        labels = np.array(self.classes.labels)
        with user_errors(self._source):
            for X, y in self._file:
                features = self.columns.of(X, self._file.first_index)
                yield features, np.searchsorted(labels, y).astype(np.int64), trained_in(first_row, len(y))
                first_row += len(y)


def _whole(labels: Any, first_row: int) -> IntArray:
    if labels.dtype.kind != "i":
        row = int(are_whole(labels).argmin())
        raise UserError(
            f"the label of row {first_row + row + 1} is {labels[row]:g}; whole numbers are needed, regression targets "
            f"are not supported"
        )
    whole: IntArray = labels
    return whole


def dense_sample(features: Any, rows: int) -> Float64Array:
    """The first rows, dense, and of their columns the first that are not 0 in all of them."""
    head = features[:rows]
    used = np.unique(head.indices)[:_COLUMNS_IN_SAMPLE]
    dense: Float64Array = head[:, used if used.size else [0]].toarray()
    return dense
