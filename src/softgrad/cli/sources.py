"""Where the rows of a command come from: a file, kept in memory or not, or one of scikit-learn's data sets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pyarrow as pa

from softgrad.cli.built_in import BUILT_IN, built_in
from softgrad.cli.errors import UserError, is_full
from softgrad.linear_model._data._cached_batches import CachedBatches
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_options import ReadOptions

# Where the rows are between two passes: in memory, in a temporary file, or in their own file alone.
Kept = Literal["memory", "cache", "file"]


class Source(ABC):
    """Record batches, the same at every iteration.

    `name` is what the user called it. `types` are those of the columns; `untyped` says that it is a text file, whose
    cells are strings. `target` is the column to predict where the data set itself says so. `found` says in words what
    was found of a file that nobody said.
    """

    name: str
    names: Sequence[str]
    types: Sequence[pa.DataType]
    untyped: bool
    target: str | None = None
    found: Sequence[str] = ()

    @abstractmethod
    def __iter__(self) -> Iterator[pa.RecordBatch]: ...


def file_of(source: str) -> Path | None:
    """The file that is read; a built-in data set has none."""
    return None if source in BUILT_IN else Path(source)


def open_source(name: str, options: ReadOptions, kept: Kept) -> Source:
    """The rows that the user named.

    Raises
    ------
    UserError
        There is no such file, or it cannot be read.
    """
    if name in BUILT_IN:
        return BuiltIn(name)
    file = FileSource(name, options, cached=kept == "cache")
    return InMemory(file) if kept == "memory" else file


class FileSource(Source):
    """The rows of a file, read anew at every iteration, or kept in a temporary file once they were."""

    def __init__(self, name: str, options: ReadOptions, *, cached: bool) -> None:
        self.name = name
        with user_errors(name):
            batches = FileBatches(name, options)
            self._batches = CachedBatches(batches) if cached else batches
            self.names, self.untyped = batches.names, batches.untyped
            self.found = [f"{what} {value}" for what, value in batches.found.items()]
            self.types = next(iter(batches)).schema.types

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        with user_errors(self.name):
            yield from self._batches


class InMemory(Source):
    """The rows of a file, which are kept by the first pass that comes to the end.

    What is wrong is found in the order in which a stream finds it.
    """

    def __init__(self, file: FileSource) -> None:
        self.name, self.names, self.untyped, self.found = file.name, file.names, file.untyped, file.found
        self.types = file.types
        self._file = file
        self._batches: list[pa.RecordBatch] | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._read() if self._batches is None else iter(self._batches)

    def _read(self) -> Iterator[pa.RecordBatch]:
        batches = []
        for batch in self._file:
            batches.append(batch)
            yield batch
        self._batches = batches


class BuiltIn(Source):
    """One of the data sets that come with scikit-learn."""

    target = "target"
    untyped = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._batch = built_in(name, self.target)
        self.names, self.types = self._batch.schema.names, self._batch.schema.types

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        yield self._batch


@contextmanager
def user_errors(source: str) -> Iterator[None]:
    """What cannot be read is the user's error, and names the file; a full disk is none."""
    try:
        yield
    except MemoryError:
        # Arrow's is an ArrowException too, and the file is not at fault.
        raise
    except (ValueError, TypeError, OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        told = str(error) if source in str(error) else f"cannot read {source}: {error}"
        others = f" (and no built-in data set: {', '.join(BUILT_IN)})" if isinstance(error, FileNotFoundError) else ""
        raise UserError(told + others) from None
