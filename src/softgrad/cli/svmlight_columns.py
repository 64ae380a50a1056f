"""The features of sparse rows, which are called by their indices in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, overload

import numpy as np
from scipy import sparse

from softgrad.cli.columns import NumberColumn
from softgrad.cli.tables import BoolArray, IntArray
from softgrad.linear_model._data._rows import canonical

SparseRows: TypeAlias = sparse.csr_matrix | sparse.csr_array


@dataclass(frozen=True, eq=False)
class SvmlightColumns(Sequence[NumberColumn]):
    """The features that some row has, by their indices, ascending; neither centred nor scaled, as the rows are sparse.

    A column is made when it is asked for, as there may be millions.
    """

    indices: IntArray

    @property
    def first(self) -> int:
        """The least index there can be: they count from 1, or from 0 if any is 0."""
        return min(1, int(self.indices[0]))

    @property
    def last(self) -> int:
        return int(self.indices[-1])

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, place: int) -> NumberColumn: ...
    @overload
    def __getitem__(self, place: slice) -> SvmlightColumns: ...
    def __getitem__(self, place: int | slice) -> NumberColumn | SvmlightColumns:
        if isinstance(place, slice):
            return SvmlightColumns(self.indices[place])
        return NumberColumn(str(self.indices[place]), 0.0, 1.0)

    def outside(self, X: SparseRows) -> BoolArray:
        """Which entries of CSR rows have no index from the first to the last."""
        beyond: BoolArray = (X.indices < self.first) | (X.indices > self.last)
        return beyond

    def of(self, X: SparseRows) -> sparse.csr_array:
        """The entries of CSR rows that belong to these columns; `canonical`."""
        places = np.searchsorted(self.indices, X.indices)
        known = self.indices[np.minimum(places, len(self) - 1)] == X.indices
        ends = np.concatenate([[0], np.cumsum(known)])[X.indptr]
        entries = sparse.csr_array((X.data[known], places[known], ends), shape=(X.shape[0], len(self)))
        rows: sparse.csr_array = canonical(entries)
        return rows


class UsedIndices:
    """The distinct ones of indices that come in parts."""

    def __init__(self) -> None:
        self._merged: IntArray = np.empty(0, np.int64)
        self._waiting: list[IntArray] = []

    def add(self, indices: IntArray) -> None:
        self._waiting.append(np.unique(indices))
        # Each merging then takes in as many as there are, so that all of them together cost little more than the last.
        if sum(map(len, self._waiting)) > len(self._merged):
            self._merged = self.ascending()
            self._waiting = []

    def ascending(self) -> IntArray:
        """All that were added."""
        return np.unique(np.concatenate([self._merged, *self._waiting]))
