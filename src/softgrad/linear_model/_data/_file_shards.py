"""Files as shards: rows that stay together, whoever reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._datasets import dataset_files, is_dataset
from softgrad.linear_model._data._file_systems import check_pyarrow
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._formats import known_format
from softgrad.linear_model._data._locations import Location, locations_of
from softgrad.linear_model._data._plain_columns import plain
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._row_groups import RowGroups, parts_of
from softgrad.linear_model._data._svmlight import Extent, SvmlightFile, common_extent
from softgrad.linear_model._data._target import Target, checked_target, target_names
from softgrad.linear_model._data._tuple_batches import TupleBatches

# Names of files, or a `pyarrow.dataset.Dataset`.
Files = Any


class Columns(NamedTuple):
    """The columns of a file, which those of others must be like; `types` are pyarrow's."""

    file: str
    names: tuple[str, ...]
    types: tuple[Any, ...]

    @classmethod
    def of(cls, batches: FileBatches) -> Columns:
        return cls(batches.name, tuple(batches.names), tuple(batches.types))

    @classmethod
    def of_dataset(cls, schema: Any, options: ReadOptions) -> Columns:
        """The columns of its schema that are read; all of them are chosen by name."""
        import pyarrow as pa

        names = [name for name in schema.names if name in (options.columns or ()) and name not in options.drop]
        types = [plain(pa.nulls(0, schema.field(name).type)).type for name in names]
        return cls("the schema of the dataset", tuple(names), tuple(types))

    def check(self, batches: FileBatches) -> None:
        """Raises ValueError where a file has others."""
        names = tuple(batches.names)
        if names != self.names:
            raise ValueError(
                f"{batches.name} has the columns {_listed(names)}; those of {self.file} are {_listed(self.names)}"
            )
        for name, found, expected in zip(names, batches.types, self.types, strict=True):
            if found != expected:
                raise ValueError(f"column {name!r} of {batches.name} holds {found}; that of {self.file} {expected}")


@dataclass(frozen=True)
class FilePart:
    """A file with columns, or some row groups of it: it can be pickled, and opened where the file can be read.

    `like` are what its columns must be like, where there are several files.
    """

    location: Location
    options: ReadOptions
    like: Columns | None = None
    row_groups: RowGroups | None = None

    @property
    def size(self) -> int:
        """How many bytes there are to read, about."""
        return (self.location.size or 0) if self.row_groups is None else self.row_groups.size

    @property
    def first_row(self) -> int:
        """How many rows of the file are before it."""
        return 0 if self.row_groups is None else self.row_groups.first_row

    def open(self) -> FileBatches:
        """Raises ValueError or OSError where it cannot be read, is not as it was found, or is unlike the others."""
        batches = FileBatches(self.location, self.options, self.row_groups)
        if self.like is not None:
            self.like.check(batches)
        return batches


class FileShard(ABC):
    """Rows of a file that stay together, whoever reads them: it can be pickled, and opened as `FilePart`."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many bytes there are to read, about."""

    @abstractmethod
    def open(self) -> Batches:
        """Raises as `FilePart.open`."""


@dataclass(frozen=True)
class ColumnsShard(FileShard):
    """Rows of columns with names."""

    part: FilePart
    target: Target
    sample_weight: str | None
    indices: str | None

    @property
    def size(self) -> int:
        return self.part.size

    def open(self) -> Batches:
        batches = self.part.open()
        return ArrowBatches(
            batches,
            self.target,
            self.sample_weight,
            text=self.part.options if batches.untyped else None,
            ahead=True,
            indices=self.indices,
            file=batches.name,
            first_row=self.part.first_row,
        )


@dataclass(frozen=True)
class SvmlightShard(FileShard):
    """Sparse rows. `extent` is that of the features of all files, where there are several."""

    location: Location
    options: ReadOptions
    extent: Extent | None = None

    @property
    def size(self) -> int:
        return self.location.size or 0

    def open(self) -> Batches:
        file = SvmlightFile(self.location, self.options, self.extent)
        return TupleBatches(file, file.name)


