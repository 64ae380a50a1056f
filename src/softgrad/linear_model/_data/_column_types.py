"""What the types of Arrow's columns stand for, and what to do about those that stand for nothing here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# The most digits of a decimal, by its bits.
_DIGITS = {32: 9, 64: 18, 128: 38, 256: 76}


def check_has_arrays(title: str, kind: Any) -> None:
    """Raise TypeError where pyarrow has no arrays of the type of a column, or of one inside it."""
    import pyarrow as pa

    for inside in _types_in(kind):
        if inside.id in (pa.lib.Type_INTERVAL_MONTHS, pa.lib.Type_INTERVAL_DAY_TIME):
            raise TypeError(f"{title} holds {kind}, of which pyarrow has no arrays; leave the column out")


def check_numbers_type(title: str, kind: Any, cells: Any) -> None:
    """Raise TypeError where the cells of a column are no numbers; `kind` is the type that the column was given with."""
    if not _is_number(cells):
        raise TypeError(
            f"{title} holds {kind}; features, weights and probabilities must be numbers: {_advice(cells)}, or "
            f"leave the column out"
        )


def check_labels_type(title: str, kind: Any, cells: Any) -> None:
    """Raise TypeError where the cells of a column are no labels; `kind` is the type that the column was given with."""
    import pyarrow as pa

    if not (_is_number(cells) or pa.types.is_string(cells) or pa.types.is_large_string(cells)):
        raise TypeError(
            f"{title} holds {kind}; a label must be an integer, a finite float, text or a truth value: cast "
            f"the column to a type of these"
        )


def check_indices_type(title: str, kind: Any, elements: Any) -> None:
    """Raise TypeError where the elements of a column of lists, None of another, are no integers."""
    import pyarrow as pa

    if elements is None or not (pa.types.is_integer(elements) or pa.types.is_null(elements)):
        raise TypeError(f"{title} holds {kind}; indices must be lists of integers")


def _types_in(kind: Any) -> Iterator[Any]:
    import pyarrow as pa

    yield kind
    for number in range(kind.num_fields):
        yield from _types_in(kind.field(number).type)
    if pa.types.is_dictionary(kind):
        yield from _types_in(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        yield from _types_in(kind.storage_type)


def is_list(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)
    return any(is_kind(kind) for is_kind in lists)


def is_plain_decimal(kind: Any) -> bool:
    """Decimals that Arrow can cast: of a larger scale it takes the power of ten from behind its table."""
    import pyarrow as pa

    return bool(pa.types.is_decimal(kind) and abs(kind.scale) <= _DIGITS[kind.bit_width])


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    # Of nulls no row has a value, which is told with the row.
    numbers = (types.is_floating, types.is_integer, types.is_boolean, is_plain_decimal, types.is_null)
    return any(is_kind(kind) for is_kind in numbers)


def _advice(kind: Any) -> str:
    import pyarrow as pa

    types = pa.types
    if types.is_decimal(kind):
        digits = _DIGITS[kind.bit_width]
        return f"give it a scale from -{digits} to {digits}"
    advice = {
        "give each of its texts a column of 0 and 1": (types.is_string, types.is_large_string),
        "give what matters of it as numbers, such as the days since another date, the month or the weekday": (
            types.is_date,
            types.is_timestamp,
        ),
        "give it as a number of some unit": (types.is_time, types.is_duration, types.is_interval),
        "give each of its fields a column": (types.is_struct,),
        "give each of its keys a column": (types.is_map,),
        "give each of its elements a column": (is_list,),
    }
    for words, kinds in advice.items():
        if any(is_kind(kind) for is_kind in kinds):
            return words
    return "cast it to a type of numbers"
