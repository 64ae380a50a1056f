"""Files whose columns have types: Parquet, Feather and Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Decoded values of a Parquet file, at a time, and encoded ones of each of its columns. The reader takes several times
# as much, and is not faster with more.
_BATCH_BYTES = 1 << 22
_PARQUET_BUFFER_BYTES = 1 << 16


class ParquetFile:
    """The record batches of a Parquet file."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet

        self._path = path
        with pyarrow.parquet.ParquetFile(path) as file:
            self.names: list[str] = list(file.schema_arrow.names)

    def batches(self, names: list[str]) -> Iterator[Any]:
        """All rows, of some of the columns, in the order of the file."""
        import pyarrow.parquet

        # Without buffering the whole of a row group's columns would be read at once.
        with pyarrow.parquet.ParquetFile(self._path, buffer_size=_PARQUET_BUFFER_BYTES, pre_buffer=False) as file:
            # All columns but the target are features, as a rule.
            length = _BATCH_BYTES // (8 * max(len(names) - 1, 1))
            yield from file.iter_batches(batch_size=max(length, 256), columns=names)


class IpcFile:
    """The record batches of a Feather or Arrow file, as large as they were written, in the file or stream format."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._reader() as reader:
            self.names: list[str] = list(reader.schema.names)

    def batches(self, names: list[str]) -> Iterator[Any]:
        """All rows, of some of the columns, in the order of the file."""
        with self._reader() as reader:
            # The file format is read by number, the stream format from front to back.
            if hasattr(reader, "num_record_batches"):
                read: Any = (reader.get_batch(number) for number in range(reader.num_record_batches))
            else:
                read = reader
            yield from (batch.select(names) for batch in read)

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        import pyarrow as pa

        with pa.OSFile(str(self._path)) as file:
            with self._path.open("rb") as head:
                indexed = head.read(6) == b"ARROW1"
            with (pa.ipc.open_file if indexed else pa.ipc.open_stream)(file) as reader:
                yield reader
