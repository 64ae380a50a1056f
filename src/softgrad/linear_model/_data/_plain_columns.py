"""Columns as they are without a dictionary, of types that Arrow computes with."""

from __future__ import annotations

from typing import Any


def plain(column: Any) -> Any:
    """An array of Arrow's without a dictionary, and with strings in one piece instead of views."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return plain(column.dictionary).take(column.indices)
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    return column
