"""Delimited text in batches of whole rows, the same at every pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from softgrad.linear_model._data._cells import trimmed
from softgrad.linear_model._data._csv import DELIMITERS, Columns, RaggedError, RowParser, fitting, header_cells
from softgrad.linear_model._data._encoding import UTF8, Utf8Text, found_encoding
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._row_text import FaultError, RowText
from softgrad.linear_model._data._source_file import SourceFile
from softgrad.linear_model._data._text_rows import is_blank, place_of, rows_end

_DEFAULT_DELIMITERS = {"csv": ",", "tsv": "\t"}
# Read to see the encoding.
_HEAD_BYTES = 1 << 16
# Of text, at a time; and of wide rows so much that there are many in a batch, each column of which takes its time.
_BLOCK_BYTES = 1 << 20
_ROWS_OF_BLOCK = 256
_MOST_BLOCK_BYTES = 1 << 25
# What is called text now and then, by its first bytes.
_NOT_TEXT = {
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow or Feather file",
    b"PK\x03\x04": "a zip archive, as the files of Excel are",
}
# Shown of a row that is wrong.
_SHOWN = 60


class TextFile:
    """The rows of a .csv or .tsv file.

    Parameters
    ----------
    file : SourceFile
    form : {"csv", "tsv"}
    options : ReadOptions

    Attributes
    ----------
    names : list of str
        All columns.
    found : dict
        What is neither told nor usual, but found in the first bytes.
    share : float
        How much was read when the last batch was given.
    """

    def __init__(self, file: SourceFile, form: str, options: ReadOptions) -> None:
        self._file = file
        self._options = options
        self.found: dict[str, str] = {}
        self._encoding = options.encoding or self._find_encoding()
        self._delimiter = options.delimiter or _DEFAULT_DELIMITERS[form]
        self.names: list[str] = []
        self.share = 0.0
        # Before the first row is the header.
        start = -1 if options.header else 0
        try:
            with self._text() as text:
                self._fill(text)
                first = text.text
        except FaultError as fault:
            self._understand(fault.text)
            raise self._located(fault, start) from None
        if is_blank(first):
            raise ValueError(f"{file.name} is empty")
        self._understand(first)
        header = rows_end(first, self._delimiter, 1)
        row = max(header, rows_end(first, self._delimiter, 2) - header)
        self._block_bytes = min(max(_BLOCK_BYTES, _ROWS_OF_BLOCK * row), _MOST_BLOCK_BYTES)

    def batches(self, names: list[str]) -> Iterator[Any]:
        """All rows, of some of the columns: strings, trimmed, and null where missing."""
        import pyarrow as pa

        missing = ("", *self._options.na)
        parse = RowParser(self._delimiter, Columns(self.names, names), missing)
        row = 0
        try:
            for block in self._blocks():
                if is_blank(block):
                    continue
                arrays = trimmed(parse(block), missing)
                batch = pa.RecordBatch.from_arrays(arrays, names)
                row += batch.num_rows
                self.share = self._file.share_read()
                yield batch
        except FaultError as fault:
            raise self._located(fault, row) from None
        except RaggedError as error:
            cells = "1 cell" if error.found == 1 else f"{error.found} cells"
            raise ValueError(
                f"{self._file.name}, row {row + error.row + 1}: {cells}, {error.expected} are expected: "
                f"{_beginning(error.text)}"
            ) from None

    def _find_encoding(self) -> str:
        with self._file.opened() as file:
            head = file.read(_HEAD_BYTES)
        for magic, what in _NOT_TEXT.items():
            if head.startswith(magic):
                raise ValueError(f"{self._file.name} is {what}, not text")
        encoding = found_encoding(head)
        if encoding != UTF8:
            self.found["encoding"] = encoding
        return encoding

    def _fill(self, text: RowText) -> None:
        """Read the first row, and what more is read with it."""
        text.fill(_BLOCK_BYTES)
        while not rows_end(text.text, self._delimiter, 1) and not (text.ended and is_blank(text.text)):
            text.grow()

    def _understand(self, first: bytes) -> None:
        """The delimiter and the names, as far as the first rows say them."""
        if self._options.delimiter is None:
            self._find_delimiter(first)
        if rows_end(first, self._delimiter, 1):
            cells = header_cells(first, self._delimiter)
            numbered = [f"c{number}" for number in range(1, len(cells) + 1)]
            self.names = [cell.strip() for cell in cells] if self._options.header else numbered

    def _find_delimiter(self, first: bytes) -> None:
        fit = fitting(first, list(DELIMITERS))
        if len(fit) > 1:
            names = " and ".join(DELIMITERS[delimiter] for delimiter in fit)
            raise ValueError(
                f"{self._file.name}: the first rows have equal numbers of cells by {names}; say which it is "
                f"(--delimiter)"
            )
        if fit and fit != [self._delimiter]:
            self._delimiter = fit[0]
            self.found["delimiter"] = DELIMITERS[self._delimiter]

    @contextmanager
    def _text(self) -> Iterator[RowText]:
        help = "" if self._options.encoding else "; the option encoding (--encoding cp1252) may help"
        with self._file.opened() as file:
            yield RowText(Utf8Text(file, self._encoding), f"byte {{:#04x}} is not {self._encoding}{help}")

    def _blocks(self) -> Iterator[bytes]:
        """Whole rows, without the header."""
        with self._text() as text:
            if self._options.header:
                self._fill(text)
                text.take(rows_end(text.text, self._delimiter, 1))
            while True:
                text.fill(self._block_bytes)
                while not (end := rows_end(text.text, self._delimiter)):
                    if text.ended and is_blank(text.text):
                        return
                    text.grow()
                yield text.take(end)

    def _located(self, fault: FaultError, first_row: int) -> ValueError:
        """The fault, with its row and its column."""
        place = place_of(fault.text, self._delimiter, fault.position)
        row = first_row + place.row + 1
        known = place.cell < len(self.names)
        column = f"column {self.names[place.cell]!r}" if known else f"column {place.cell + 1}"
        cell = fault.text[place.start :].decode(errors="replace")
        return ValueError(
            f"{self._file.name}, {f'row {row}' if row else 'the header'}, {column}: {fault.what}"
            f"{f': {_beginning(cell)}' if cell else ''}"
        )


def _beginning(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
