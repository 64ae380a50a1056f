"""Batches whose columns have names: record batches, tables, or frames with Arrow's C interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._batches import Batch, Batches, check_labels, check_weights
from softgrad.linear_model._data._cells import NotNumberError, numbers
from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._pieces import piece_rows
from softgrad.linear_model._data._plain_columns import plain
from softgrad.linear_model._data._read_options import ReadOptions


class ArrowBatches(Batches):
    """Record batches, tables, or frames that hand out their columns through Arrow's C interface.

    Parameters
    ----------
    batches : iterable
        Starts again at each iteration.
    target : str
        The column of the labels.
    sample_weight : str or None
        The column of the row weights. All other columns are features.
    text : ReadOptions or None
        How numbers are written where all cells are strings, whatever they stand for; None where they have types.
    ahead : bool
        Whether a thread may make the batches, and is worth it.
    """

    # Matrix products are as fast where columns lie together; to bring the rows together takes as long as to read them.
    order = "F"

    def __init__(
        self,
        batches: Iterable[object],
        target: str,
        sample_weight: str | None,
        *,
        text: ReadOptions | None,
        ahead: bool,
    ) -> None:
        self._batches = batches
        self._target = target
        self._sample_weight = sample_weight
        self._text = text
        self.untyped = text is not None
        self.ahead = ahead

    def __iter__(self) -> Iterator[Batch]:
        import pyarrow as pa

        rows = 0
        schema: Any = None
        for number, given in enumerate(self._batches):
            if not (hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")):
                raise TypeError(
                    f"batch {number} of the source is {type(given).__name__}; with target it must be a record batch or "
                    f"another table that Arrow can read"
                )
            table = given if isinstance(given, pa.RecordBatch) else pa.table(given)
            if schema is None:
                schema = table.schema
                self.names = self._feature_names(schema)
            _same_columns(table.schema, schema, number)
            for batch in [table] if table is given else table.to_batches():
                for part in self._parts(batch, rows):
                    yield part
                    rows += len(part.codes)

    def _feature_names(self, schema: Any) -> list[str]:
        special = {"target": self._target, "sample_weight": self._sample_weight}
        for role, name in special.items():
            if name is not None and schema.names.count(name) != 1:
                raise ValueError(
                    f"{role} {name!r} is {'no column' if name not in schema.names else 'several columns'} of the "
                    f"source; its columns are {', '.join(map(repr, schema.names))}"
                )
        return [name for name in schema.names if name not in special.values()]

    def _parts(self, batch: Any, first_row: int) -> Iterator[Batch]:
        import pyarrow as pa

        assert self.names is not None
        # Fields of one name are told apart by their number alone.
        features = set(self.names)
        schema = batch.schema
        fields = [
            field for field in zip(schema.names, schema.types, batch.columns, strict=True) if field[0] in features
        ]
        single = bool(fields) and all(kind == pa.float32() for _, kind, _ in fields)
        dtype = np.dtype(np.float32 if single else np.float64)
        length = piece_rows(len(fields), dtype)
        for start in range(0, batch.num_rows, length):
            row = first_row + start
            columns = np.empty((len(fields), min(length, batch.num_rows - start)), dtype)
            done = 0
            # Columns of one type at once: of a wide table each would take its time.
            for _, run in groupby(fields, itemgetter(1)):
                names, _, whole = zip(*run, strict=True)
                values = self._numbers(names, [column.slice(start, length) for column in whole], row)
                columns[done : done + len(names)] = values
                done += len(names)
            labels, codes = self._labels(batch.column(self._target).slice(start, length), row)
            weights = np.ones(len(codes))
            if self._sample_weight is not None:
                column = batch.column(self._sample_weight).slice(start, length)
                weights = self._numbers([self._sample_weight], [column], row)[0].astype(np.float64)
                check_weights(weights, f"column {self._sample_weight!r}", row)
            yield Batch(columns.T, labels, codes, weights)

    def _numbers(self, names: Sequence[str], columns: list[Any], first_row: int) -> NDArray[Any]:
        """Columns of one type as the rows of an array."""
        import pyarrow as pa

        def place(position: int) -> str:
            column, row = divmod(position, len(columns[0]))
            return f"column {names[column]!r}, row {first_row + row + 1}"

        cells = pa.concat_arrays([plain(column) for column in columns])
        _check_complete(cells, place)
        if self._text is not None:
            try:
                cells = numbers(cells, self._text.decimal, self._text.thousands)
            except NotNumberError as error:
                raise ValueError(f"{place(error.position)} is {error.cell!r}; it must be a number") from None
        kinds = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        if not any(is_kind(cells.type) for is_kind in kinds):
            raise TypeError(f"column {names[0]!r} holds {cells.type}; features and weights must be numbers")
        if cells.type not in (pa.float32(), pa.float64()):
            # Not safe: integers beyond 2**53 are rounded to the nearest float64.
            cells = cells.cast(pa.float64(), safe=False)
        values: NDArray[Any] = cells.to_numpy(zero_copy_only=False)
        finite = np.isfinite(values)
        if not finite.all():
            position = int(finite.argmin())
            raise ValueError(f"{place(position)} is {values[position]}; it must be finite")
        return values.reshape(len(columns), -1)

    def _labels(self, column: Any, first_row: int) -> tuple[list[Any], NDArray[np.intp]]:
        column = plain(column)
        _check_complete(column, lambda row: f"column {self._target!r}, row {first_row + row + 1}")
        encoded = column.dictionary_encode()
        codes = encoded.indices.to_numpy().astype(np.intp)

        def place(code: int) -> str:
            return f"column {self._target!r}, row {first_row + int((codes == code).argmax()) + 1}"

        labels = label_array(encoded.dictionary.to_pylist(), place)
        check_labels(labels)
        return labels.tolist(), codes


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


def _check_complete(cells: Any, place: Callable[[int], str]) -> None:
    if cells.null_count:
        missing = cells.is_null().to_numpy(zero_copy_only=False)
        raise ValueError(f"{place(int(missing.argmax()))} has no value")
