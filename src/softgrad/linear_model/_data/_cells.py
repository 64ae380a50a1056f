"""Cells of text files: without the blanks around them, null where they are missing, and as numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any


class NotNumberError(ValueError):
    """A cell that is no number.

    Attributes
    ----------
    position : int
    cell : str
    """

    def __init__(self, position: int, cell: str) -> None:
        super().__init__(f"cell {position} is {cell!r}; it must be a number")
        self.position, self.cell = position, cell


def trimmed(columns: list[Any], missing: Sequence[str]) -> list[Any]:
    """Columns of strings of equal length without the blanks around them; what is missing then is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # At once: of a wide file each column would take its time.
    cells = pa.concat_arrays(columns)
    bare = pc.utf8_trim_whitespace(cells)
    if bare.nbytes == cells.nbytes:
        return columns
    bare = without_words(bare, missing)
    rows = len(columns[0])
    return [bare.slice(start, rows) for start in range(0, len(bare), rows)]


def without_words(cells: Any, words: Sequence[str]) -> Any:
    """Strings with nulls in the place of some."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_in(cells, pa.array(words, cells.type)), pa.scalar(None, cells.type), cells)


def numbers(cells: Any, decimal: str = ".", thousands: str | None = None) -> Any:
    """Strings as float64, with a null for each null.

    A sign may stand before a number, and an exponent behind it. Groups between thousands characters have three digits.

    Parameters
    ----------
    cells : pyarrow.Array or pyarrow.ChunkedArray
        Trimmed.
    decimal, thousands : str
        As in `ReadOptions`.

    Raises
    ------
    NotNumberError
        A cell is none; it is the first.
    """
    import pyarrow as pa

    plain = _plain(cells, decimal, thousands)
    try:
        return plain.cast(pa.float64())
    except pa.ArrowInvalid:
        position = first_failing(plain, lambda part: part.cast(pa.float64()))
    raise NotNumberError(position, cells[position].as_py())


def _plain(cells: Any, decimal: str, thousands: str | None) -> Any:
    """The cells in the form that Arrow takes for numbers; what has not the form of the options is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if decimal == "." and thousands is None:
        return cells
    point, groups = (
        re.escape(decimal),
        "" if thousands is None else rf"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|",
    )
    number = rf"(?:{groups}[0-9]*)(?:{point}[0-9]*)?(?:[eE][+-]?[0-9]+)?"
    formed = pc.match_substring_regex(cells, rf"^[+-]?(?:{number}|(?i:inf|infinity|nan))$")
    plain = cells if thousands is None else pc.replace_substring(cells, thousands, "")
    return pc.if_else(formed, pc.replace_substring(plain, decimal, "."), pa.scalar("?", cells.type))


def first_failing(cells: Any, check: Callable[[Any], object]) -> int:
    """The first of some cells that Arrow does not take, found by halving; at least one is such."""
    import pyarrow as pa

    start, stop = 0, len(cells)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            check(cells.slice(start, middle - start))
            start = middle
        except pa.ArrowInvalid:
            stop = middle
    return start
