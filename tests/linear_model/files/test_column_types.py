"""Every type of Arrow's has a meaning as a feature, a weight and a label, or is refused with the way out."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._arrow_batches import ArrowBatches
from tests.linear_model import bounds
from tests.oracles.inputs import fresh_rng

LABELS = ["a", "b", "a", "b"]
NUMBERS = [0.0, 1.0, 1.0, 3.0]
DECIMALS = [Decimal(number) for number in ("0.00", "1.25", "-1.25", "3.00")]
MOMENT = datetime.datetime(2024, 3, 10, 12)
Way = Callable[[pa.Table, Path], Any]
TENSOR = pa.fixed_shape_tensor(pa.float32(), (2,))


def of_type(kind: pa.DataType, values: Any = NUMBERS) -> pa.Array:
    return pa.array(np.array(values, kind.to_pandas_dtype()), kind)


def encoded(column: pa.Array) -> pa.Array:
    return column.dictionary_encode()


# What a column holds, and the columns of float64 that it is as.
MEANINGS: dict[str, tuple[pa.Array, list[list[float]]]] = {
    **{
        str(kind): (of_type(kind), [NUMBERS])
        for kind in (
            *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
            *(pa.float16(), pa.float32(), pa.float64()),
        )
    },
    **{
        str(kind): (pa.array(DECIMALS, kind), [[0.0, 1.25, -1.25, 3.0]])
        for kind in (pa.decimal32(5, 2), pa.decimal64(12, 2), pa.decimal128(30, 2), pa.decimal256(60, 2))
    },
    "bool": (pa.array([True, False, False, True]), [[1.0, 0.0, 0.0, 1.0]]),
    "integers beyond 2**53": (pa.array([0, 2**53 + 1, 2**60 + 1, 1]), [[0.0, 2.0**53, 2.0**60, 1.0]]),
    "dictionary of numbers": (encoded(pa.array(NUMBERS)), [NUMBERS]),
    "dictionary of decimals": (encoded(pa.array(DECIMALS)), [[0.0, 1.25, -1.25, 3.0]]),
    "run ends": (pa.RunEndEncodedArray.from_arrays([1, 3, 4], [0.0, 1.0, 3.0]), [NUMBERS]),
    **{
        str(kind): (pa.array([[0, 3], [1, 2], [1, 1], [3, 0]], kind), [NUMBERS, [3.0, 2.0, 1.0, 0.0]])
        for kind in (
            *(pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_view(pa.float64())),
            *(pa.large_list_view(pa.int8()), pa.list_(pa.float16(), 2), pa.list_(pa.float32(), 2)),
        )
    },
    "list of truth values": (pa.array([[True, False]] * 2 + [[False, True]] * 2), [[1, 1, 0, 0], [0, 0, 1, 1]]),
    "list of decimals": (pa.array([[number, number] for number in DECIMALS]), [[0.0, 1.25, -1.25, 3.0]] * 2),
    "list of dictionaries": (
        pa.FixedSizeListArray.from_arrays(encoded(pa.array([0.0, 3.0, 1.0, 2.0, 1.0, 1.0, 3.0, 0.0])), 2),
        [NUMBERS, [3.0, 2.0, 1.0, 0.0]],
    ),
    "list of lists": (
        pa.array([[[0, 3]], [[1, 2]], [[1, 1]], [[3, 0]]], pa.list_(pa.list_(pa.float64(), 2))),
        [NUMBERS, [3.0, 2.0, 1.0, 0.0]],
    ),
    "tensors": (
        pa.ExtensionArray.from_storage(TENSOR, pa.array([[0, 3], [1, 2], [1, 1], [3, 0]], TENSOR.storage_type)),
        [NUMBERS, [3.0, 2.0, 1.0, 0.0]],
    ),
}

DATE = "give what matters of it as numbers, such as the days since another date, the month or the weekday"
UNIT = "give it as a number of some unit"
TEXT, CAST = "give each of its texts a column of 0 and 1", "cast it to a type of numbers"
UNION = pa.UnionArray.from_dense(
    pa.array([0, 1, 0, 1], pa.int8()), pa.array([0, 0, 1, 1], pa.int32()), [pa.array([1, 2]), pa.array(["u", "v"])]
)
SPARSE_UNION = pa.UnionArray.from_sparse(pa.array([0] * 4, pa.int8()), [pa.array(NUMBERS)])
# What a column holds, its type as the message tells it, and what to do instead.
REFUSED: dict[str, tuple[pa.Array, str, str]] = {
    "text": (pa.array(LABELS), "string", TEXT),
    "large text": (pa.array(LABELS, pa.large_string()), "large_string", TEXT),
    "views of text": (pa.array(LABELS, pa.string_view()), "string_view", TEXT),
    "dictionary of text": (encoded(pa.array(LABELS)), "dictionary<values=string, indices=int32, ordered=0>", TEXT),
    "dates": (pa.array([MOMENT.date()] * 4), "date32[day]", DATE),
    "dates of 64 bits": (pa.array([MOMENT.date()] * 4, pa.date64()), "date64[ms]", DATE),
    "timestamps": (pa.array([MOMENT] * 4), "timestamp[us]", DATE),
    "timestamps of a zone": (pa.array([MOMENT] * 4, pa.timestamp("s", "UTC")), "timestamp[s, tz=UTC]", DATE),
    "times": (pa.array([MOMENT.time()] * 4), "time64[us]", UNIT),
    "times of 32 bits": (pa.array([MOMENT.time()] * 4, pa.time32("s")), "time32[s]", UNIT),
    "durations": (pa.array([datetime.timedelta(1)] * 4), "duration[us]", UNIT),
    "intervals": (pa.array([(1, 2, 3)] * 4, pa.month_day_nano_interval()), "month_day_nano_interval", UNIT),
    "bytes": (pa.array([b"u"] * 4), "binary", CAST),
    "large bytes": (pa.array([b"u"] * 4, pa.large_binary()), "large_binary", CAST),
    "views of bytes": (pa.array([b"u"] * 4, pa.binary_view()), "binary_view", CAST),
    "bytes of one length": (pa.array([b"u"] * 4, pa.binary(1)), "fixed_size_binary[1]", CAST),
    "structures": (pa.array([{"u": 1}] * 4), "struct<u: int64>", "give each of its fields a column"),
    "maps": (
        pa.array([[("u", 1)]] * 4, pa.map_(pa.string(), pa.int64())),
        "map<string, int64>",
        "give each of its keys a column",
    ),
    "unions": (UNION, "dense_union<0: int64=0, 1: string=1>", CAST),
    "sparse unions": (SPARSE_UNION, "sparse_union<0: double=0>", CAST),
    "extensions": (pa.array([b"u" * 16] * 4, pa.uuid()), "extension<arrow.uuid>", CAST),
    **{
        f"decimals of a scale of {kind.scale}": (pa.nulls(4, kind), str(kind), advice)
        for kind, advice in (
            (pa.decimal32(9, 10), "give it a scale from -9 to 9"),
            (pa.decimal64(18, 19), "give it a scale from -18 to 18"),
            (pa.decimal128(38, 39), "give it a scale from -38 to 38"),
            (pa.decimal128(1, -39), "give it a scale from -38 to 38"),
            (pa.decimal256(76, 77), "give it a scale from -76 to 76"),
        )
    },
    "lists of text": (pa.array([["u"]] * 4), "list<item: string>", TEXT),
    "lists of dates": (pa.array([[MOMENT.date()]] * 4), "list<item: date32[day]>", DATE),
    "lists of structures": (
        pa.array([[{"u": 1}]] * 4), "list<item: struct<u: int64>>", "give each of its fields a column"
    ),
}  # fmt: skip


def as_batches(table: pa.Table, _: Path) -> Any:
    return table.to_batches(3)


def as_arrow(table: pa.Table, folder: Path) -> Any:
    with pa.ipc.new_file(str(folder / "data.arrow"), table.schema) as writer:
        writer.write_table(table, 3)
    return folder / "data.arrow"


def as_parquet(table: pa.Table, folder: Path) -> Any:
    pa.parquet.write_table(table, folder / "data.parquet", row_group_size=3)
    return folder / "data.parquet"


# What Arrow does not write as Parquet.
NOT_OF_PARQUET = {"run ends", "list_view<item: double>", "large_list_view<item: int8>", "list of dictionaries"}
NOT_OF_PARQUET |= {"unions", "sparse unions", "intervals", "durations", "views of bytes"}
NOT_OF_PARQUET |= {case for case in REFUSED if case.startswith("decimals")}


def ways(cases: dict[str, Any]) -> Any:
    """Each case as batches, and as a file of each format that has its type."""
    formats = (as_batches, as_arrow, as_parquet)
    pairs = [(case, way) for case in cases for way in formats if way is not as_parquet or case not in NOT_OF_PARQUET]
    return pytest.mark.parametrize(("case", "way"), pairs)


def test_there_is_a_case_for_every_type() -> None:
    def ids(column: pa.DataType) -> set[int]:
        inside = [column.field(number).type for number in range(column.num_fields)]
        return {column.id}.union(*map(ids, inside))

    known = {number for name, number in vars(pa.lib).items() if name.startswith("Type_")}
    tested = set().union(*(ids(column.type) for column, *_ in (*MEANINGS.values(), *REFUSED.values())))
    assert tested >= known - {pa.lib.Type_NA, pa.lib.Type_INTERVAL_MONTHS, pa.lib.Type_INTERVAL_DAY_TIME}


@ways(MEANINGS)
def test_a_feature_of_every_type(case: str, way: Way, tmp_path: Path) -> None:
    column, expected = MEANINGS[case]
    table = pa.table({"z": [0.5, 1.5, -1.0, 0.0], "x": column, "y": LABELS})
    model = SoftmaxRegression().fit_stream(way(table, tmp_path), "y")
    is_list = len(expected) > 1
    place = "[0]" if case == "list of lists" else ""
    names = [f"x{place}[{number}]" for number in range(len(expected))] if is_list else ["x"]
    assert model.feature_names_in_.tolist() == ["z", *names]
    plain = {"z": table["z"], **dict(zip(names, expected, strict=True)), "y": LABELS}
    same = SoftmaxRegression().fit_stream([pa.table(plain)], "y")
    assert np.abs(same.coef_).max() > 0.01
    np.testing.assert_array_equal(model.coef_, same.coef_)


@ways(REFUSED)
def test_what_is_no_feature(case: str, way: Way, tmp_path: Path) -> None:
    column, kind, advice = REFUSED[case]
    source = way(pa.table({"z": NUMBERS, "x": column, "y": LABELS}), tmp_path)
    # A file may have the type in another form.
    kind = re.escape(kind) if way is as_batches else ".*"
    needed = "features, weights and probabilities must be numbers"
    with pytest.raises(
        TypeError, match=rf"column 'x' holds {kind}; {needed}: {re.escape(advice)}, or leave the column"
    ):
        SoftmaxRegression().fit_stream(source, "y")


TWICE = pa.RunEndEncodedArray.from_arrays([4], pa.RunEndEncodedArray.from_arrays([1], [1.0]))
# What Arrow has no function for; of the views only where no list has an element.
NOT_UNPACKED = {
    "run ends of run ends": TWICE,
    "lists of run ends of run ends": pa.FixedSizeListArray.from_arrays(TWICE, 1),
    "empty views of dictionaries": pa.ListViewArray.from_arrays(
        *[pa.array([0] * 4, pa.int32())] * 2, encoded(of_type(pa.float16()))
    ),
}


@pytest.mark.parametrize("case", NOT_UNPACKED)
@pytest.mark.parametrize("way", [as_batches, as_arrow])
def test_what_arrow_cannot_unpack(case: str, way: Way, tmp_path: Path) -> None:
    column = NOT_UNPACKED[case]
    told = re.escape(f"column 'x' holds {column.type}, which Arrow cannot unpack (")
    with pytest.raises(TypeError, match=told):
        SoftmaxRegression().fit_stream(way(pa.table({"x": column, "y": LABELS}), tmp_path), "y")


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_label(case: str) -> None:
    column, kind, _ = REFUSED[case]
    table = pa.table({"z": NUMBERS, "y": column})
    if "text" in case and "list" not in case:
        assert SoftmaxRegression().fit_stream([table], "y").classes_.tolist() == ["a", "b"]
        return
    with pytest.raises(TypeError, match=re.escape(f"column 'y' holds {kind}; ")):
        SoftmaxRegression().fit_stream([table], "y")


# Labels as a column holds them, and the classes that they are of.
LABELS_OF_TYPES: dict[str, tuple[pa.Array, list[Any]]] = {
    "integers": (pa.array([2, 1, 2, 1], pa.uint8()), [1, 2]),
    "floats": (pa.array([2.0, 1.0, 2.0, 1.0], pa.float32()), [1.0, 2.0]),
    "half precision": (pa.array(np.array([2, 1, 2, 1], np.float16)), [1.0, 2.0]),
    "truth values": (pa.array([True, False, True, False]), [False, True]),
    "text": (pa.array(LABELS, pa.large_string()), ["a", "b"]),
    "views of text": (pa.array(LABELS, pa.string_view()), ["a", "b"]),
    "dictionary of text": (encoded(pa.array(LABELS)), ["a", "b"]),
    "dictionary of integers": (encoded(pa.array([7, 3, 7, 3])), [3, 7]),
    "run ends": (pa.RunEndEncodedArray.from_arrays([2, 4], ["b", "a"]), ["a", "b"]),
    **{
        str(kind): (pa.array([Decimal(2), Decimal(1)] * 2, kind), [1, 2])
        for kind in (pa.decimal32(5, 0), pa.decimal64(12, 0), pa.decimal128(38, 0), pa.decimal256(60, 0))
    },
    "decimals with places": (pa.array([Decimal(2), Decimal(1)] * 2, pa.decimal128(9, 2)), [1.0, 2.0]),
    "decimals of hundreds": (pa.array([Decimal(200), Decimal(100)] * 2, pa.decimal128(9, -2)), [100, 200]),
}  # fmt: skip


@pytest.mark.parametrize("case", LABELS_OF_TYPES)
def test_labels_of_every_type(case: str) -> None:
    column, expected = LABELS_OF_TYPES[case]
    table = pa.table({"z": NUMBERS, "y": column})
    classes = SoftmaxRegression().fit_stream(table.to_batches(3), "y").classes_.tolist()
    assert classes == expected
    assert [type(label) for label in classes] == [type(label) for label in expected]


def test_labels_that_are_none() -> None:
    for column, message in [
        (pa.array([None] * 4), "column 'y', row 1 has no value"),
        (pa.array([Decimal(1), Decimal(10) ** 30] * 2), f"column 'y', row 2 is {10**30}; integers must be from"),
        (
            pa.array([Decimal("1.5"), Decimal("2.5")] * 2),
            "column 'y', row 1 is 1.5; a label that is a number must be whole",
        ),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            SoftmaxRegression().fit_stream([pa.table({"z": NUMBERS, "y": column})], "y")


def test_a_column_of_nothing() -> None:
    table = pa.table({"z": NUMBERS, "x": pa.array([None] * 4), "y": LABELS})
    with pytest.raises(ValueError, match="column 'x', row 1 has no value"):
        SoftmaxRegression().fit_stream([table], "y")


def test_decimals_are_rounded_to_float64() -> None:
    """By Arrow, in a few operations."""
    rng = fresh_rng()
    for kind in (
        *(pa.decimal32(9, 4), pa.decimal64(18, 5), pa.decimal128(38, 10), pa.decimal256(76, 30)),
        *(pa.decimal32(9, 9), pa.decimal64(18, 18), pa.decimal128(38, 38), pa.decimal256(76, 76)),
        *(pa.decimal32(9, -9), pa.decimal64(18, -18), pa.decimal128(38, -38), pa.decimal256(76, -76)),
    ):
        digits = ["".join(map(str, rng.integers(0, 10, rng.integers(1, kind.precision + 1)))) for _ in range(200)]
        with decimal.localcontext(prec=80):
            values = [Decimal(text).scaleb(-kind.scale) for text in digits]
        content = b"".join(int(text).to_bytes(kind.byte_width, "little") for text in digits)
        cells = pa.Array.from_buffers(kind, len(digits), [None, pa.py_buffer(content)])
        table = pa.table({"x": cells, "y": [0, 1] * 100})
        (batch,) = ArrowBatches([table], "y", None, text=None, ahead=False)
        np.testing.assert_allclose(batch.X[:, 0], [float(value) for value in values], rtol=4 * bounds.EPS, atol=0)
