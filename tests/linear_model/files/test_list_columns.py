"""Columns of lists, such as embeddings: a feature for each element, whatever made them, and errors with their place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from numpy.typing import NDArray

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _pieces
from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._pieces import pieces_of
from tests.linear_model import data_sets
from tests.oracles.inputs import fresh_rng

MIB = 1 << 20


def embeddings(values: NDArray[Any]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def features(batches: Batches) -> NDArray[Any]:
    return np.concatenate([piece.X for piece in pieces_of(batches, int)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_and_lists_side_by_side(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)
    rng = fresh_rng()
    X, y = data_sets.random(rng, rows=700, features=10, classes=3)
    X = X.astype(dtype)
    columns = {
        "a": X[:, 0],
        "e": embeddings(X[:, 1:4]),
        "f": embeddings(X[:, 4:7]),
        "y": y,
        "g": pa.array(X[:, 7:9].tolist(), pa.list_(pa.from_numpy_dtype(dtype))),
        "b": X[:, 9],
    }
    table = pa.table(columns)
    for cut in ([table], table.to_batches(41), [table[:300], table[300:]]):
        batches = ArrowBatches(cut, "y", None, text=None, ahead=False)
        found = features(batches)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, X)
        lists = [f"{name}[{i}]" for name, length in (("e", 3), ("f", 3), ("g", 2)) for i in range(length)]
        assert batches.names == ["a", *lists, "b"]
    model = SoftmaxRegression(tol=1e-12).fit_stream(table.to_batches(41), "y")
    expected = SoftmaxRegression(tol=1e-12).fit_stream(
        [pa.table({**{f"x{i}": X[:, i] for i in range(10)}, "y": y})], "y"
    )
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def test_a_single_embedding_is_as_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are not brought together column by column and back."""
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)
    X, y = data_sets.random(fresh_rng(), rows=700, features=10, classes=3)
    table = pa.table({"e": embeddings(X), "y": y})
    expected = SoftmaxRegression().fit_stream([(X, y)])
    for cut in ([table], table.to_batches(41), table.to_batches(999)):
        model = SoftmaxRegression().fit_stream(cut, "y")
        assert model.coef_.tobytes() == expected.coef_.tobytes()
        assert model.loss_curve_ == expected.loss_curve_
    (batch, *_) = ArrowBatches([table], "y", None, text=None, ahead=False)
    assert np.shares_memory(batch.X, table["e"].chunk(0).values.to_numpy())


def test_lists_and_arrays_of_polars(tmp_path: Path) -> None:
    X, y = data_sets.real("iris")
    expected = SoftmaxRegression().fit_stream([(X, y)])
    for dtype in (pl.Array(pl.Float64, 4), pl.List(pl.Float64)):
        frame = pl.DataFrame({"e": pl.Series(X.tolist(), dtype=dtype), "y": y})
        frame.write_parquet(tmp_path / "data.parquet")
        frame.write_ipc(tmp_path / "data.arrow")
        for source in ([frame], tmp_path / "data.parquet", tmp_path / "data.arrow"):
            model = SoftmaxRegression().fit_stream(source, "y")
            np.testing.assert_array_equal(model.coef_, expected.coef_)


GOOD = [[1.0, 2.0], [0.5, 0.0], [2.0, 1.5]]
FIXED, VARIABLE = pa.list_(pa.float64(), 2), pa.list_(pa.float64())
BAD = {
    "no list": ([[1.0, 2.0], None, [2.0, 1.5]], "column 'e', row 5 has no value"),
    "no element": ([[1.0, 2.0], [0.5, None], [2.0, 1.5]], "column 'e[1]', row 5 has no value"),
    "nan": ([[1.0, 2.0], [0.5, 0.0], [float("nan"), 1.5]], "column 'e[0]', row 6 is nan; it must be finite"),
    "infinite": ([[1.0, float("inf")], [0.5, 0.0], [2.0, 1.5]], "column 'e[1]', row 4 is inf; it must be finite"),
}


