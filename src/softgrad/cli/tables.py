"""Tables from files and from scikit-learn's data sets, and their columns as arrays.

A column is read as what it is asked for: numbers, or words. In .csv and .tsv files every cell is text until
then, and what a column holds is decided from all of it: no guess from its first rows can go wrong later.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from softgrad.cli.errors import UserError, listing
from softgrad.linear_model._data._files import SVMLIGHT_FORMATS, ending_of
from softgrad.linear_model._data._text_numbers import first_no_number

BUILT_IN = ("digits", "iris", "wine")
FORMATS = (".csv", ".tsv", ".parquet", ".feather")
# Of a compressed file, at a time.
_BLOCK_BYTES = 1 << 20
# How a missing number is written by the programs that export tables; the empty cell is missing everywhere.
MISSING_NUMBERS = ("na", "n/a", "#n/a", "nan", "null", "none")

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Words:
    """A text column: row i holds `vocabulary[codes[i]]`. The vocabulary is sorted and all of it occurs."""

    codes: IntArray
    vocabulary: list[str]

    def among(self, rows: IntArray | BoolArray) -> list[str]:
        """The words that some rows hold, ascending."""
        return [self.vocabulary[code] for code in np.unique(self.codes[rows])]


Labels = IntArray | BoolArray | Words


@dataclass(frozen=True)
class Table:
    """Columns of equal length, at least one row, under distinct names.

    `source` is what the user called it. `untyped` says that the cells are strings, whatever they stand for.
    `target` is the column to predict where the data set itself says so.
    """

    source: str
    data: pa.Table
    untyped: bool
    target: str | None

    @property
    def names(self) -> list[str]:
        return list(self.data.column_names)

    @property
    def rows(self) -> int:
        return int(self.data.num_rows)

    def row_number(self, row: int) -> int:
        """What messages call a row, which is counted from 0 here."""
        return row + 1

    def feature(self, name: str) -> Float64Array | Words:
        """The column as whichever of numbers and words it holds; truth values count as 0 and 1."""
        column = self._complete(name)
        if _is_text(column.type):
            return _words(column)
        if _is_number(column.type):
            return self._numbers(name, column)
        raise UserError(f"column {name!r} is neither number nor text: it holds {column.type}")

    def numbers(self, name: str) -> Float64Array:
        """The column as float64, where nothing else will do."""
        column = self._complete(name)
        if _is_number(column.type):
            return self._numbers(name, column)
        if self.untyped and _is_text(column.type):
            row = first_no_number(pc.utf8_trim_whitespace(column))
            raise UserError(f"column {name!r}, row {self.row_number(row)}: {column[row].as_py()!r} is not a number")
        raise UserError(f"column {name!r}: numbers are needed, this holds {column.type}")

    def words(self, name: str) -> Words:
        """The column as text, where nothing else will do: in .csv and .tsv files every cell is text."""
        column = blanks_as_missing(self._column(name)) if self.untyped else self._typed(name)
        self._check_complete(name, column)
        if not _is_text(column.type):
            raise UserError(f"column {name!r}: text is needed, this holds {column.type}")
        return _words(column)

    def labels(self, name: str) -> Labels:
        """The column as class labels: text, whole numbers or truth values."""
        column = self._complete(name)
        if _is_text(column.type):
            return _words(column)
        if pa.types.is_boolean(column.type):
            return np.asarray(column.to_numpy(), dtype=np.bool_)
        if not _is_number(column.type):
            raise UserError(f"target {name!r} is neither text nor whole numbers: it holds {column.type}")
        try:
            return np.asarray(column.cast(pa.int64()).to_numpy(), dtype=np.int64)
        except pa.ArrowInvalid:
            raise UserError(
                f"target {name!r} holds numbers that are not whole; regression targets are not supported"
            ) from None

    def _column(self, name: str) -> pa.ChunkedArray:
        if self.data.schema.get_field_index(name) < 0:
            raise UserError(f"{self.source} has no column {name!r}; its columns are {listing(self.names)}")
        return self.data.column(name)

    def _typed(self, name: str) -> pa.ChunkedArray:
        column = self._column(name)
        if self.untyped:
            return recognised(column)
        if pa.types.is_dictionary(column.type):
            return column.cast(column.type.value_type)
        return column

    def _complete(self, name: str) -> pa.ChunkedArray:
        column = self._typed(name)
        self._check_complete(name, column)
        return column

    def _check_complete(self, name: str, column: pa.ChunkedArray) -> None:
        if column.null_count or pa.types.is_floating(column.type):
            missing = pc.is_null(column, nan_is_null=True)
            # To look for the first takes longer than to see that there is none.
            if pc.any(missing).as_py():
                row = self.row_number(pc.index(missing, True).as_py())
                raise UserError(f"column {name!r} has a missing value, first in row {row}")

    def _numbers(self, name: str, column: pa.ChunkedArray) -> Float64Array:
        # Not safe: integers beyond 2**53 are rounded to the nearest float64.
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
        infinite = np.isinf(values)
        if infinite.any():
            row = self.row_number(int(infinite.argmax()))
            raise UserError(f"column {name!r} has an infinite value, first in row {row}")
        return values


def file_of(source: str) -> Path | None:
    """The file that is read; a built-in data set has none."""
    return None if source in BUILT_IN else Path(source)


def load(source: str) -> Table:
    """Read a built-in data set or a file.

    Rows are counted from 1 in messages, without the header.

    Raises
    ------
    UserError
        If there is no such file, its format is unknown or it cannot be read, if it has no rows, or two
        columns of the same name.
    """
    path = file_of(source)
    if path is None:
        return _built_in(source)
    if not path.is_file():
        raise UserError(f"no such file: {source} (and no built-in data set: {', '.join(BUILT_IN)})")
    compression = "gzip" if path.suffix.lower() == ".gz" else None
    ending = ending_of(path)
    if ending in SVMLIGHT_FORMATS:
        raise UserError(f"{source}: svmlight files are read by `softgrad train --stream`, predict and evaluate alone")
    if ending not in FORMATS:
        raise UserError(f"{source}: unknown format; {', '.join(FORMATS)} can be read, each also with .gz")
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            data = _read(_content(stream), ending)
    except MemoryError:
        # Arrow's is an ArrowException too, and the file is not at fault.
        raise
    except (pa.ArrowException, OSError, EOFError) as error:
        raise UserError(f"cannot read {source}: {str(error).strip()}") from None
    repeated = [name for name, count in Counter(data.column_names).items() if count > 1]
    if repeated:
        raise UserError(f"{source} has two columns named {repeated[0]!r}")
    if data.num_rows == 0:
        raise UserError(f"{source} has no rows")
    return Table(source, data, ending in (".csv", ".tsv"), None)


def _content(stream: pa.NativeFile) -> pa.Buffer:
    """All of a stream, in memory of Arrow's own.

    Arrow's threads let go of it in their own time. That of a bytes object takes the interpreter, and one that has
    ended by then ends the thread, which aborts the process.
    """
    if stream.seekable():
        return stream.read_buffer()
    whole = pa.BufferOutputStream()
    while block := stream.read_buffer(_BLOCK_BYTES):
        whole.write(block)
    return whole.getvalue()


def _read(content: pa.Buffer, ending: str) -> pa.Table:
    if ending == ".parquet":
        return pyarrow.parquet.read_table(pa.BufferReader(content))
    if ending == ".feather":
        return pyarrow.feather.read_table(pa.BufferReader(content))
    parse = pyarrow.csv.ParseOptions(delimiter="," if ending == ".csv" else "\t", newlines_in_values=True)
    with pyarrow.csv.open_csv(pa.BufferReader(content), parse_options=parse) as reader:
        names = reader.schema.names
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    return pyarrow.csv.read_csv(pa.BufferReader(content), parse_options=parse, convert_options=convert)


def _built_in(source: str) -> Table:
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{source}")()
    columns = {str(name): bunch.data[:, i] for i, name in enumerate(bunch.feature_names)}
    # The digits are named by themselves; the kinds of iris and wine have names.
    labels = bunch.target if source == "digits" else bunch.target_names[bunch.target]
    return Table(source, pa.table({**columns, "target": pa.array(labels.tolist())}), False, "target")


def _words(column: pa.ChunkedArray) -> Words:
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    vocabulary = encoded.dictionary.to_pylist()
    order = sorted(range(len(vocabulary)), key=vocabulary.__getitem__)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return Words(rank[encoded.indices.to_numpy()], [vocabulary[i] for i in order])


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def blanks_as_missing(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    blank = pc.equal(pc.utf8_trim_whitespace(cells), "")
    return pc.if_else(blank, pa.scalar(None, cells.type), cells) if pc.any(blank).as_py() else cells


def recognised(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells of a text file as integers, numbers, truth values or times, if all of them are; else as they are."""
    cells = blanks_as_missing(cells)
    trimmed = pc.utf8_trim_whitespace(cells)
    lower = pc.utf8_lower(trimmed)
    known = pc.if_else(pc.is_in(lower, pa.array(MISSING_NUMBERS)), pa.scalar(None, pa.string()), trimmed)
    if known.null_count == len(known):
        return cells
    for candidate, kind in [(known, pa.int64()), (known, pa.float64()), (trimmed, pa.timestamp("ns"))]:
        try:
            return candidate.cast(kind)
        except pa.ArrowInvalid:
            continue
    if pc.all(pc.is_in(lower, pa.array(["true", "false", None]))).as_py():
        return pc.equal(lower, "true")
    return cells
