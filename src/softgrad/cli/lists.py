"""Lists of numbers in files, such as embeddings, as a column for each element."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from softgrad.cli.arrow_arrays import as_numpy
from softgrad.cli.errors import UserError, asked
from softgrad.cli.kinds import kind_of_type
from softgrad.cli.origin import Origin
from softgrad.linear_model._data._column_types import is_list


class Lists:
    """The columns of a table that hold lists of numbers, all of one length; a row without a list lacks every element.

    Parameters
    ----------
    origin : Origin
        What messages call its rows.
    batches : iterable of RecordBatch
        They are read until each of the columns of lists has had one.

    Attributes
    ----------
    names : list of str
        Of the columns as `apart` gives them: a[0], a[1] and so on for lists a.
    types : list of DataType
        Of these.

    Raises
    ------
    UserError
        A column has the name of an element.
    """

    def __init__(self, origin: Origin, batches: Iterable[pa.RecordBatch]) -> None:
        self._origin = origin
        # The number of the first row with a list, and the length of the list.
        self._found: dict[str, tuple[int, int]] = {}
        rows = 0
        for batch in batches:
            schema = batch.schema
            sought = {name for name, kind in zip(schema.names, schema.types, strict=True) if _is_of_numbers(kind)}
            for name in sought - self._found.keys():
                lengths = pc.list_value_length(batch[name])
                given = as_numpy(lengths.is_valid())
                if given.any():
                    row = int(given.argmax())
                    self._found[name] = rows + row + 1, lengths[row].as_py()
            rows += batch.num_rows
            if sought == self._found.keys():
                break
        apart = self._of(batch.slice(0, 0), 0).schema
        self.names, self.types = apart.names, apart.types
        repeated = [name for name, count in Counter(self.names).items() if count > 1]
        if repeated:
            raise UserError(f"{origin} has a column {repeated[0]!r}, and lists with an element of this name")

    def apart(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches with a column for each element.

        Raises
        ------
        UserError
            A list has another length than the first one.
        """
        rows = 0
        for batch in batches:
            yield self._of(batch, rows) if self._found else batch
            rows += batch.num_rows

    def _of(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        columns: list[tuple[str, pa.Array]] = []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name in self._found:
                columns += self._elements(name, column, first_row)
            else:
                columns.append((name, column))
        return pa.RecordBatch.from_arrays([cells for _, cells in columns], [name for name, _ in columns])

    def _elements(self, name: str, column: pa.Array, first_row: int) -> Iterator[tuple[str, pa.Array]]:
        row, length = self._found[name]
        given = as_numpy(column.is_valid())
        lengths = as_numpy(pc.fill_null(pc.list_value_length(column), length))
        wrong = np.flatnonzero(lengths != length)
        if wrong.size:
            raise UserError(
                f"{self._origin.cell(name, first_row + int(wrong[0]) + 1)}: a list of {lengths[wrong[0]]}, that of "
                f"{self._origin.within(row)} is one of {length}; all must have the same length, "
                f"{asked('--drop', name)} leaves them out"
            )
        cells = column.flatten()
        starts = (np.cumsum(given) - 1) * length
        for element in range(length):
            yield f"{name}[{element}]", cells.take(pa.array(starts + element, mask=~given))


def _is_of_numbers(kind: pa.DataType) -> bool:
    return is_list(kind) and kind_of_type(kind.value_type) in ("integer", "number", "truth value")
