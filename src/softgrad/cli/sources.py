"""Where the rows of a command come from: files, kept in memory or not, or one of scikit-learn's data sets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal

import pyarrow as pa

from softgrad.cli.built_in import built_in
from softgrad.cli.data import Data, user_errors
from softgrad.cli.lists import Lists
from softgrad.cli.origin import Origin
from softgrad.cli.reading_progress import ReadingProgress
from softgrad.linear_model._data._cached_batches import CachedBatches
from softgrad.linear_model._data._file_shards import Columns, Located
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._locations import Location
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._row_groups import parts_of

# Where the rows are between two passes: in memory, in a temporary file, or in their own file alone.
Kept = Literal["memory", "cache", "file"]


class Source(ABC):
    """Record batches, the same at every iteration.

    `name` is what the user called it, `origin` what messages call its rows. `types` are those of the columns; `untyped`
    says that it is of text files, whose cells are strings. `target` is the column to predict where the data set itself
    says so. `reading` shows a pass over files. `found` says in words what was found of files that nobody said.
    """

    name: str
    origin: Origin
    names: Sequence[str]
    types: Sequence[pa.DataType]
    untyped: bool
    target: str | None = None
    reading: ReadingProgress | None = None
    found: Sequence[str] = ()

    @abstractmethod
    def __iter__(self) -> Iterator[pa.RecordBatch]: ...


def open_source(data: Data, options: ReadOptions, kept: Kept) -> Source:
    """The rows that the user named.

    Raises
    ------
    UserError
        There is no such file, or it cannot be read.
    """
    if data.built_in is not None:
        return BuiltIn(data.built_in)
    files = FileSource(data, options, cached=kept == "cache")
    return InMemory(files) if kept == "memory" else files


class FileSource(Source):
    """The rows of files, read anew at every iteration, or kept in temporary files once they were."""

    def __init__(self, data: Data, options: ReadOptions, *, cached: bool) -> None:
        self.name = str(data)
        self.origin = Origin(self.name)
        self._files: list[FileBatches | CachedBatches] = []
        like = None
        locations = _with_rows(data.located(options))
        self.reading = self._progress = ReadingProgress([location.size for location in locations])
        for location in locations:
            with user_errors(location.name):
                batches = FileBatches(location, options)
                if like is None:
                    like, first = Columns.of(batches), batches
                like.check(batches)
            self._files.append(CachedBatches(batches) if cached else batches)
        self.untyped = first.untyped
        self.found = list(dict.fromkeys(f"{what} {word}" for file in self._files for what, word in file.found.items()))
        self._lists = Lists(self.origin, self._read())
        self.names, self.types = self._lists.names, self._lists.types

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._lists.apart(self._read())

    def _read(self) -> Iterator[pa.RecordBatch]:
        rows = 0
        with self._progress.reading():
            for number, file in enumerate(self._files):
                self.origin.begin(file.name, rows)
                with user_errors(file.name):
                    for batch in file:
                        rows += batch.num_rows
                        self._progress.at(number, file.share, rows)
                        yield batch


def _with_rows(files: Located) -> Sequence[Location]:
    """The files but for those of several Parquet files that have no rows."""
    locations, form = files
    if form != "parquet" or len(locations) == 1:
        return locations
    with user_errors(*(location.name for location in locations)):
        return [location for location in locations if parts_of(location)] or locations


class InMemory(Source):
    """The rows of files, which are kept by the first pass that comes to the end.

    What is wrong is found in the order in which a stream finds it.
    """

    def __init__(self, file: FileSource) -> None:
        self.name, self.names, self.untyped, self.found = file.name, file.names, file.untyped, file.found
        self.types, self.origin, self.reading = file.types, file.origin, file.reading
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
        self.name, self.origin = name, Origin(name)
        self._batch = built_in(name, self.target)
        self.names, self.types = self._batch.schema.names, self._batch.schema.types

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        yield self._batch
