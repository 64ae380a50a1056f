"""Columns as they are without what only stores them, of types that Arrow computes with."""

from __future__ import annotations

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


def not_unpacked(title: str, kind: Any, error: NotImplementedError) -> TypeError:
    """What to raise where Arrow has no function to unpack a column with; `kind` is its type.

    Some types that are one inside another have none, and some have none only for lists without an element.
    """
    return TypeError(f"{title} holds {kind}, which Arrow cannot unpack ({error}); leave the column out")
