"""Columns of numbers, or of lists of numbers that have the same length in every row, such as embeddings."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from softgrad.linear_model._data._column_types import is_list
from softgrad.linear_model._data._plain_columns import not_unpacked, plain


class Field(NamedTuple):
    """A column.

    at : what messages say before it, such as its file. number : of the column in its batch. type : as it was given.
    kind : the plain type of its cells, or of the elements of its lists. shape : the lengths of the lists, from the
    outermost inwards; none where cells are no lists. first_row : how many rows are before the one that told all this.
    """

    at: str
    name: str
    number: int
    type: Any
    kind: Any
    shape: tuple[int, ...]
    first_row: int

    @classmethod
    def of(cls, at: str, name: str, number: int, column: Any, first_row: int) -> Field:
        """A column by its first row.

        Raises
        ------
        ValueError
            It lacks the list.
        """
        shape: tuple[int, ...] = ()
        try:
            cells = plain(column.slice(0, 1))
            while is_list(cells.type):
                check_complete(cells, partial(_place, at, name, shape, first_row))
                shape = (*shape, _length(cells))
                cells = plain(cells.flatten().slice(0, 1))
        except NotImplementedError as error:
            raise not_unpacked(_title(at, name), column.type, error) from None
        return cls(at, name, number, column.type, cells.type, shape, first_row)

    @property
    def title(self) -> str:
        """What messages call the column."""
        return _title(self.at, self.name)

    @property
    def width(self) -> int:
        """How many numbers there are in a row."""
        return math.prod(self.shape)

    @property
    def names(self) -> list[str]:
        """One for each number of a row: a, or a[0], a[1] and so on of lists."""
        return _names(self.name, self.shape)

    def place(self, first_row: int, position: int) -> str:
        """What messages call a cell, by its position in `cells`."""
        return _place(self.at, self.name, self.shape, first_row, position)

    def cells(self, batch: Any, first_row: int) -> Any:
        """The column without lists, row by row.

        Raises
        ------
        ValueError
            A list is missing, or has another length than that of the first row.
        """
        try:
            cells = plain(batch.column(self.number))
            for depth, length in enumerate(self.shape):
                place = partial(_place, self.at, self.name, self.shape[:depth], first_row)
                check_complete(cells, place)
                _check_lengths(cells, length, place, self.first_row)
                cells = plain(cells.flatten())
        except NotImplementedError as error:
            raise not_unpacked(self.title, self.type, error) from None
        return cells


def check_complete(cells: Any, place: Callable[[int], str]) -> None:
    if cells.null_count:
        missing = cells.is_null().to_numpy(zero_copy_only=False)
        raise ValueError(f"{place(int(missing.argmax()))} has no value")


def _title(at: str, name: str) -> str:
    return f"{at}column {name!r}"


def _names(name: str, shape: tuple[int, ...]) -> list[str]:
    return [name + "".join(f"[{place}]" for place in index) for index in np.ndindex(shape)]


def _place(at: str, name: str, shape: tuple[int, ...], first_row: int, position: int) -> str:
    row, element = divmod(position, math.prod(shape))
    return f"{at}column {_names(name, shape)[element]!r}, row {first_row + row + 1}"


def _length(cells: Any) -> int:
    """Of the first list; 0 where the list around it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_fixed_size_list(cells.type):
        return int(cells.type.list_size)
    return int(pc.list_value_length(cells)[0].as_py()) if len(cells) else 0


def _check_lengths(cells: Any, length: int, place: Callable[[int], str], first_row: int) -> None:
    import pyarrow.compute as pc

    lengths = pc.list_value_length(cells).to_numpy()
    wrong = np.flatnonzero(lengths != length)
    if wrong.size:
        raise ValueError(
            f"{place(int(wrong[0]))} is a list of {lengths[wrong[0]]}; that of row {first_row + 1} is one of {length}, "
            f"and all must have the same length"
        )