@pytest.mark.parametrize("kind", [FIXED, VARIABLE, pa.large_list(pa.float64()), pa.list_(pa.float16(), 2)], ids=str)
@pytest.mark.parametrize("case", BAD)
def test_a_bad_list_is_named(case: str, kind: pa.DataType, tmp_path: Path) -> None:
    cells, message = BAD[case]
    first, second = (
        pa.table({"a": [0.0, 1.0, 2.0], "e": pa.array(values, kind), "y": [0, 1, 0]}) for values in (GOOD, cells)
    )
    pyarrow.parquet.write_table(pa.concat_tables([first, second]), tmp_path / "data.parquet", row_group_size=2)
    for source in ([first, second], tmp_path / "data.parquet"):
        with pytest.raises(ValueError, match=re.escape(message)):
            SoftmaxRegression().fit_stream(source, "y")


@pytest.mark.parametrize(("cells", "message"), [
    ([[1.0], [0.5, 0.0], [2.0, 1.5]], "column 'e', row 4 is a list of 1; that of row 1 is one of 2, and all"),
    ([[1.0, 2.0], [0.5, 0.0, 1.0], [2.0, 1.5]], "column 'e', row 5 is a list of 3; that of row 1 is one of 2"),
    ([[1.0, 2.0], [0.5, 0.0], []], "column 'e', row 6 is a list of 0; that of row 1 is one of 2"),
])  # fmt: skip
def test_lists_of_several_lengths(cells: list[list[float]], message: str) -> None:
    tables = [pa.table({"e": values, "y": [0, 1, 0]}) for values in (GOOD, cells)]
    with pytest.raises(ValueError, match=re.escape(message)):
        SoftmaxRegression().fit_stream(tables, "y")


def test_lists_in_lists_are_named() -> None:
    for cells, message in [
        ([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, None]]], "column 'e[1][1]', row 2 has no value"),
        ([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0]]], "column 'e[1]', row 2 is a list of 1; that of row 1 is"),
        ([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], None]], "column 'e[1]', row 2 has no value"),
        (
            [[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0]]],
            "column 'e', row 2 is a list of 1; that of row 1 is one of 2",
        ),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            SoftmaxRegression().fit_stream([pa.table({"e": cells, "y": [0, 1]})], "y")


def test_the_first_row_without_a_list() -> None:
    for kind in (FIXED, VARIABLE):
        for column in ("e", "y"):
            table = pa.table({"a": [0.0, 1.0, 2.0], "e": pa.array([None, *GOOD[1:]], kind), "y": [0, 1, 0]})
            target = "y" if column == "e" else "e"
            with pytest.raises(ValueError, match="column 'e', row 1 has no value"):
                SoftmaxRegression().fit_stream([table], target)


def test_empty_lists_are_no_features() -> None:
    for kind in (pa.list_(pa.float64(), 0), VARIABLE):
        table = pa.table({"e": pa.array([[], [], []], kind), "y": [0, 1, 0]})
        with pytest.raises(ValueError, match="the source has no features"):
            SoftmaxRegression().fit_stream([table], "y")
        beside = SoftmaxRegression().fit_stream([table.append_column("a", pa.array([1.0, 2.0, 3.0]))], "y")
        assert beside.feature_names_in_.tolist() == ["a"]


def test_another_length_of_a_type_is_another_type() -> None:
    tables = [
        pa.table({"e": pa.array(np.ones((3, d)).tolist(), pa.list_(pa.float64(), d)), "y": [0, 1, 0]}) for d in (2, 3)
    ]
    with pytest.raises(
        ValueError, match=r"column 'e' of batch 1 holds fixed_size_list.*\[3\]; that of the first .*\[2\]"
    ):
        SoftmaxRegression().fit_stream(tables, "y")


def test_a_stream_of_embeddings_holds_a_few_batches(tmp_path: Path) -> None:
    """A row group of 48 MiB in one column."""
    X = fresh_rng().standard_normal((24_000, 512), dtype=np.float32)
    assert X.nbytes > 46 * MIB
    table = pa.table({"e": embeddings(X), "y": np.arange(len(X)) % 2})
    pyarrow.parquet.write_table(table, tmp_path / "data.parquet", compression="none", use_dictionary=False)
    del table
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for batch in FileBatches(tmp_path / "data.parquet"):
        np.testing.assert_array_equal(batch["e"].flatten()[:512], X[rows])
        rows += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert rows == len(X)
    assert most < 12 * MIB
