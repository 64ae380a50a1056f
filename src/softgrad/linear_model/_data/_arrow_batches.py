"""Batches whose columns have names: record batches, tables, or frames with Arrow's C interface."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._batches import Batch, Batches, check_labels, check_weights
from softgrad.linear_model._data._cells import NotNumberError, numbers
from softgrad.linear_model._data._column_types import check_has_arrays
from softgrad.linear_model._data._distributions import distributions
from softgrad.linear_model._data._fields import Field, check_complete
from softgrad.linear_model._data._index_lists import sparse_rows
from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._layout import Layout
from softgrad.linear_model._data._pieces import piece_rows
from softgrad.linear_model._data._plain_columns import plain
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._target import Target


class ArrowBatches(Batches):
    """Record batches, tables, or frames that hand out their columns through Arrow's C interface.

    Parameters
    ----------
    batches : iterable
        Starts again at each iteration.
    target : str or tuple of str
        The column of the labels, or of lists of class probabilities; or the columns of the probabilities of the
        classes, which have their names.
    sample_weight : str or None
        The column of the row weights. All other columns are features.
    indices : str, optional
        The column of lists of the features that a row has, without others; rows are sparse then.
    text : ReadOptions or None
        How numbers are written where all cells are strings, whatever they stand for; None where they have types.
    ahead : bool
        Whether a thread may make the batches, and is worth it.
    file : str or None
        What messages call the file that the rows come from.
    first_row : int
        How many rows of the file are before them.
    """

    def __init__(
        self,
        batches: Iterable[object],
        target: Target,
        sample_weight: str | None,
        *,
        text: ReadOptions | None,
        ahead: bool,
        indices: str | None = None,
        file: str | None = None,
        first_row: int = 0,
    ) -> None:
        self._batches = batches
        self._schema: Any = None
        self._layout: Layout | None = None
        self._target = target
        self._sample_weight = sample_weight
        self._indices = indices
        self._text = text
        self.untyped = text is not None
        self.ahead = ahead
        self.file = f"{file}, from row {first_row + 1} on," if first_row else file
        self._at = "" if file is None else f"{file}, "
        self._first_row = first_row

    def __iter__(self) -> Iterator[Batch]:
        import pyarrow as pa

        rows = self._first_row
        for number, given in enumerate(self._batches):
            if not (hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")):
                raise TypeError(
                    f"batch {number} of the source is {type(given).__name__}; with target it must be a record batch or "
                    f"another table that Arrow can read"
                )
            table = given if isinstance(given, pa.RecordBatch) else pa.table(given)
            if self._schema is None:
                self._schema = table.schema
                for field in table.schema:
                    check_has_arrays(f"{self._at}column {field.name!r}", field.type)
            _same_columns(table.schema, self._schema, number)
            batches: list[Any] = [table] if table is given else table.to_batches()
            for batch in batches:
                if batch.num_rows:
                    for part in self._parts(batch, self._layout_of(batch, rows), rows):
                        yield part
                        rows += len(part.codes)

    def _layout_of(self, batch: Any, first_row: int) -> Layout:
        """What the columns are for, by the first rows of the source."""
        if self._layout is None:
            fields = [
                Field.of(self._at, name, number, column, first_row)
                for number, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True))
            ]
            self._layout = Layout.of(
                fields,
                self._target,
                self._sample_weight,
                self._indices,
                source=self.file or "the source",
                typed=not self.untyped,
            )
            features = self._layout.features
            self.names = None if self._indices else [name for field in features for name in field.names]
            # Matrix products are as fast where columns lie together; to bring the rows together takes as long as to
            # read them. Those of lists lie together.
            self.order = "C" if len(features) == 1 and features[0].shape else "F"
        return self._layout

    def _parts(self, batch: Any, layout: Layout, first_row: int) -> Iterator[Batch]:
        width = sum(field.width for field in layout.features)
        length = batch.num_rows if layout.indices else piece_rows(width, layout.dtype, len(layout.classes))
        for start in range(0, batch.num_rows, length):
            part, row = batch.slice(start, length), first_row + start
            if layout.indices:
                X = sparse_rows(part.column(layout.indices.number), layout.indices.title, row)
            else:
                X = self._numbers(layout.features, part, row, layout.dtype).T
            labels, codes = self._probabilities(layout, part, row) if layout.classes else self._labels(part, row)
            weights = np.ones(len(codes))
            if layout.weights:
                (weights,) = self._numbers(layout.weights, part, row)
                check_weights(weights, layout.weights[0].title, row)
            yield Batch(X, labels, codes, weights)

    def _numbers(
        self, fields: list[Field], batch: Any, first_row: int, dtype: np.dtype[Any] | type = np.float64
    ) -> NDArray[Any]:
        """Columns as the rows of an array, those of lists as one for each element."""
        rows = batch.num_rows
        if len(fields) == 1:
            values = self._values(fields, batch, first_row).astype(dtype, copy=False)
            return values.reshape(rows, fields[0].width).T
        numbers = np.empty((sum(field.width for field in fields), rows), dtype)
        done = 0
        # Columns of one type at once: of a wide table each would take its time.
        for (_, shape), run in groupby(fields, attrgetter("kind", "shape")):
            columns, width = list(run), math.prod(shape)
            part = numbers[done : done + len(columns) * width].reshape(len(columns), width, rows)
            part[...] = self._values(columns, batch, first_row).reshape(len(columns), rows, width).transpose(0, 2, 1)
            done += len(columns) * width
        return numbers

    def _values(self, fields: list[Field], batch: Any, first_row: int) -> NDArray[Any]:
        """The numbers of columns of one type, column by column, each row by row."""
        import pyarrow as pa

        columns = [field.cells(batch, first_row) for field in fields]
        cells = columns[0] if len(columns) == 1 else pa.concat_arrays(columns)

        def place(position: int) -> str:
            column, position = divmod(position, len(columns[0]))
            return fields[column].place(first_row, position)

        check_complete(cells, place)
        if self._text is not None:
            try:
                cells = numbers(cells, self._text.decimal, self._text.thousands)
            except NotNumberError as error:
                raise ValueError(f"{place(error.position)} is {error.cell!r}; it must be a number") from None
        if cells.type not in (pa.float32(), pa.float64()):
            # Not safe: integers beyond 2**53 are rounded to the nearest float64.
            cells = cells.cast(pa.float64(), safe=False)
        values: NDArray[Any] = cells.to_numpy(zero_copy_only=False)
        finite = np.isfinite(values)
        if not finite.all():
            position = int(finite.argmin())
            raise ValueError(f"{place(position)} is {values[position]}; it must be finite")
        return values

    def _probabilities(self, layout: Layout, batch: Any, first_row: int) -> tuple[list[Any], NDArray[Any]]:
        names = [name for field in layout.probabilities for name in field.names]
        whole = f"column {self._target!r}" if isinstance(self._target, str) else "target"

        def place(row: int, column: int | None) -> str:
            told = whole if column is None else f"column {names[column]!r}"
            return f"{self._at}{told}, row {first_row + row + 1}"

        return layout.classes, distributions(self._numbers(layout.probabilities, batch, first_row).T, place)

    def _labels(self, batch: Any, first_row: int) -> tuple[list[Any], NDArray[Any]]:
        column = plain(batch.column(self._target))
        check_complete(column, lambda row: f"{self._at}column {self._target!r}, row {first_row + row + 1}")
        values, codes = _encoded(column)

        def place(code: int) -> str:
            return f"{self._at}column {self._target!r}, row {first_row + int((codes == code).argmax()) + 1}"

        labels = label_array(values, place)
        check_labels(labels, place)
        return labels.tolist(), codes


def _encoded(column: Any) -> tuple[list[Any], NDArray[np.intp]]:
    """The distinct cells, and the place of each cell among them; decimals without decimal places are integers."""
    import pyarrow as pa

    decimal = pa.types.is_decimal(column.type)
    if decimal and not pa.types.is_decimal256(column.type):
        # Arrow makes no dictionary of narrower ones.
        column = column.cast(pa.decimal128(38, column.type.scale))
    encoded = column.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    if decimal:
        values = [float(value) if column.type.scale > 0 else int(value) for value in values]
    return values, encoded.indices.to_numpy().astype(np.intp)


def _same_columns(schema: Any, first: Any, number: int) -> None:
    if schema.equals(first):
        return
    if schema.names != first.names:
        raise ValueError(
            f"batch {number} has the columns {', '.join(map(repr, schema.names))}; the first has "
            f"{', '.join(map(repr, first.names))}"
        )
    for field, expected in zip(schema, first, strict=True):
        if field.type != expected.type:
            raise ValueError(
                f"column {field.name!r} of batch {number} holds {field.type}; that of the first {expected.type}"
            )
