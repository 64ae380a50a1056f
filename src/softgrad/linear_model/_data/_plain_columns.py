"""Columns as they are without what only stores them, of types that Arrow computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def plain(column: Any) -> Any:
    """An array of Arrow's without a dictionary or run ends, strings in one piece instead of views, tensors as lists."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        return plain(column.dictionary).take(column.indices)
    if pa.types.is_run_end_encoded(column.type):
        return plain(pc.run_end_decode(column))
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if isinstance(column.type, pa.FixedShapeTensorType):
        return column.storage
    return column


@contextmanager
def unpacking(title: str, kind: Any) -> Iterator[None]:
    """What Arrow has no function for, as a TypeError that names the column; `kind` is its type.

    Some types that are one inside another have none, and some have none only for lists without an element.
    """
    import pyarrow as pa

    try:
        yield
    except pa.ArrowNotImplementedError as error:
        raise TypeError(f"{title} holds {kind}, which Arrow cannot unpack ({error}); leave the column out") from None
