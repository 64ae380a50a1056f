"""Rows of float32 whose sums are made in float64."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from softgrad.linear_model._data._prepared import OfPrepared
from softgrad.linear_model._data._rows import Rows, RowSource
from softgrad.linear_model._data._terms import Term
from softgrad.linear_model._data._workers import Workers

Total = TypeVar("Total")


class WidenedRows(RowSource):
    """The rows of a float32 source as float64, block by block."""

    resident = False

    def __init__(self, source: RowSource) -> None:
        self.dtype, self.is_sparse = np.dtype(np.float64), source.is_sparse
        self.n_rows, self.n_features = source.n_rows, source.n_features
        self.total_weight = source.total_weight
        self._source = source

    def total(self, term: Term[Rows, Total], workers: Workers, length: int) -> Total:
        return self._source.total(OfPrepared(_widened, term), workers, length)


def _widened(rows: Rows) -> Rows:
    return rows._replace(X=rows.X.astype(np.float64))
