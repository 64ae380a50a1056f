"""What a source gives, checked and as arrays: record batches by the names of their columns, or tuples of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from softgrad.linear_model._data._labels import label_array
from softgrad.linear_model._data._rows import Array, canonical

# Of dense features, at a time.
_CHUNK_BYTES = 1 << 22


class Chunk(NamedTuple):
    """Some rows: features (n, d), the distinct labels, the place of each row's among them, and row weights."""

    X: Any
    labels: list[Any]
    codes: NDArray[np.intp]
    weights: Array


class Chunks(Protocol):
    """All rows, anew and the same at each iteration.

    `names` are those of the features, known once the first chunk is; None where they have none. `untyped` says that
    labels are strings, whatever they stand for. `order` is the memory order of dense features. `ahead` says that a
    thread may make them, and that it is worth one.
    """

    @property
    def names(self) -> list[str] | None: ...

    @property
    def untyped(self) -> bool: ...

    @property
    def order(self) -> Literal["C", "F"]: ...

    @property
    def ahead(self) -> bool: ...

    def __iter__(self) -> Iterator[Chunk]: ...


def chunk_rows(features: int, dtype: np.dtype[Any]) -> int:
    """How many dense rows there are in a chunk that is not the last."""
    return max(_CHUNK_BYTES // max(features * dtype.itemsize, 1), 256)


class TupleChunks:
    """Tuples (X, y) or (X, y, sample_weight) of arrays, X dense or sparse."""

    names = None
    untyped = False
    order: Literal["C", "F"] = "C"
    ahead = False

    def __init__(self, tuples: Iterable[object]) -> None:
        self._tuples = tuples

    def __iter__(self) -> Iterator[Chunk]:
        rows = 0
        first: Any = None
        for number, item in enumerate(self._tuples):
            if not (isinstance(item, tuple) and len(item) in (2, 3)):
                raise TypeError(
                    f"item {number} of the source is {type(item).__name__}; without target it must be a tuple (X, y) "
                    f"or (X, y, sample_weight)"
                )
            X = canonical(item[0]) if scipy.sparse.issparse(item[0]) else np.asarray(item[0])
            if X.ndim != 2:
                raise ValueError(f"X of item {number} has shape {X.shape}; it must have rows and columns")
            first = X[:0] if first is None else first
            _same_form(X, first, number)
            y = np.asarray(label_array(item[1], partial(_row_of_y, rows)))
            weights = np.ones(X.shape[0]) if len(item) == 2 else np.asarray(item[2])
            for name, values in [("y", y), ("sample_weight", weights)]:
                if values.shape != X.shape[:1]:
                    raise ValueError(f"{name} of item {number} has shape {values.shape}; X has {X.shape[0]} rows")
            # A single array may be larger than memory, mapped from a file.
            length = max(X.shape[0], 1) if scipy.sparse.issparse(X) else chunk_rows(X.shape[1], X.dtype)
            for start in range(0, len(y), length):
                part = slice(start, start + length)
                yield _checked(X[part], y[part], weights[part], rows + start)
            rows += len(y)


def _row_of_y(first_row: int, row: int) -> str:
    return f"y, row {first_row + row + 1}"


def _checked(X: Any, y: NDArray[Any], weights: NDArray[Any], first_row: int) -> Chunk:
    _check_labels(y)
    labels, codes = np.unique(y, return_inverse=True)
    weights = weights.astype(np.float64)
    _check_weights(weights, "sample_weight", first_row)
    return Chunk(_matrix(X, first_row), labels.tolist(), codes, weights)


def _matrix(X: Any, first_row: int) -> Any:
    """X as C-contiguous float32 or float64, or CSR; finite."""
    if X.dtype.kind not in "iubf":
        raise TypeError(f"X has dtype {X.dtype}; it must be real")
    dtype = X.dtype if X.dtype == np.float32 else np.dtype(np.float64)
    sparse = scipy.sparse.issparse(X)
    matrix: Any = X.astype(dtype, copy=False) if sparse else np.ascontiguousarray(X, dtype)
    finite = np.isfinite(matrix.data if sparse else matrix)
    if not finite.all():
        position = int(finite.argmin())
        if sparse:
            row, column = int(np.searchsorted(matrix.indptr, position, side="right")) - 1, matrix.indices[position]
        else:
            row, column = divmod(position, matrix.shape[1])
        raise ValueError(f"X, row {first_row + row + 1}, feature {column} is {matrix[row, column]}; it must be finite")
    return matrix


def _same_form(X: Any, first: Any, number: int) -> None:
    for what, found, expected in [
        ("features", X.shape[1], first.shape[1]),
        ("dtype", X.dtype, first.dtype),
        ("sparse", scipy.sparse.issparse(X), scipy.sparse.issparse(first)),
    ]:
        if found != expected:
            raise ValueError(f"X of item {number} has another form than the first: {what} {found}, not {expected}")


class ArrowChunks:
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

    # Products are as fast where columns lie together; to bring the rows together takes as long as to read them.
    order: Literal["C", "F"] = "F"

    def __init__(
        self, batches: Iterable[object], target: str, sample_weight: str | None, *, untyped: bool, ahead: bool
    ) -> None:
        self._batches = batches
        self._target = target
        self._sample_weight = sample_weight
        self.untyped = untyped
        self.ahead = ahead
        self.names: list[str] | None = None

    def __iter__(self) -> Iterator[Chunk]:
        import pyarrow as pa

        rows = 0
        schema: Any = None
        for number, item in enumerate(self._batches):
            if not (hasattr(item, "__arrow_c_stream__") or hasattr(item, "__arrow_c_array__")):
                raise TypeError(
                    f"item {number} of the source is {type(item).__name__}; with target it must be a record batch or "
                    f"another table that Arrow can read"
                )
            table = pa.table(item)
            if schema is None:
                schema = table.schema
                self.names = self._feature_names(schema)
            _same_columns(table.schema, schema, number)
            for batch in table.to_batches():
                for chunk in self._chunks(batch, rows):
                    yield chunk
                    rows += len(chunk.codes)

    def _feature_names(self, schema: Any) -> list[str]:
        special = {"target": self._target, "sample_weight": self._sample_weight}
        for role, name in special.items():
            if name is not None and schema.names.count(name) != 1:
                raise ValueError(
                    f"{role} {name!r} is {'no column' if name not in schema.names else 'several columns'} of the "
                    f"source; its columns are {', '.join(map(repr, schema.names))}"
                )
        return [name for name in schema.names if name not in special.values()]

    def _chunks(self, batch: Any, first_row: int) -> Iterator[Chunk]:
        import pyarrow as pa

        assert self.names is not None
        # Fields of one name are told apart by their number alone.
        features = set(self.names)
        fields = [(number, name) for number, name in enumerate(batch.schema.names) if name in features]
        single = bool(fields) and all(batch.schema.field(number).type == pa.float32() for number, _ in fields)
        dtype = np.dtype(np.float32 if single else np.float64)
        length = chunk_rows(len(fields), dtype)
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
                _check_weights(weights, f"column {self._sample_weight!r}", row)
            yield Chunk(columns.T, labels, codes, weights)

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
        _check_labels(labels)
        return labels.tolist(), codes


def _check_labels(labels: NDArray[Any]) -> None:
    # For the others there is nothing to find, and it takes its time.
    if labels.dtype.kind not in "iubUO":
        check_classification_targets(labels)


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
        start, stop = 0, len(cells)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            cells.slice(start, middle - start).cast(pa.float64())
            start = middle
        except pa.ArrowInvalid:
            stop = middle
    raise ValueError(f"column {name!r}, row {first_row + start + 1} is {cells[start].as_py()!r}; it must be a number")


def _check_weights(weights: Array, name: str, first_row: int) -> None:
    usable = (weights >= 0) & np.isfinite(weights)
    if not usable.all():
        row = int(usable.argmin())
        raise ValueError(
            f"{name}, row {first_row + row + 1} is {weights[row]}; weights must be finite and not negative"
        )
