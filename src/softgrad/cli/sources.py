"""Where the rows of a command come from: files, kept in memory or not, or one of scikit-learn's data sets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal

import pyarrow as pa

from softgrad.cli.built_in import built_in
from softgrad.cli.data import Data, user_errors
from softgrad.cli.lists import Lists
from softgrad.cli.origin import Origin
from softgrad.cli.reading_progress import ReadingProgress
from softgrad.linear_model._data._cached_batches import CachedBatches
from softgrad.linear_model._data._file_shards import FilePart, file_parts
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_options import ReadOptions

# Where the rows are between two passes: in memory, in a temporary file, or in their own file alone.
Kept = Literal["memory", "cache", "file"]


class Source(ABC):
    """Record batches in shards, which the data alone decide; the same at every pass.

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
    n_shards = 1

    @abstractmethod
    def shard(self, number: int) -> Iterator[pa.RecordBatch]:
        """A pass over a shard. The first pass goes over all of them in their order."""

    def first_row(self, number: int) -> int:  # noqa: ARG002
        """How many rows are before a shard, all of which were passed."""
        return 0

    def elements(self, name: str) -> list[str]:  # noqa: ARG002
        """The columns that the elements of lists of this name have become; none where there are no such lists."""
        return []

    @abstractmethod
    def passed(self, number: int, rows: int) -> None:
        """Take note that somebody passed over a shard of so many rows; those before it were passed."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return chain.from_iterable(map(self.shard, range(self.n_shards)))


def open_source(data: Data, options: ReadOptions, kept: Kept) -> Source:
    """The rows that the user named.

    Raises
    ------
    UserError
        There is no such file, or it cannot be read.
    """
    if data.built_in is not None:
        return BuiltIn(data.built_in)
    locations = data.located(options).locations
    with user_errors(*(location.name for location in locations)):
        parts = file_parts(locations, options)
    files = FileSource(str(data), parts, cached=kept == "cache")
    return InMemory(files) if kept == "memory" else files


class FileSource(Source):
    """The rows of files, read anew at every pass, or kept in temporary files once they were.

    Parameters
    ----------
    name : str
        What the user called them.
    parts : sequence of FilePart
        Each is a shard.
    cached : bool
    lists : Lists, optional
        What is known of their lists; by default the first ones tell it.
    before : int, optional
        How many rows are before the first; by default those of its file.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[FilePart],
        *,
        cached: bool,
        lists: Lists | None = None,
        before: int | None = None,
    ) -> None:
        self.name = name
        self.origin = Origin(name, several=len({part.location.name for part in parts}) > 1)
        self.parts = parts
        self.reading = self._progress = ReadingProgress([part.size for part in parts])
        self.n_shards = len(parts)
        self._files: list[FileBatches | CachedBatches] = []
        for part in parts:
            with user_errors(part.location.name):
                batches = part.open()
            self._files.append(CachedBatches(batches) if cached else batches)
        self.untyped = batches.untyped
        self.found = list(dict.fromkeys(f"{what} {word}" for file in self._files for what, word in file.found.items()))
        # Of each shard, known once those before it were passed.
        self._first_rows = [parts[0].first_row if before is None else before]
        whole = chain.from_iterable(map(self._read, range(self.n_shards)))
        self.lists = Lists.of(self.origin, whole) if lists is None else lists
        self.names, self.types = self.lists.names, self.lists.types

    def shard(self, number: int) -> Iterator[pa.RecordBatch]:
        return self.lists.apart(self._read(number), self.origin, self._first_rows[number])

    def first_row(self, number: int) -> int:
        return self._first_rows[number]

    def elements(self, name: str) -> list[str]:
        return self.lists.elements(name)

    def _read(self, number: int) -> Iterator[pa.RecordBatch]:
        file, rows = self._files[number], self._first_rows[number]
        self.origin.begin(file.name, rows - self.parts[number].first_row)
        with self._progress.reading(number), user_errors(file.name):
            for batch in file:
                rows += batch.num_rows
                self._progress.at(number, file.share, rows)
                yield batch
        self.passed(number, rows - self._first_rows[number])

    def passed(self, number: int, rows: int) -> None:
        before = self._first_rows[number]
        self.origin.begin(self._files[number].name, before - self.parts[number].first_row)
        if len(self._first_rows) == number + 1:
            self._first_rows.append(before + rows)


class InMemory(Source):
    """The rows of files, whose shards are kept by the first pass that comes to the end.

    What is wrong is found in the order in which a stream finds it.
    """

    def __init__(self, file: FileSource) -> None:
        self.name, self.names, self.untyped, self.found = file.name, file.names, file.untyped, file.found
        self.types, self.origin, self.reading, self.n_shards = file.types, file.origin, file.reading, file.n_shards
        self._file = file
        self._kept: dict[int, list[pa.RecordBatch]] = {}

    def shard(self, number: int) -> Iterator[pa.RecordBatch]:
        return iter(self._kept[number]) if number in self._kept else self._read(number)

    def first_row(self, number: int) -> int:
        return self._file.first_row(number)

    def elements(self, name: str) -> list[str]:
        return self._file.elements(name)

    def passed(self, number: int, rows: int) -> None:
        self._file.passed(number, rows)

    def _read(self, number: int) -> Iterator[pa.RecordBatch]:
        batches = []
        for batch in self._file.shard(number):
            batches.append(batch)
            yield batch
        self._kept[number] = batches


class BuiltIn(Source):
    """One of the data sets that come with scikit-learn."""

    target = "target"
    untyped = False

    def __init__(self, name: str) -> None:
        self.name, self.origin = name, Origin(name)
        self._batch = built_in(name, self.target)
        self.names, self.types = self._batch.schema.names, self._batch.schema.types

    def shard(self, number: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002
        yield self._batch

    def passed(self, number: int, rows: int) -> None:
        """There is one shard, and what is before it is known."""
