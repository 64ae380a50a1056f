"""Files whose columns have types."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

from tests.cli.wild.case import COLOUR, KIND, PLAIN, Case, X, table

NUMBERS = [float(cell) for cell in X]
COUNTS = [1, 2, 3] * 4


def columns(**changes: Any) -> pa.Table:
    """The plain table, with other columns or more of them."""
    columns = {"x": pa.array(NUMBERS), "colour": pa.array(COLOUR), "kind": pa.array(KIND)}
    return pa.table({**columns, **{name: pa.array(values) for name, values in changes.items()}})


def parquet(columns: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(columns, sink)
    return sink.getvalue()


def arrow(columns: pa.Table, rows: int = 12, *, stream: bool = False) -> bytes:
    sink = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, columns.schema) as writer:
        writer.write_table(columns, rows)
    return sink.getvalue()


def _polars(dtype: Any) -> bytes:
    frame = polars.DataFrame({"x": NUMBERS, "colour": COLOUR, "kind": KIND})
    sink = io.BytesIO()
    frame.with_columns(polars.col("colour").cast(dtype), polars.col("kind").cast(polars.Categorical)).write_ipc(sink)
    return sink.getvalue()


def _same(name: str, content: bytes, file: str = "data.parquet", *arguments: str, **expected: Any) -> Case:
    return Case(name, content, arguments, file=file, **{"kinds": PLAIN, "like": table()} | expected)


def _refused(name: str, values: Sequence[Any], *words: str) -> Case:
    content = parquet(columns(x=list(values) * 4))
    return Case(f"a column of {name}", content, file="data.parquet", error=("column 'x'", *words, "--drop x"))


NOON = datetime.datetime(2024, 3, 10, 12)
WITH_NULL = columns(x=[None, *NUMBERS[1:]])

CASES = [
    _same("Parquet", parquet(columns())),
    _same("Arrow", arrow(columns()), "data.arrow"),
    _same("Arrow's stream", arrow(columns(), stream=True), "data.arrow"),
    _same("Feather", arrow(columns()), "data.feather"),
    _same("Parquet without an ending", parquet(columns()), "data", "--format", "parquet"),
    _same("a Categorical of polars", _polars(polars.Categorical), "data.feather"),
    _same("an Enum of polars", _polars(polars.Enum(["green", "blue", "red"])), "data.arrow"),
    _same("dictionaries", parquet(columns(colour=pa.array(COLOUR).dictionary_encode()))),
    _same("blanks around typed text", parquet(columns(colour=[f" {colour} " for colour in COLOUR]))),
    _same("decimals", parquet(columns(x=[Decimal(cell) for cell in X]))),
    _same("float32", parquet(columns(x=pa.array(NUMBERS, pa.float32())))),
    _same("half precision", arrow(columns(x=pa.array(NUMBERS, pa.float16()))), "data.arrow"),
    _same("large strings", parquet(columns(colour=pa.array(COLOUR, pa.large_string())))),
    _same(
        "truth values of Parquet",
        parquet(columns(x=[True, False, False] * 4)),
        kinds={"x": "truth value", "colour": "text"},
        like=table(x=["1", "0", "0"] * 4),
    ),
    _same(
        "integers of Parquet",
        parquet(columns(x=pa.array(COUNTS, pa.uint8()))),
        kinds={"x": "integer", "colour": "text"},
        like=table(x=["1", "2", "3"] * 4),
    ),
    _same(
        "labels that are whole floats",
        parquet(columns(kind=[float(count) for count in COUNTS])),
        classes=(1, 2, 3),
        like=table(kind=["1", "2", "3"] * 4),
    ),
    _same(
        "labels that are decimals",
        parquet(columns(kind=[Decimal(count) for count in COUNTS])),
        classes=(1, 2, 3),
        like=table(kind=["1", "2", "3"] * 4),
    ),
    _same(
        "labels beyond int64",
        parquet(columns(kind=pa.array([2**63, 2**63 + 1] * 6, pa.uint64()))),
        like=None,
        error=("'kind'", "row 1", str(2**63), "--label-as text"),
    ),
    _same(
        "labels with a null",
        parquet(columns(kind=[*KIND[:4], None, *KIND[5:]])),
        error=("'kind'", "row 5", "missing", "--missing drop"),
    ),
    _same("a null", parquet(WITH_NULL), error=("column 'x'", "row 1", "missing", "--missing")),
    _same(
        "a null is filled",
        parquet(WITH_NULL),
        "data.parquet",
        "--missing",
        "mean",
        missing={"x": 1},
        like=table(x=["", *X[1:]]),
        like_arguments=("--missing", "mean"),
    ),
    _same(
        "a NaN is missing",
        parquet(columns(x=[float("nan"), *NUMBERS[1:]])),
        "data.parquet",
        "--missing",
        "mean",
        missing={"x": 1},
        like=table(x=["", *X[1:]]),
        like_arguments=("--missing", "mean"),
    ),
    _same(
        "an infinite float",
        arrow(columns(x=[*NUMBERS[:6], float("inf"), *NUMBERS[7:]])),
        "data.arrow",
        error=("column 'x'", "row 7", "infinite"),
    ),
    _same(
        "a word of typed text is missing",
        parquet(columns()),
        "data.parquet",
        "--na",
        "red",
        error=("column 'colour'", "row 1", "missing", "--missing"),
    ),
    _refused("dates", [NOON.date()] * 3, "date"),
    _refused("times", [NOON] * 3, "timestamp"),
    _refused("spans", [datetime.timedelta(1)] * 3, "duration"),
    _refused("lists", [[1.0], [2.0], []], "list"),
    _refused("structures", [{"a": 1}] * 3, "struct"),
    _refused("bytes", [b"u", b"v", b"w"], "binary"),
    _refused("nothing", [None] * 3, "no value"),
    Case(
        "labels are dates of Parquet",
        parquet(columns(kind=[NOON.date()] * 12)),
        file="data.parquet",
        error=("'kind'", "date"),
    ),
    Case(
        "a delimiter of Parquet",
        parquet(columns()),
        ("--delimiter", ";"),
        file="data.parquet",
        error=("option delimiter", "parquet"),
    ),
    Case("half of a Parquet file", parquet(columns())[:200], file="data.parquet", error=("cannot read",)),
    Case("half of an Arrow file", arrow(columns())[:200], file="data.arrow", error=("cannot read",)),
    Case("no rows in Parquet", parquet(columns().slice(0, 0)), file="data.parquet", error=("no rows",)),
    Case("text named .parquet", table(), file="data.parquet", error=("cannot read",)),
]
