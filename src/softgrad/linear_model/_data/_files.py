"""Files of columns as Arrow record batches, read anew for every pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from softgrad.linear_model._data._cells import without_words
from softgrad.linear_model._data._column_types import check_has_arrays
from softgrad.linear_model._data._folder_keys import Key
from softgrad.linear_model._data._formats import known_format
from softgrad.linear_model._data._locations import Location, Name, location_of
from softgrad.linear_model._data._plain_columns import not_unpacked, plain
from softgrad.linear_model._data._read_options import TEXT_FORMATS, ReadOptions
from softgrad.linear_model._data._reading_errors import reading
from softgrad.linear_model._data._row_groups import RowGroups
from softgrad.linear_model._data._source_file import SourceFile
from softgrad.linear_model._data._text_file import TextFile
from softgrad.linear_model._data._typed_file import IpcFile, ParquetFile


class FileBatches:
    """The record batches of a file, the same at every iteration.

    Cells of a text file are strings without the blanks around them, and null where they are missing. Columns that are
    encoded by a dictionary come without it. A batch of a Feather or Arrow file is as large as it was written. The keys
    of its folders are columns behind those of the file.

    Parameters
    ----------
    file : path or Location
        Also of a pipe; "-" is standard input.
    options : ReadOptions or mapping, optional
    row_groups : RowGroups, optional
        Those of a Parquet file that are read; by default all.

    Attributes
    ----------
    name : str
        What messages call it.
    names : list of str
        The columns that are read, in the order of the file.
    untyped : bool
        Whether it is a text file: cells are strings then, whatever they stand for.
    found : dict
        What is neither told by the options nor by the ending: "compression", "encoding", "delimiter", each as a word.

    Raises
    ------
    OSError, ValueError, TypeError
        It cannot be read; an option is not for its format, or names no column; pyarrow has no arrays of a column.
    """

    def __init__(
        self,
        file: Name | Location,
        options: ReadOptions | Mapping[str, Any] | None = None,
        row_groups: RowGroups | None = None,
    ) -> None:
        location = file if isinstance(file, Location) else location_of(file)
        self.name = location.name
        self._options = ReadOptions.of(options)
        form = known_format(self.name, self._options)
        if form == "svmlight":
            raise ValueError(f"{self.name} is an svmlight file, which has no columns")
        self._options.check_for(form, self.name)
        self.untyped = form in TEXT_FORMATS
        with reading(self.name):
            self._file = SourceFile(location)
            self.found = self._file.found
            self._reader = self._opened(form, row_groups)
            of_file = self._reader.names if isinstance(self._reader, TextFile) else self._reader.schema.names
        keys = [key.name for key in location.keys]
        both = [name for name in keys if name in of_file and name not in self._options.drop]
        if both:
            raise ValueError(f"{self.name} has a column {both[0]!r}, for which its folder is named, too")
        self.names = self._selected([*of_file, *(name for name in keys if name not in of_file)])
        self._keys = [key for key in location.keys if key.name in self.names]
        # Without any the reader would not say how many rows there are.
        self._of_file = self.names[: len(self.names) - len(self._keys)] or of_file[:1]
        if not isinstance(self._reader, TextFile):
            for name in self._of_file:
                check_has_arrays(f"{self.name}, column {name!r}", self._reader.schema.field(name).type)

    def __iter__(self) -> Iterator[Any]:
        rows = 0
        with reading(self.name):
            self._file.check_unchanged()
            for batch in self._reader.batches(self._of_file):
                rows += batch.num_rows
                if batch.num_rows:
                    yield self._whole(batch)
        if not rows:
            raise ValueError(f"{self.name} has no rows")

    @property
    def share(self) -> float:
        """How much of the file was read when the last batch was given."""
        return self._reader.share

    @property
    def types(self) -> list[Any]:
        """Of the columns, as they come."""
        import pyarrow as pa

        if isinstance(self._reader, TextFile):
            return [pa.string() for _ in self.names]
        schema = self._reader.schema
        empty = [pa.nulls(0, schema.field(name).type) for name in self._of_file]
        return list(self._whole(pa.RecordBatch.from_arrays(empty, self._of_file)).schema.types)

    def _whole(self, batch: Any) -> Any:
        """A batch of the reader's with plain columns and with those of the keys."""
        import pyarrow as pa

        if self.untyped and not self._keys:
            return batch
        columns = batch.columns if self.untyped else self._plain(batch)
        keys = [self._key(key, batch.num_rows) for key in self._keys]
        of_file = columns[: len(self.names) - len(keys)]
        return pa.RecordBatch.from_arrays([*of_file, *keys], self.names)

    def _plain(self, batch: Any) -> list[Any]:
        columns = []
        for name, column in zip(self._of_file, batch.columns, strict=True):
            try:
                columns.append(plain(column))
            except NotImplementedError as error:
                raise not_unpacked(f"{self.name}, column {name!r}", column.type, error) from None
        return _without_na(columns, self._options.na)

    def _key(self, key: Key, rows: int) -> Any:
        import pyarrow as pa

        if self.untyped:
            text = None if key.text is None else key.text.strip()
            return pa.repeat(pa.scalar(None if text in ("", *self._options.na) else text, pa.string()), rows)
        (column,) = _without_na([plain(pa.array([key.value], key.type))], self._options.na)
        return pa.repeat(column[0], rows)

    def _opened(self, form: str, row_groups: RowGroups | None) -> TextFile | ParquetFile | IpcFile:
        if self.untyped:
            text = TextFile(self._file, form, self._options)
            self.found = self.found | text.found
            return text
        self._file.unpack()
        return ParquetFile(self._file, row_groups) if form == "parquet" else IpcFile(self._file)

    def _selected(self, names: list[str]) -> list[str]:
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            advice = "; if its first row is no header, say so (--no-header)" if self.untyped else ""
            raise ValueError(f"{self.name} has two columns named {repeated[0]!r}{advice}")
        known = set(names)
        for option in ("columns", "drop"):
            for name in getattr(self._options, option) or ():
                if name not in known:
                    raise ValueError(
                        f"{self.name} has no column {name!r}, which the option {option} names; its columns are "
                        f"{', '.join(map(repr, names))}"
                    )
        read = (known if self._options.columns is None else set(self._options.columns)) - set(self._options.drop)
        if not read:
            raise ValueError(f"{self.name}: no column is read; it has {', '.join(map(repr, names)) or 'none'}")
        return [name for name in names if name in read]


def _without_na(columns: list[Any], na: tuple[str, ...]) -> list[Any]:
    """Plain columns, null where their texts are words of `na`."""
    import pyarrow as pa

    if not na:
        return columns
    texts = (pa.string(), pa.large_string())
    return [without_words(column, na) if column.type in texts else column for column in columns]
