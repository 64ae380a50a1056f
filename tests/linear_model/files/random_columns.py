"""Columns of random types, one inside another, with random cells that their types allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

SIMPLE = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.null()),
    *(pa.date32(), pa.date64(), pa.time32("ms"), pa.time64("ns"), pa.duration("s"), pa.month_day_nano_interval()),
    *(pa.timestamp("us"), pa.timestamp("s", "UTC"), pa.timestamp("ns", "Not/Known")),
    *(pa.string(), pa.large_string(), pa.string_view()),
    *(pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2)),
]
DECIMALS = [pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256]
DAY_MS = 86_400_000


def random_type(rng: np.random.Generator, depth: int = 0) -> pa.DataType:
    if depth > 2 or rng.random() < 0.5:
        number = int(rng.integers(len(SIMPLE) + len(DECIMALS)))
        return SIMPLE[number] if number < len(SIMPLE) else _decimal(rng, DECIMALS[number - len(SIMPLE)])
    inside = random_type(rng, depth + 1)
    # Arrow writes none of them inside another into a file that can be read.
    if rng.random() < 0.3 and not (isinstance(inside, pa.BaseExtensionType) or pa.types.is_dictionary(inside)):
        return [
            lambda: pa.opaque(inside, "type", "test"),
            lambda: pa.fixed_shape_tensor(inside, (2,)),
            lambda: pa.dictionary(pa.int8(), inside),
        ][rng.integers(3)]()
    return [
        lambda: pa.list_(inside),
        lambda: pa.large_list(inside),
        lambda: pa.list_(inside, int(rng.integers(1, 3))),
        lambda: pa.list_view(inside),
        lambda: pa.large_list_view(inside),
        lambda: pa.run_end_encoded(pa.int32(), inside),
        lambda: pa.struct({"inside": inside}),
        lambda: pa.map_(pa.string(), inside),
    ][rng.integers(8)]()


def _decimal(rng: np.random.Generator, make: Any) -> pa.DataType:
    digits = {pa.decimal32: 9, pa.decimal64: 18, pa.decimal128: 38, pa.decimal256: 76}[make]
    most = digits if rng.random() < 0.7 else 2**31 - 1
    return make(digits, int(rng.integers(-most, most, endpoint=True)))


def random_column(rng: np.random.Generator, kind: pa.DataType, rows: int) -> pa.Array:
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, random_column(rng, kind.storage_type, rows))
    if types.is_null(kind):
        return pa.nulls(rows)
    if types.is_struct(kind):
        return pa.StructArray.from_arrays([random_column(rng, kind.field(0).type, rows)], fields=list(kind))
    if types.is_dictionary(kind):
        words = random_column(rng, kind.value_type, 3)
        return pa.DictionaryArray.from_arrays(pa.array(rng.integers(0, 3, rows), kind.index_type), words)
    if types.is_run_end_encoded(kind):
        ends = np.flatnonzero(np.append(rng.random(rows)[1:] < 0.5, [True] * bool(rows))) + 1
        values = random_column(rng, kind.value_type, len(ends))
        return pa.RunEndEncodedArray.from_arrays(pa.array(ends, kind.run_end_type), values, kind)
    if kind.num_fields:
        return _lists(rng, kind, rows)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return pa.array(rng.choice(["", "a", "é"], rows).tolist(), pa.string()).cast(kind)
    if types.is_interval(kind):
        return pa.array([(1, 2, 3)] * rows, kind)
    if types.is_floating(kind) or types.is_boolean(kind):
        return pa.array(rng.integers(0, 2, rows)).cast(kind)
    if "binary" in str(kind):
        return pa.array([b"xy"] * rows, kind)
    return _of_bits(rng, kind, rows)


def _of_bits(rng: np.random.Generator, kind: pa.DataType, rows: int) -> pa.Array:
    """Integers, and what is stored as such."""
    types = pa.types
    # A time of the day ends with the day.
    wide = not types.is_time(kind) and rng.random() < 0.3
    most = 2 ** (min(kind.bit_width, 64) - 2) if wide and not types.is_decimal(kind) else 100
    step = DAY_MS if types.is_date64(kind) else 1
    numbers = [int(number) // step * step for number in rng.integers(0, most, rows)]
    content = b"".join(number.to_bytes(kind.bit_width // 8, "little") for number in numbers)
    given = None
    if rng.random() < 0.2:
        given = pa.array(rng.random(rows) < 0.7, pa.bool_()).buffers()[1]
    return pa.Array.from_buffers(kind, rows, [given, pa.py_buffer(content)])


def _lists(rng: np.random.Generator, kind: pa.DataType, rows: int) -> pa.Array:
    types = pa.types
    if types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(random_column(rng, kind.value_type, rows * kind.list_size), type=kind)
    lengths = np.full(rows, rng.integers(0, 3)) if rng.random() < 0.7 else rng.integers(0, 3, rows)
    ends = np.append(0, np.cumsum(lengths))
    if types.is_map(kind):
        keys = pa.array(["key"] * int(ends[-1]), pa.string())
        return pa.MapArray.from_arrays(pa.array(ends, pa.int32()), keys, random_column(rng, kind.item_type, len(keys)))
    elements = random_column(rng, kind.value_type, int(ends[-1]))
    wide = types.is_large_list(kind) or types.is_large_list_view(kind)
    places = pa.array(ends, pa.int64() if wide else pa.int32())
    if types.is_list(kind) or types.is_large_list(kind):
        return (pa.LargeListArray if wide else pa.ListArray).from_arrays(places, elements, type=kind)
    views = pa.LargeListViewArray if wide else pa.ListViewArray
    return views.from_arrays(places[:-1], pa.array(lengths, places.type), elements, type=kind)
