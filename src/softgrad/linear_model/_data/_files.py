"""Files read in parts, anew for every pass: the record batches of Arrow, or sparse rows of an svmlight file."""

from __future__ import annotations

import gzip
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

COLUMN_FORMATS = (".csv", ".tsv", ".parquet", ".feather", ".arrow")
SVMLIGHT_FORMATS = (".svmlight", ".libsvm", ".svm")
# These are read from front to back, so that a compressed file needs no unpacking.
GZIPPED = (".csv", ".tsv", *SVMLIGHT_FORMATS)

# Of a text file, at a time; the reader of CSV works on dozens of blocks at once.
_TEXT_BLOCK_BYTES = 1 << 20
# Of a feature of an svmlight file, for scikit-learn's parser.
_LARGEST_INDEX = 2**31 - 1
# Decoded values of a Parquet file, at a time, and encoded ones of each of its columns. The reader takes several times
# as much, and is not faster with more.
_BATCH_BYTES = 1 << 22
_PARQUET_BUFFER_BYTES = 1 << 16


def ending_of(path: Path) -> str:
    """The last ending of a name, in small letters; the one before it if that is .gz."""
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def file_format(path: Path) -> str:
    """The ending that says how the file is read, without .gz.

    Raises
    ------
    ValueError
        If there is no way to read it in pieces.
    FileNotFoundError
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    ending = ending_of(path)
    known = (*COLUMN_FORMATS, *SVMLIGHT_FORMATS)
    if ending not in known:
        raise ValueError(f"{path}: unknown format; {', '.join(known)} can be read in pieces")
    if path.suffix.lower() == ".gz" and ending not in GZIPPED:
        raise ValueError(f"{path}: a gzipped {ending} file cannot be read in pieces; unpack it")
    return ending


class _SameFile:
    """A file that must not change between two passes over it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = self._signature()

    def _signature(self) -> tuple[int, int]:
        status = os.stat(self.path)
        return status.st_size, status.st_mtime_ns

    def check(self) -> None:
        if self._signature() != self._seen:
            raise ValueError(f"{self.path} has changed since the first pass over it")


class FileBatches:
    """The record batches of a .csv, .tsv, .parquet, .feather or .arrow file, the same at every iteration.

    `untyped` says that it is a text file: its cells are strings then, and an empty one is null. A batch of a Feather or
    Arrow file is as large as it was written.
    """

    def __init__(self, path: Path) -> None:
        self._ending = file_format(path)
        self._file = _SameFile(path)
        self.path = path
        self.untyped = self._ending in (".csv", ".tsv")
        with self._errors():
            self.names = self._read_names()
        repeated = [name for name, count in Counter(self.names).items() if count > 1]
        if repeated:
            raise ValueError(f"{path} has two columns named {repeated[0]!r}")

    def __iter__(self) -> Iterator[Any]:
        self._file.check()
        with self._errors():
            for batch in self._batches():
                if batch.num_rows:
                    yield batch

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except MemoryError:
            # Arrow's is an ArrowException too, and the file is not at fault.
            raise
        except (pa.ArrowException, EOFError) as error:
            raise ValueError(f"cannot read {self.path}: {str(error).strip()}") from None

    def _read_names(self) -> list[str]:
        if self.untyped:
            with self._csv({}) as reader:
                return list(reader.schema.names)
        if self._ending == ".parquet":
            import pyarrow.parquet

            with pyarrow.parquet.ParquetFile(self.path) as file:
                return list(file.schema_arrow.names)
        with self._ipc() as reader:
            return list(reader.schema.names)

    def _batches(self) -> Iterator[Any]:
        if self.untyped:
            import pyarrow as pa

            with self._csv(dict.fromkeys(self.names, pa.string())) as reader:
                yield from reader
        elif self._ending == ".parquet":
            import pyarrow.parquet

            # Without buffering the whole of a row group's columns would be read at once.
            with pyarrow.parquet.ParquetFile(self.path, buffer_size=_PARQUET_BUFFER_BYTES, pre_buffer=False) as file:
                # All columns but the target are features, as a rule.
                length = _BATCH_BYTES // (8 * max(len(self.names) - 1, 1))
                yield from file.iter_batches(batch_size=max(length, 256))
        else:
            with self._ipc() as reader:
                # The file format is read by number, the stream format from front to back.
                if hasattr(reader, "num_record_batches"):
                    yield from (reader.get_batch(number) for number in range(reader.num_record_batches))
                else:
                    yield from reader

    def _csv(self, column_types: dict[str, Any]) -> Any:
        import pyarrow as pa
        import pyarrow.csv

        compression = "gzip" if self.path.suffix.lower() == ".gz" else None
        return pyarrow.csv.open_csv(
            pa.input_stream(str(self.path), compression=compression),
            read_options=pyarrow.csv.ReadOptions(block_size=_TEXT_BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter="," if self._ending == ".csv" else "\t", newlines_in_values=True
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=column_types, null_values=[""], strings_can_be_null=True
            ),
        )

    @contextmanager
    def _ipc(self) -> Iterator[Any]:
        import pyarrow as pa

        with pa.OSFile(str(self.path)) as file:
            with self.path.open("rb") as head:
                indexed = head.read(6) == b"ARROW1"
            with (pa.ipc.open_file if indexed else pa.ipc.open_stream)(file) as reader:
                yield reader


