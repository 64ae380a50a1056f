"""Columns of lists of the features that a row has, as sparse rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from softgrad.linear_model._data._fields import check_complete
from softgrad.linear_model._data._plain_columns import plain
from softgrad.linear_model._data._rows import canonical

# Of a feature, as in svmlight files.
_LARGEST = 2**31 - 1


def sparse_rows(lists: Any, title: str, first_row: int) -> Any:
    """Rows with a 1 for each index in their list, as many as it is there; with the features up to the largest of them.

    `title` is what messages call the column.

    Raises
    ------
    ValueError
        A list or an index is missing, or an index is no number of a feature.
    """
    import pyarrow.compute as pc

    def place(row: int) -> str:
        return f"{title}, row {first_row + row + 1}"

    lists = plain(lists)
    check_complete(lists, place)
    ends = np.cumsum(pc.list_value_length(lists).to_numpy(), dtype=np.int64)

    def place_of(position: int) -> str:
        row = int(np.searchsorted(ends, position, side="right"))
        return f"{place(row)}, element {position - (ends[row - 1] if row else 0)}"

    cells = plain(lists.flatten())
    check_complete(cells, place_of)
    indices = cells.to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero((indices < 0) | (indices > _LARGEST))
    if wrong.size:
        raise ValueError(f"{place_of(int(wrong[0]))} is {indices[wrong[0]]}; an index must be from 0 to {_LARGEST}")
    shape = len(ends), int(indices.max()) + 1 if len(indices) else 0
    return canonical(scipy.sparse.csr_array((np.ones(len(indices)), indices, np.append(0, ends)), shape=shape))
