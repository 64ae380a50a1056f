"""The rows of an svmlight file for a model that was trained on one: sparse, features found by their indices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

from softgrad.cli.errors import UserError, listing
from softgrad.cli.model import Model
from softgrad.cli.stream_table import user_errors
from softgrad.cli.svmlight_columns import SvmlightColumns
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.cli.targets import Classes, class_numbers
from softgrad.linear_model._data._files import SVMLIGHT_FORMATS, SvmlightFile, ending_of


def is_svmlight(source: str) -> bool:
    """Whether the ending of a name says that it is an svmlight file."""
    return ending_of(Path(source)) in SVMLIGHT_FORMATS


def parts_for(model: Model, source: str) -> Iterator[tuple[sparse.csr_array, IntArray | Float64Array]]:
    """Features (n, d) as the model has them, sparse, and labels of some rows after the other.

    Features that no row of the training had are left out, up to the last that one had.

    Raises
    ------
    UserError
        If the file cannot be read, the model was trained on other columns, or knows no feature of an index.
    """
    columns = model.columns
    if not isinstance(columns, SvmlightColumns):
        names = listing((column.name for column in columns), 5)
        raise UserError(f"{source}: the model was not trained on an svmlight file; its columns are {names}")
    with user_errors(source):
        file = SvmlightFile(Path(source))
        row = 0
        for X, labels in file:
            outside = columns.outside(X, file.first_index)
            if outside.any():
                entry = int(outside.argmax())
                at = row + int(np.searchsorted(X.indptr, entry, side="right"))
                raise UserError(
                    f"{source}, row {at}: the model knows no feature {X.indices[entry] + file.first_index}, only "
                    f"{columns.first} to {columns.last}"
                )
            yield columns.of(X, file.first_index), labels
            row += X.shape[0]


def label_numbers(labels: IntArray | Float64Array, classes: Classes, source: str, first_row: int) -> IntArray:
    """The class number of each of some rows; messages count them from the first of the file.

    Raises
    ------
    UserError
        If a label is not among the classes.
    """
    return class_numbers(labels, classes, lambda row: f"{source}, label of row {first_row + row + 1}")
