"""Where the rows of a delimited text file end, and the place of a byte in them.

A quote opens a quoted cell only as its first byte, two quotes in it stand for one, and what follows the closing quote
belongs to the cell: as Arrow's parser has it, which is given whole rows alone. It would lose a line feed in a quoted
cell that begins a block.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np


class Place(NamedTuple):
    """A row, counted from 0 without blank lines, a cell of it, counted from 0, and the byte where it begins."""

    row: int
    cell: int
    start: int


@cache
def _patterns(delimiter: str) -> tuple[bytes, bytes]:
    """Of a cell with the delimiter behind it, and of a row."""
    sign = re.escape(delimiter.encode())
    cell = rb'(?:"(?:[^"]++|"")*+"|(?!"))[^' + sign + rb"\r\n]*+"
    # Whether a line feed follows the last byte is not known.
    line_end = rb"(?:\n|\r(?!\Z)\n?+)"
    return cell + sign, rb"(?:" + cell + sign + rb")*+" + cell + line_end


@cache
def _pattern(delimiter: str, most: int | None) -> re.Pattern[bytes]:
    _, row = _patterns(delimiter)
    return re.compile(rb"(?:[\r\n]*+" + row + (rb")*+" if most is None else rb"){0,%d}+" % most))


def rows_end(text: bytes, delimiter: str, most: int | None = None) -> int:
    """Where the last whole row ends, or the last of so many first ones."""
    if most is None:
        end = _end_by_quotes(text, delimiter)
        if end is not None:
            return end
    match = _pattern(delimiter, most).match(text)
    assert match is not None
    return match.end()


def _end_by_quotes(text: bytes, delimiter: str) -> int | None:
    """Where the last whole row ends, some times as fast as by a pattern; None where a quote is within a cell.

    Every other quote opens a cell then, or is the second of two that stand for one, and a line ends a row if an even
    number of quotes is before it.
    """
    characters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(characters == ord('"'))
    before = characters[quotes[::2] - 1][quotes[::2] > 0]
    if not np.isin(before, np.frombuffer(f'{delimiter}"\r\n'.encode(), np.uint8)).all():
        return None
    end = len(text)
    while True:
        # Whether a line feed follows the last byte is not known.
        end = max(text.rfind(b"\n", 0, end), text.rfind(b"\r", 0, min(end, len(text) - 1)))
        open_quotes = int(np.searchsorted(quotes, end))
        if end < 0 or open_quotes % 2 == 0:
            return end + 1
        end = int(quotes[open_quotes - 1])


def is_blank(text: bytes) -> bool:
    """Whether there are no rows, only blank lines."""
    return not text.strip(b"\r\n")


def place_of(text: bytes, delimiter: str, position: int) -> Place:
    """The cell that a byte is in; text begins with a row."""
    cell, row = _patterns(delimiter)
    # Up to the byte itself the text may end anywhere.
    before = text[:position]
    start = rows_end(before, delimiter)
    rows = sum(1 for match in re.finditer(row, before[:start]) if not is_blank(match.group()))
    rest = before[start:].lstrip(b"\r\n")
    cells = re.match(rb"(?:" + cell + rb")*+", rest)
    assert cells is not None
    number = sum(1 for _ in re.finditer(cell, cells.group()))
    return Place(rows, number, position - len(rest) + cells.end())
