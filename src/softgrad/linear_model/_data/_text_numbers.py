"""Numbers in cells of text."""

from __future__ import annotations

from typing import Any


def first_no_number(cells: Any) -> int:
    """The place of the first of Arrow's cells of text that float64 cannot be read from, found by halving; there is one.

    Spaces around a number are trimmed by the caller.
    """
    import pyarrow as pa

    start, stop = 0, len(cells)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            cells.slice(start, middle - start).cast(pa.float64())
            start = middle
        except pa.ArrowInvalid:
            stop = middle
    return start
