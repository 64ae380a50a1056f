"""Rows of delimited text as Arrow's parser sees them: columns of strings."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from softgrad.linear_model._data._text_rows import place_of, rows_end

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
# Of a text that is parsed at once.
_MOST_BYTES = 2**31 - 2
# That must have the same number of cells for a delimiter to fit.
_FIRST_ROWS = 100


class RaggedError(Exception):
    """A row, counted from 0, with another number of cells than expected."""

    def __init__(self, row: int, found: int, expected: int, text: str) -> None:
        super().__init__(row, found, expected, text)
        self.row, self.found, self.expected, self.text = row, found, expected, text


class Columns(NamedTuple):
    """The names of all columns, and of those that are read."""

    all: list[str]
    read: list[str]


class RowParser:
    """Whole rows as columns of strings, with nulls for the cells that are missing.

    Parameters
    ----------
    delimiter : str
    columns : Columns or None
        By default as many as the first row has, with the types that they seem to have.
    missing : sequence of str
    """

    def __init__(self, delimiter: str, columns: Columns | None = None, missing: Sequence[str] = ("",)) -> None:
        import pyarrow as pa
        import pyarrow.csv

        self._invalid: list[Any] = []
        # Made once: for a wide file it takes as long as to parse some rows.
        self._options = {
            "read_options": pyarrow.csv.ReadOptions(
                column_names=None if columns is None else columns.all,
                autogenerate_column_names=columns is None,
                block_size=_MOST_BYTES,
                # A thread of Arrow's would not number the rows.
                use_threads=False,
            ),
            "parse_options": pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=_keeping(self._invalid)
            ),
            "convert_options": pyarrow.csv.ConvertOptions(
                column_types=None if columns is None else dict.fromkeys(columns.read, pa.string()),
                include_columns=None if columns is None else columns.read,
                null_values=missing,
                strings_can_be_null=True,
                check_utf8=False,
            ),
        }

    def __call__(self, rows: bytes) -> list[Any]:
        """Arrays, one for each column.

        Raises
        ------
        RaggedError
        """
        import pyarrow as pa
        import pyarrow.csv

        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(_of_arrow(rows)), **self._options)
        except pa.ArrowInvalid:
            if not self._invalid:
                raise
            row = self._invalid.pop()
            raise RaggedError(row.number - 1, row.actual_columns, row.expected_columns, row.text) from None
        (batch,) = table.to_batches()
        columns: list[Any] = batch.columns
        return columns


def _keeping(invalid: list[Any]) -> Callable[[Any], str]:
    """A handler that knows the list alone: Arrow holds it out of sight of the garbage collector.

    By a method of what has the options that it is among, neither would ever be set free.
    """

    def keep(row: Any) -> str:
        invalid.append(row)
        return "error"

    return keep


def header_cells(rows: bytes, delimiter: str) -> list[str]:
    """The cells of the first row."""
    first = rows[: rows_end(rows, delimiter, 1)].strip(b"\r\n")
    numbers = [str(number) for number in range(place_of(first, delimiter, len(first)).cell + 1)]
    return [column[0].as_py() or "" for column in RowParser(delimiter, Columns(numbers, numbers))(first)]


def fitting(rows: bytes, delimiters: Sequence[str]) -> list[str]:
    """The delimiters by which all of the first rows have the same number of cells, above one."""
    return [delimiter for delimiter in delimiters if _fits(rows[: rows_end(rows, delimiter, _FIRST_ROWS)], delimiter)]


def _fits(rows: bytes, delimiter: str) -> bool:
    try:
        return bool(rows) and len(RowParser(delimiter)(rows)) > 1
    except RaggedError:
        return False


def _of_arrow(rows: bytes) -> Any:
    """A copy in memory of Arrow's own.

    Its threads let go of it in their own time. That of a bytes object takes the interpreter, and one that has ended by
    then ends the thread, which aborts the process.
    """
    import pyarrow as pa

    with pa.BufferOutputStream() as copy:
        if rows.startswith(codecs.BOM_UTF8):
            # The parser leaves out a mark at the start, which is part of a cell here.
            copy.write(codecs.BOM_UTF8)
        copy.write(rows)
        return copy.getvalue()
