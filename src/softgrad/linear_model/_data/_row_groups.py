"""The row groups of a large Parquet file as parts that are read apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from softgrad.linear_model._data._locations import Location
from softgrad.linear_model._data._reading_errors import reading
from softgrad.linear_model._data._source_file import SourceFile

# Decoded, of a part at least: with fewer, what is done once for each part would count.
_LEAST_BYTES = 1 << 26


class RowGroups(NamedTuple):
    """Neighbouring row groups.

    first_row : how many rows of the file are before them. size : how many bytes of the file are theirs, by what they
    decode to.
    """

    first: int
    stop: int
    first_row: int
    size: int


def parts_of(location: Location) -> list[RowGroups | None]:
    """The parts of a Parquet file by its metadata alone, None for the whole; a file without rows has none.

    One that must be copied before it is read has one part.

    Raises
    ------
    ValueError, OSError
        It cannot be read.
    """
    if location.signature is None:
        return [None]
    with reading(location.name):
        file = SourceFile(location)
        if file.compression is not None:
            return [None]
        import pyarrow.parquet

        with file.at_random() as content:
            metadata = pyarrow.parquet.read_metadata(content)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if metadata.num_rows == 0:
        return []
    parts = _parts(
        location.signature.size, [group.num_rows for group in groups], [group.total_byte_size for group in groups]
    )
    return [None] if len(parts) == 1 else [*parts]


def _parts(of_file: int, rows: Sequence[int], sizes: Sequence[int]) -> list[RowGroups]:
    """Parts of at least 64 MiB, but for an only one, by the rows and the decoded bytes of row groups."""
    starts = [(0, 0)]
    row = held = 0
    left = decoded = sum(sizes)
    for number, (of_group, size) in enumerate(zip(rows, sizes, strict=True)):
        if held >= _LEAST_BYTES and left >= _LEAST_BYTES:
            starts.append((number, row))
            held = 0
        row += of_group
        held += size
        left -= size
    stops = [first for first, _ in starts[1:]] + [len(rows)]
    return [
        RowGroups(first, stop, row, of_file * sum(sizes[first:stop]) // max(decoded, 1))
        for (first, row), stop in zip(starts, stops, strict=True)
    ]
