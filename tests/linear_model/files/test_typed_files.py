"""Columns that other programs write in types of their own."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._typed_file import IpcFile
from tests.linear_model.files.reading import columns_of

WORDS = ["b", "a", None, "b"] * 5
FRAME = pl.DataFrame({
    "categorical": pl.Series(WORDS, dtype=pl.Categorical),
    "enum": pl.Series(WORDS, dtype=pl.Enum(["a", "b", "c"])),
    "text": WORDS,
    "x": range(20),
})  # fmt: skip


@pytest.mark.parametrize("write", [
    lambda path: FRAME.write_ipc(path.with_suffix(".feather")),
    lambda path: FRAME.write_ipc(path.with_suffix(".arrow"), compression="zstd"),
    lambda path: FRAME.write_ipc(path.with_suffix(".arrow"), record_batch_size=3),
    lambda path: FRAME.write_ipc_stream(path.with_suffix(".arrow")),
    lambda path: FRAME.write_parquet(path.with_suffix(".parquet")),
])  # fmt: skip
def test_dictionaries_of_polars_are_strings(write, tmp_path: Path) -> None:
    write(tmp_path / "data")
    (path,) = tmp_path.iterdir()
    assert columns_of(path) == FRAME.to_dict(as_series=False)
    for batch in FileBatches(path):
        assert {batch.schema.field(name).type for name in ("categorical", "enum", "text")} <= {
            pa.string(),
            pa.large_string(),
        }


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["a", "b"]), pl.String])
@pytest.mark.parametrize("as_file", [True, False])
def test_labels_of_polars(dtype, as_file: bool, tmp_path: Path) -> None:
    x = [0.5, -1.0, 2.0, 0.25] * 3
    frame = pl.DataFrame({"x": x, "y": pl.Series(["b", "a", "b", "a"] * 3, dtype=dtype)})
    frame.write_ipc(tmp_path / "data.arrow")
    model = SoftmaxRegression().fit_stream(tmp_path / "data.arrow" if as_file else [frame], "y")
    assert model.classes_.tolist() == ["a", "b"]
    assert model.predict(pl.DataFrame({"x": [3.0, -3.0]})).tolist() == ["b", "a"]


def test_dictionaries_of_numbers_are_numbers(tmp_path: Path) -> None:
    table = pa.table(
        {"x": pa.array([2.5, None, 2.5]).dictionary_encode(), "y": pa.array([3, 3, 4]).dictionary_encode()}
    )
    pyarrow.feather.write_feather(table, str(tmp_path / "data.feather"))
    assert columns_of(tmp_path / "data.feather") == {"x": [2.5, None, 2.5], "y": [3, 3, 4]}
    assert [str(field.type) for field in next(iter(FileBatches(tmp_path / "data.feather"))).schema] == [
        "double",
        "int64",
    ]


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".arrow"])
def test_columns_and_words_for_a_missing_cell(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"data{ending}"
    # A column whose name begins with that of another and a dot: Parquet has such for the fields of a struct.
    table = pa.table({"a": ["?", " ? ", "x"], "a.b": [1, 2, 3], "c": pa.array(["?", "y", "?"]).dictionary_encode()})
    if ending == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.feather.write_feather(table, str(path))
    assert columns_of(path, na=["?"]) == {"a": [None, " ? ", "x"], "a.b": [1, 2, 3], "c": [None, "y", None]}
    assert columns_of(path, columns=["c", "a"]) == {"a": ["?", " ? ", "x"], "c": ["?", "y", "?"]}
    assert columns_of(path, drop=["a"]) == {"a.b": [1, 2, 3], "c": ["?", "y", "?"]}
    with pytest.raises(ValueError, match=f"the option decimal is not for {ending[1:]} files"):
        columns_of(path, decimal=",")


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
def test_offsets_that_lead_out_of_the_file_are_refused(new, tmp_path: Path) -> None:
    offsets = pa.array([0, 1 << 30, 2], pa.int32()).buffers()[1]
    column = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"ab"))
    path = tmp_path / "data.arrow"
    with new(str(path), pa.schema({"x": pa.string()})) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([column], ["x"]))
    with pytest.raises(ValueError, match=f"cannot read {path}: column 'x': .*offset"):
        list(FileBatches(path))


# pyarrow reads the type, and makes neither it nor its arrays.
INTERVALS = (Path(__file__).parents[2] / "fuzz" / "corpus" / "arrow" / "interval").read_bytes()[1:]
INTERVAL = pa.ipc.open_stream(INTERVALS).schema.field("x").type


@pytest.mark.parametrize(
    "kind",
    [
        *(INTERVAL, pa.list_(INTERVAL), pa.struct({"inside": INTERVAL}), pa.map_(pa.string(), INTERVAL)),
        *(pa.dictionary(pa.int8(), INTERVAL), pa.run_end_encoded(pa.int32(), INTERVAL)),
        pa.opaque(INTERVAL, "interval", "test"),
    ],
    ids=str,
)
def test_a_type_that_pyarrow_has_no_arrays_of(kind: pa.DataType, tmp_path: Path) -> None:
    path = tmp_path / "data.arrow"
    with pa.ipc.new_stream(str(path), pa.schema({"z": pa.int8(), "x": kind})):
        pass
    with pytest.raises(TypeError, match=re.escape(f"{path}, column 'x' holds {kind}, of which pyarrow has no arrays")):
        FileBatches(path)


def test_intervals_beside_others(tmp_path: Path) -> None:
    path = tmp_path / "data.arrow"
    path.write_bytes(INTERVALS)
    assert columns_of(path, drop=["x"]) == {"y": pa.ipc.open_stream(INTERVALS).read_all()["y"].to_pylist()}
    with pytest.raises(TypeError, match=r"^column 'x' holds day_time_interval, of which pyarrow has no arrays"):
        SoftmaxRegression().fit_stream([pa.ipc.open_stream(INTERVALS).read_all()], "y")


def test_what_a_file_asks_of_memory_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 4774451406201421888 failed")

    monkeypatch.setattr(IpcFile, "batches", ask)
    pyarrow.feather.write_feather(pa.table({"x": [1.0]}), str(tmp_path / "data.feather"))
    with pytest.raises(MemoryError, match=f"reading {tmp_path / 'data.feather'}: malloc of size 4774451406201421888"):
        list(FileBatches(tmp_path / "data.feather"))
