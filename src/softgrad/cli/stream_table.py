"""Tables larger than memory: the columns of a file part by part, each part a `Table` that knows where it begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from softgrad.cli.errors import UserError
from softgrad.cli.tables import MISSING_NUMBERS, Table, blanks_as_missing, file_of, recognised
from softgrad.linear_model._data._files import FileBatches


@dataclass(frozen=True)
class Part(Table):
    """Some rows of a table; `kinds` says what the cells of a text file stand for, by column."""

    first_row: int
    kinds: dict[str, pa.DataType]

    def _typed(self, name: str) -> pa.ChunkedArray:
        column = self._column(name)
        if not self.untyped:
            return super()._typed(name)
        kind = self.kinds[name]
        if pa.types.is_string(kind):
            return blanks_as_missing(column)
        if kind in (pa.int64(), pa.float64()):
            try:
                return column.cast(kind)
            except pa.ArrowInvalid:
                # Spaces, or words for a missing number.
                pass
        # A part in which no number is given is recognised as text.
        return pa.chunked_array([pa.nulls(len(column), kind)]) if _is_blank(column) else recognised(column).cast(kind)

    def row_number(self, row: int) -> int:
        return self.first_row + row + 1


class StreamedTable:
    """A file whose rows are read anew for every pass.

    Raises
    ------
    UserError
        If there is no such file or it cannot be read in parts.
    """

    target = None

    def __init__(self, source: str) -> None:
        path = file_of(source)
        if path is None:
            raise UserError(f"--stream reads a file; {source} is a built-in data set")
        self.source = source
        with user_errors(source):
            self._batches = FileBatches(path)
        self.names: list[str] = self._batches.names
        # One pass: no guess from the first rows can go wrong later.
        self._kinds = self._recognise() if self._batches.untyped else {}

    def parts(self, length: int) -> Iterator[Part]:
        """All rows, at most so many at a time."""
        rows = 0
        with user_errors(self.source):
            for batch in self._batches:
                for start in range(0, batch.num_rows, length):
                    data = pa.Table.from_batches([batch.slice(start, length)])
                    yield Part(self.source, data, self._batches.untyped, None, rows, self._kinds)
                    rows += data.num_rows
        if rows == 0:
            raise UserError(f"{self.source} has no rows")

    def _recognise(self) -> dict[str, pa.DataType]:
        found: dict[str, set[pa.DataType]] = {name: set() for name in self.names}
        # A word for a missing number is a number or text, but no time and no truth value.
        worded: dict[str, bool] = dict.fromkeys(self.names, False)
        with user_errors(self.source):
            for batch in self._batches:
                for name, cells in zip(batch.schema.names, batch.columns, strict=True):
                    column = pa.chunked_array([cells])
                    worded[name] |= bool(pc.any(_is_missing_number(column)).as_py())
                    if found[name] != {pa.string()} and not _is_blank(column):
                        found[name].add(recognised(column).type)
        return {name: _common_kind(kinds, worded[name]) for name, kinds in found.items()}


def _common_kind(kinds: set[pa.DataType], worded: bool) -> pa.DataType:
    """What a column is recognised as whose parts are recognised as these."""
    if len(kinds) == 1 and not (worded and kinds <= {pa.timestamp("ns"), pa.bool_()}):
        return next(iter(kinds))
    return pa.float64() if kinds == {pa.int64(), pa.float64()} else pa.string()


def _is_missing_number(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), pa.array(MISSING_NUMBERS))


def _is_blank(cells: pa.ChunkedArray) -> bool:
    """Whether no cell says more than that there is no number."""
    blanks = blanks_as_missing(cells)
    return bool(pc.all(pc.or_(pc.is_null(blanks), pc.fill_null(_is_missing_number(blanks), True))).as_py())


@contextmanager
def user_errors(source: str) -> Iterator[None]:
    """What cannot be read is the user's error, and names the file."""
    try:
        yield
    except MemoryError:
        # Arrow's is an ArrowException too, and the file is not at fault.
        raise
    except (ValueError, OSError, pa.ArrowException) as error:
        raise UserError(str(error) if source in str(error) else f"cannot read {source}: {error}") from None
