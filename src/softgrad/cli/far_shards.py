"""Shards as the workers of a cluster read them: they can be pickled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

from softgrad.cli.applied import AppliedShard, AppliedSvmlight, AppliedTable
from softgrad.cli.classes import Classes
from softgrad.cli.division import Divided
from softgrad.cli.encoder import Encoder
from softgrad.cli.lists import Lists
from softgrad.cli.model import Model
from softgrad.cli.reading import Unseen
from softgrad.cli.sources import FileSource
from softgrad.cli.svmlight import SvmlightFiles
from softgrad.cli.svmlight_rows import SvmlightEncoder, SvmlightShard
from softgrad.cli.tables import Table
from softgrad.cli.training_rows import Shard, TableShard, TrainingBatches
from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._file_shards import FilePart, FileShard
from softgrad.linear_model._data._locations import Location
from softgrad.linear_model._data._read_options import ReadOptions


class FarFile(ABC):
    """A shard of the rows that the user called `name`."""

    name: str

    @property
    @abstractmethod
    def size(self) -> int:
        """How many bytes there are to read, about."""

    @abstractmethod
    def opened(self, *, before: int | None = None, columns: Sequence[str] | None = None) -> Table | SvmlightFiles:
        """Its rows alone, of which so many are before it, by default those of its file.

        Of `columns` alone, if these are given, and others cannot be left out without reading them.

        Raises
        ------
        UserError
            It cannot be read, or is not as it was.
        """

    @abstractmethod
    def applied(self, model: Model, unseen: Unseen) -> AppliedShard:
        """Its rows by the encoding of a model; raises as `opened`."""


@dataclass(frozen=True)
class FarTable(FarFile):
    """A part of a file with columns."""

    name: str
    part: FilePart
    lists: Lists
    options: ReadOptions

    @property
    def size(self) -> int:
        return self.part.size

    def opened(self, *, before: int | None = None, columns: Sequence[str] | None = None) -> Table:
        part, lists = self.part, self.lists
        plain = None if columns is None else lists.of_plain(columns)
        if plain is not None:
            # Those of all files were compared by whoever found them.
            part = replace(part, options=replace(part.options, columns=tuple(plain.names)), like=None)
            lists = plain
        source = FileSource(self.name, [part], cached=False, lists=lists, before=before)
        return Table(source, self.options, {})

    def applied(self, model: Model, unseen: Unseen) -> AppliedShard:
        return AppliedTable(model, self.opened(), 0, unseen)


@dataclass(frozen=True)
class FarSvmlight(FarFile):
    """An svmlight file."""

    name: str
    location: Location

    @property
    def size(self) -> int:
        return self.location.size or 0

    def opened(self, *, before: int | None = None, columns: Sequence[str] | None = None) -> SvmlightFiles:  # noqa: ARG002
        return SvmlightFiles(self.name, [self.location], before or 0)

    def applied(self, model: Model, unseen: Unseen) -> AppliedShard:  # noqa: ARG002
        return AppliedSvmlight(model, self.opened(), 0)


@dataclass(frozen=True)
class Numbered:
    """A file, as the shard of this number."""

    number: int
    file: FarFile

    @property
    def size(self) -> int:
        return self.file.size


class FarShard(FileShard):
    """A shard of a training."""

    file: FarFile

    @property
    @abstractmethod
    def classes(self) -> Classes: ...

    @property
    def size(self) -> int:
        return self.file.size

    @abstractmethod
    def here(self) -> Shard:
        """The shard as this process reads it; raises UserError where it cannot be read, or is not as it was."""

    def open(self) -> Batches:
        return TrainingBatches(self.here(), self.classes)


@dataclass(frozen=True)
class FarTableShard(FarShard):
    file: FarTable
    encoder: Encoder
    divided: Divided

    @property
    def classes(self) -> Classes:
        return self.encoder.classes

    def here(self) -> Shard:
        return TableShard(self.file.opened(), 0, self.encoder, self.divided)


@dataclass(frozen=True)
class FarSvmlightShard(FarShard):
    file: FarSvmlight
    encoder: SvmlightEncoder
    divided: Divided

    @property
    def classes(self) -> Classes:
        return self.encoder.classes

    def here(self) -> Shard:
        return SvmlightShard(self.file.opened(), 0, self.encoder, self.divided)


def far_shard(shard: Shard) -> FarShard:
    """A shard of files that are read anew for every pass."""
    if isinstance(shard, SvmlightShard):
        return FarSvmlightShard(_far_svmlight(shard.files, shard.number), shard.encoder, shard.divided)
    assert isinstance(shard, TableShard)
    return FarTableShard(_far_table(shard.table, shard.number), shard.encoder, shard.divided)


def far_files(source: Table | SvmlightFiles) -> Sequence[FarFile]:
    """The shards of a source, of files as of `far_shard`."""
    if isinstance(source, Table):
        return [_far_table(source, number) for number in range(source.n_shards)]
    return [_far_svmlight(source, number) for number in range(source.n_shards)]


def far_file(shard: AppliedShard) -> FarFile:
    """A shard of files that a model is applied to."""
    if isinstance(shard, AppliedSvmlight):
        return _far_svmlight(shard.files, shard.number)
    assert isinstance(shard, AppliedTable)
    return _far_table(shard.table, shard.number)


def _far_table(table: Table, number: int) -> FarTable:
    source = table.source
    assert isinstance(source, FileSource)
    return FarTable(source.name, source.parts[number], source.lists, table.options)


def _far_svmlight(files: SvmlightFiles, number: int) -> FarSvmlight:
    return FarSvmlight(str(files.origin), files.locations[number])