def file_shards(
    source: Files,
    target: str | Sequence[str] | None,
    sample_weight: str | None,
    options: ReadOptions,
    indices: str | None = None,
) -> list[FileShard]:
    """The shards of files, which they alone decide: a file, or of a large Parquet file some row groups.

    Parameters
    ----------
    source : path, URI or pattern, or a sequence of them; or pyarrow.dataset.Dataset
    target, sample_weight, indices
        As in `fit_stream`.
    options : ReadOptions

    Raises
    ------
    ValueError, OSError
        There is no such file, they are of several formats, or the columns are not for it.
    TypeError
        The target is no name or names.
    ImportError
        It takes a package that is not installed.
    """
    target = checked_target(target, sample_weight, indices)
    locations, form = located(source, options)
    first = locations[0]
    options = replace(options, format=form)
    if form == "svmlight":
        if target is not None or sample_weight is not None or indices is not None:
            raise ValueError(
                f"{first.name} has its labels at the start of each line; target, sample_weight and indices are None"
            )
        return _svmlight_shards(locations, options)
    if target is None:
        raise ValueError(f"which column of {first.name} is the target?")
    check_pyarrow("columns are")
    wanted = [name for name in (*target_names(target), sample_weight, indices) if name is not None]
    dropped = [name for name in wanted if name in options.drop]
    if dropped:
        raise ValueError(
            f"the option drop names the column {dropped[0]!r}, which is the target, sample_weight or indices"
        )
    schema = source.schema if is_dataset(source) else None
    if options.columns is not None:
        options = replace(options, columns=tuple(dict.fromkeys((*options.columns, *wanted))))
    elif schema is not None:
        options = replace(options, columns=tuple(name for name in schema.names if name not in options.drop))
    parts = file_parts(locations, options, schema)
    return [ColumnsShard(part, target, sample_weight, indices) for part in parts]


def file_parts(locations: Sequence[Location], options: ReadOptions, schema: Any = None) -> list[FilePart]:
    """The parts of files of one format, which they alone decide; raises as `file_shards`.

    Their columns must be like those of the schema, where there is one, else like those of the first.
    """
    first = locations[0]
    form = known_format(first.name, options)
    of_files = [parts_of(location) if form == "parquet" else [None] for location in locations]
    parts = [(location, part) for location, of_file in zip(locations, of_files, strict=True) for part in of_file]
    if not parts:
        raise ValueError(f"{first.name} has no rows{', and neither has any other file' if len(locations) > 1 else ''}")
    like = None
    if schema is not None:
        like = Columns.of_dataset(schema, options)
    elif len(parts) > 1:
        like = Columns.of(FileBatches(parts[0][0], options))
    return [FilePart(location, options, like, part) for location, part in parts]


class Located(NamedTuple):
    """Where files are, and the format of all."""

    locations: list[Location]
    form: str


def located(source: Files, options: ReadOptions) -> Located:
    """Where the files of a source are; raises as `file_shards`."""
    if is_dataset(source):
        if options.format is not None:
            raise ValueError(f"format is {options.format!r}; the dataset says itself which its files have")
        files = dataset_files(source)
    else:
        files = [(location, known_format(location.name, options)) for location in locations_of(source, options)]
    first, form = files[0]
    for location, other in files:
        if other != form:
            raise ValueError(f"{location.name} is of the format {other}; {first.name} of {form}")
    return Located([location for location, _ in files], form)


def _svmlight_shards(locations: Sequence[Location], options: ReadOptions) -> list[FileShard]:
    extent = None
    if len(locations) > 1:
        extent = common_extent([SvmlightFile(location, options).extent for location in locations])
    return [SvmlightShard(location, options, extent) for location in locations]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
