"""Files whose columns have types: Parquet, Feather and Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from softgrad.linear_model._data._column_types import is_list
from softgrad.linear_model._data._plain_columns import plain
from softgrad.linear_model._data._row_groups import RowGroups
from softgrad.linear_model._data._source_file import SourceFile

# Decoded values of a Parquet file, at a time, and encoded ones of each of its columns. The reader takes several times
# as much, and is not faster with more.
_BATCH_BYTES = 1 << 22
_PARQUET_BUFFER_BYTES = 1 << 16
_LEAST_ROWS = 256
# Of all columns, where every request takes its time; of one as many as that takes.
_FAR_BUFFERS_BYTES, _MOST_FAR_BUFFER_BYTES = 1 << 25, 1 << 22


class ParquetFile:
    """The record batches of a Parquet file, or of some of its row groups.

    `schema` is that of the file, `share` how much was read when the last batch was given.
    """

    def __init__(self, file: SourceFile, groups: RowGroups | None) -> None:
        import pyarrow.parquet

        self._file = file
        self._groups = None if groups is None else range(groups.first, groups.stop)
        with file.at_random() as content:
            self.schema: Any = pyarrow.parquet.ParquetFile(content).schema_arrow
        self.share = 0.0

    def batches(self, names: list[str]) -> Iterator[Any]:
        """The rows, of some of the columns, in the order of the file."""
        import pyarrow.parquet

        buffer_bytes = _PARQUET_BUFFER_BYTES
        if self._file.far:
            shared = _FAR_BUFFERS_BYTES // len(names)
            buffer_bytes = min(max(shared, _PARQUET_BUFFER_BYTES), _MOST_FAR_BUFFER_BYTES)
        with self._file.at_random() as content:
            # Without buffering the whole of a row group's columns would be read at once.
            file = pyarrow.parquet.ParquetFile(content, buffer_size=buffer_bytes, pre_buffer=False)
            # All columns but the target are features, as a rule.
            length = int(_BATCH_BYTES / (8 * max(self._cells_of_row(file, names) - 1, 1)))
            rows = 0
            for batch in file.iter_batches(batch_size=max(length, _LEAST_ROWS), row_groups=self._groups, columns=names):
                rows += batch.num_rows
                self.share = rows / file.metadata.num_rows
                yield _validated(batch)

    def _cells_of_row(self, file: Any, names: list[str]) -> float:
        """How many cells of some columns there are in a row, on average of the first rows those of lists.

        The metadata would tell of all rows, but pyarrow ends the process where those of a column are damaged.
        """
        lists = [name for name in names if _is_list(self.schema.field(name).type)]
        if lists:
            for rows in file.iter_batches(batch_size=_LEAST_ROWS, row_groups=self._groups, columns=lists):
                if rows.num_rows:
                    elements: int = sum(map(_elements, rows.columns))
                    return len(names) - len(lists) + elements / int(rows.num_rows)
        return len(names)


def _validated(batch: Any) -> Any:
    """Arrow follows the offsets of a damaged file to wherever they lead, and takes any bytes for text."""
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                column.validate(full=True)
            except pa.ArrowInvalid as error:
                raise pa.ArrowInvalid(f"column {name!r}: {error}") from None
        raise
    return batch


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return is_list(plain(pa.nulls(0, kind)).type)


def _elements(cells: Any) -> int:
    cells = plain(cells)
    while is_list(cells.type):
        cells = plain(cells.flatten())
    return len(cells)


class IpcFile:
    """The record batches of a Feather or Arrow file, as large as they were written, in the file or stream format.

    `schema` is that of the file, `share` how much was read when the last batch was given.
    """

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self.share = 0.0
        with self._reader() as reader:
            self.schema: Any = reader.schema

    def batches(self, names: list[str]) -> Iterator[Any]:
        """All rows, of some of the columns, in the order of the file."""
        with self._reader() as reader:
            # The file format is read by number, the stream format from front to back.
            if hasattr(reader, "num_record_batches"):
                count = reader.num_record_batches
                read: Any = ((reader.get_batch(number), (number + 1) / count) for number in range(count))
            else:
                read = ((batch, self._file.share_read()) for batch in reader)
            for batch, self.share in read:
                yield _validated(batch.select(names))

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        import pyarrow as pa

        with self._file.at_random() as content:
            indexed = content.read(6) == b"ARROW1"
            content.seek(0)
            with (pa.ipc.open_file if indexed else pa.ipc.open_stream)(content) as reader:
                yield reader
