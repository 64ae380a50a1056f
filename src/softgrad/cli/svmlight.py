"""The rows of an svmlight file for a model that was trained on one: sparse, features found by their indices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from softgrad.cli.errors import UserError, listing
from softgrad.cli.model import Model
from softgrad.cli.preprocessing import NumberColumn
from softgrad.cli.stream_table import user_errors
from softgrad.linear_model.streaming_files import SVMLIGHT_FORMATS, SvmlightFile, ending_of


def is_svmlight(source: str) -> bool:
    """By the ending of its name."""
    return ending_of(Path(source)) in SVMLIGHT_FORMATS


def columns_from(first: int, count: int) -> tuple[NumberColumn, ...]:
    """Named by their indices in the file; neither centred nor scaled, as the rows are sparse."""
    return tuple(NumberColumn(str(first + i), 0.0, 1.0) for i in range(count))


def parts_for(model: Model, source: str) -> Iterator[tuple[Any, NDArray[Any]]]:
    """Features (n, d) as the model has them, sparse, and labels of some rows after the other.

    Raises
    ------
    UserError
        If the file cannot be read, the model was trained on other columns, or knows no feature of an index.
    """
    width = len(model.columns)
    with user_errors(source):
        file = SvmlightFile(Path(source))
        first = _first_index(model, source)
        shift = file.first_index - first
        row = 0
        for X, labels in file:
            indices = X.indices + shift
            outside = np.flatnonzero((indices < 0) | (indices >= width))
            if outside.size:
                at = row + int(np.searchsorted(X.indptr, outside[0], side="right"))
                raise UserError(
                    f"{source}, row {at}: the model knows no feature {indices[outside[0]] + first}, only {first} to "
                    f"{first + width - 1}"
                )
            yield sparse.csr_array((X.data, indices, X.indptr), shape=(X.shape[0], width)), labels
            row += X.shape[0]


def _first_index(model: Model, source: str) -> int:
    for first in (0, 1):
        if model.columns == columns_from(first, len(model.columns)):
            return first
    names = listing((column.name for column in model.columns), 5)
    raise UserError(f"{source}: the model was not trained on an svmlight file; its columns are {names}")