class SvmlightFile:
    """The rows of an svmlight file as pairs of a sparse matrix and its labels, the same at every iteration.

    Indices start from 1, or from 0 if any is 0; all of the file decides, as with scikit-learn's loader. Whole labels
    are integers.
    """

    def __init__(self, path: Path) -> None:
        file_format(path)
        self._file = _SameFile(path)
        self.path = path
        indices = [
            (int(X.indices.min()), int(X.indices.max()))
            for X, _ in self._parsed(zero_based=True, features=None)
            if X.nnz
        ]
        if not indices:
            raise ValueError(f"{path} has no rows with a feature")
        self.first_index = min(1, *(least for least, _ in indices))
        self.n_features = max(most for _, most in indices) - self.first_index + 1

    def __iter__(self) -> Iterator[tuple[Any, NDArray[Any]]]:
        self._file.check()
        return self._parsed(zero_based=self.first_index == 0, features=self.n_features)

    def _parsed(self, *, zero_based: bool, features: int | None) -> Iterator[tuple[Any, NDArray[Any]]]:
        def parsed(text: bytes) -> tuple[Any, NDArray[Any]]:
            X, y = load_svmlight_file(io.BytesIO(text), n_features=features, zero_based=zero_based)
            return X, y

        lines = 0
        for block in self._blocks():
            try:
                X, y = parsed(block)
            except (ValueError, OverflowError):
                self._name_bad_line(block, lines, parsed)
                raise
            lines += block.count(b"\n")
            if len(y):
                yield X, y.astype(np.int64) if are_whole(y).all() else y

    def _name_bad_line(self, block: bytes, lines_before: int, parsed: Callable[[bytes], object]) -> None:
        for number, line in enumerate(block.split(b"\n"), start=lines_before + 1):
            try:
                parsed(line + b"\n")
            except ValueError as error:
                raise ValueError(f"cannot read {self.path}, line {number}: {error}") from None
            except OverflowError:
                index = max(map(int, re.findall(rb"\s(\d+):", line.partition(b"#")[0])))
                raise ValueError(
                    f"cannot read {self.path}, line {number}: feature index {index}; the largest is {_LARGEST_INDEX}"
                ) from None

    def _blocks(self) -> Iterator[bytes]:
        """The text in blocks of whole lines."""
        with gzip.open(self.path) if self.path.suffix.lower() == ".gz" else self.path.open("rb") as file:
            rest = b""
            while read := file.read(_TEXT_BLOCK_BYTES):
                lines, newline, rest = (rest + read).rpartition(b"\n")
                if newline:
                    yield lines + newline
            if rest:
                yield rest


def are_whole(labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the labels are integers, of those that float64 tells apart."""
    whole: NDArray[np.bool_] = (labels == np.rint(labels)) & (np.abs(labels) < 2**53)
    return whole
