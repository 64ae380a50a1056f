"""Lists of numbers in files, such as embeddings, as a column for each element."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from softgrad.cli.arrow_arrays import as_numpy
from softgrad.cli.errors import UserError, asked
from softgrad.cli.kinds import kind_of_type
from softgrad.cli.origin import Origin
from softgrad.linear_model._data._column_types import is_list


class FirstList(NamedTuple):
    """What messages call the first row with a list, and the length of that."""

    row: str
    length: int


@dataclass(frozen=True)
class Lists:
    """The columns of a table that hold lists of numbers, all of one length; a row without a list lacks every element.

    Attributes
    ----------
    first : dict
        Of each of the columns.
    names : list of str
        Of the columns as `apart` gives them: a[0], a[1] and so on for lists a.
    types : list of DataType
        Of these.
    """

    first: dict[str, FirstList]
    names: list[str]
    types: list[pa.DataType]

    @classmethod
    def of(cls, origin: Origin, batches: Iterable[pa.RecordBatch]) -> Lists:
        """The columns of lists in batches, which are read until each has had one.

        Raises
        ------
        UserError
            A column has the name of an element.
        """
        first: dict[str, FirstList] = {}
        rows = 0
        for batch in batches:
            schema = batch.schema
            sought = {name for name, kind in zip(schema.names, schema.types, strict=True) if _is_of_numbers(kind)}
            for name in sought - first.keys():
                lengths = pc.list_value_length(batch[name])
                given = as_numpy(lengths.is_valid())
                if given.any():
                    row = int(given.argmax())
                    first[name] = FirstList(origin.within(rows + row + 1), lengths[row].as_py())
            rows += batch.num_rows
            if sought == first.keys():
                break
        apart = _apart(batch.slice(0, 0), first, origin, 0).schema
        repeated = [name for name, count in Counter(apart.names).items() if count > 1]
        if repeated:
            raise UserError(f"{origin} has a column {repeated[0]!r}, and lists with an element of this name")
        return cls(first, apart.names, apart.types)

    def elements(self, name: str) -> list[str]:
        """The columns that those of one column become."""
        return [_element(name, number) for number in range(self.first[name].length)] if name in self.first else []

    def of_plain(self, columns: Sequence[str]) -> Lists | None:
        """What there is to know where these columns are read alone; None if one is an element of a list."""
        if any(name.startswith(f"{lists}[") for name in columns for lists in self.first):
            return None
        # A file gives them in its own order.
        kept = [(name, kind) for name, kind in zip(self.names, self.types, strict=True) if name in columns]
        return Lists({}, [name for name, _ in kept], [kind for _, kind in kept])

    def apart(self, batches: Iterable[pa.RecordBatch], origin: Origin, before: int) -> Iterator[pa.RecordBatch]:
        """The batches with a column for each element; so many rows of the table are before them.

        Raises
        ------
        UserError
            A list has another length than the first one.
        """
        for batch in batches:
            yield _apart(batch, self.first, origin, before) if self.first else batch
            before += batch.num_rows


def _apart(batch: pa.RecordBatch, first: dict[str, FirstList], origin: Origin, before: int) -> pa.RecordBatch:
    columns: list[tuple[str, pa.Array]] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in first:
            columns += _elements(name, column, first[name], origin, before)
        else:
            columns.append((name, column))
    return pa.RecordBatch.from_arrays([cells for _, cells in columns], [name for name, _ in columns])


def _elements(
    name: str, column: pa.Array, first: FirstList, origin: Origin, before: int
) -> Iterator[tuple[str, pa.Array]]:
    length = first.length
    given = as_numpy(column.is_valid())
    lengths = as_numpy(pc.fill_null(pc.list_value_length(column), length))
    wrong = np.flatnonzero(lengths != length)
    if wrong.size:
        raise UserError(
            f"{origin.cell(name, before + int(wrong[0]) + 1)}: a list of {lengths[wrong[0]]}, that of "
            f"{first.row} is one of {length}; all must have the same length, "
            f"{asked('--drop', name)} leaves them out"
        )
    cells = column.flatten()
    starts = (np.cumsum(given) - 1) * length
    for element in range(length):
        yield _element(name, element), cells.take(pa.array(starts + element, mask=~given))


def _element(name: str, number: int) -> str:
    return f"{name}[{number}]"


def _is_of_numbers(kind: pa.DataType) -> bool:
    return is_list(kind) and kind_of_type(kind.value_type) in ("integer", "number", "truth value")
