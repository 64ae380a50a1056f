"""Batches whose columns have names: record batches, tables, or frames with Arrow's C interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._batches import Batch, Batches, check_labels, check_weights
from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._pieces import piece_rows
from softgrad.linear_model._data._text_numbers import first_no_number


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
    untyped : bool
        Whether all cells are strings, whatever they stand for.
    ahead : bool
        Whether a thread may make the batches, and is worth it.
    """

    # Matrix products are as fast where columns lie together; to bring the rows together takes as long as to read them.
    order = "F"

    def __init__(
        self, batches: Iterable[object], target: str, sample_weight: str | None, *, untyped: bool, ahead: bool
    ) -> None:
        self._batches = batches
        self._target = target
        self._sample_weight = sample_weight
        self.untyped = untyped
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
            table = pa.table(given)
            if schema is None:
                schema = table.schema
                self.names = self._feature_names(schema)
            _same_columns(table.schema, schema, number)
            for batch in table.to_batches():
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
        fields = [(number, name) for number, name in enumerate(batch.schema.names) if name in features]
        single = bool(fields) and all(batch.schema.field(number).type == pa.float32() for number, _ in fields)
        dtype = np.dtype(np.float32 if single else np.float64)
        length = piece_rows(len(fields), dtype)
        for start in range(0, batch.num_rows, length):
            part = batch.slice(start, length)
            row = first_row + start
            columns = np.empty((len(fields), part.num_rows), dtype)
            for column, (number, name) in zip(columns, fields, strict=True):
                column[...] = self._numbers(name, part.column(number), row)
            labels, codes = self._labels(part.column(self._target), row)
            weights = np.ones(len(codes))
            if self._sample_weight is not None:
                weights = self._numbers(self._sample_weight, part.column(self._sample_weight), row).astype(np.float64)
                check_weights(weights, f"column {self._sample_weight!r}", row)
            yield Batch(columns.T, labels, codes, weights)

    def _numbers(self, name: str, column: Any, first_row: int) -> NDArray[Any]:
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        _check_complete(name, column, first_row)
        if self.untyped:
            column = _parsed(name, pc.utf8_trim_whitespace(column), first_row)
        kinds = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        if not any(is_kind(column.type) for is_kind in kinds):
            raise TypeError(f"column {name!r} holds {column.type}; features and weights must be numbers")
        if column.type not in (pa.float32(), pa.float64()):
            # Not safe: integers beyond 2**53 are rounded to the nearest float64.
            column = column.cast(pa.float64(), safe=False)
        values = column.to_numpy(zero_copy_only=False)
        finite = np.isfinite(values)
        if not finite.all():
            row = int(finite.argmin())
            raise ValueError(f"column {name!r}, row {first_row + row + 1} is {values[row]}; it must be finite")
        return values  # type: ignore[no-any-return]

    def _labels(self, column: Any, first_row: int) -> tuple[list[Any], NDArray[np.intp]]:
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        _check_complete(self._target, column, first_row)
        encoded = column.dictionary_encode()
        codes = encoded.indices.to_numpy().astype(np.intp)

        def place(code: int) -> str:
            return f"column {self._target!r}, row {first_row + int((codes == code).argmax()) + 1}"

        labels = label_array(encoded.dictionary.to_pylist(), place)
        check_labels(labels)
        return labels.tolist(), codes


def _same_columns(schema: Any, first: Any, number: int) -> None:
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


def _check_complete(name: str, column: Any, first_row: int) -> None:
    if column.null_count:
        row = column.is_null().to_numpy(zero_copy_only=False).argmax()
        raise ValueError(f"column {name!r}, row {first_row + int(row) + 1} has no value")


def _parsed(name: str, cells: Any, first_row: int) -> Any:
    """Cells of a text file as float64."""
    import pyarrow as pa

    try:
        return cells.cast(pa.float64())
    except pa.ArrowInvalid:
        row = first_no_number(cells)
    raise ValueError(f"column {name!r}, row {first_row + row + 1} is {cells[row].as_py()!r}; it must be a number")
