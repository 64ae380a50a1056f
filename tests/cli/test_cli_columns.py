"""From columns to features: dense or CSR, whichever is smaller, the same numbers in both."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from softgrad.cli.columns import Column, NumberColumn, TextColumn, Values, are_sparse, dense, encode
from softgrad.cli.data import Data
from softgrad.cli.errors import UserError
from softgrad.cli.origin import Origin
from softgrad.cli.readers import Here
from softgrad.cli.roles import Roles
from softgrad.cli.sources import open_source
from softgrad.cli.tables import Table, Words
from softgrad.cli.training_rows import EncodedRows, HeldRows
from softgrad.linear_model._data._read_options import ReadOptions
from tests.cli.conftest import succeeds, write
from tests.oracles.inputs import fresh_rng

ROWS = 200


def some_columns(texts: int, numbers: int = 3) -> tuple[list[Column], Values, np.ndarray]:
    """Numbers and two texts, one of them between the numbers, and the features of their rows."""
    rng = fresh_rng()
    columns: list[Column] = [
        NumberColumn(f"x{place}", rng.uniform(-1.0, 1.0), rng.uniform(0.5, 2.0)) for place in range(numbers)
    ]
    for place, name in ((1, "u"), (numbers + 1, "v")):
        columns.insert(place, TextColumn(name, tuple(f"{name}{word:04}" for word in range(texts))))
    values = Values({}, {})
    blocks = []
    for column in columns:
        if isinstance(column, NumberColumn):
            cells = rng.standard_normal(ROWS)
            values.numbers[column.name] = cells
            blocks.append(((cells - column.mean) / column.scale)[:, None])
        else:
            # Beside the categories there are texts that the training did not have, below, between and above them.
            vocabulary = sorted([*column.categories, "a", f"{column.name}0000z", "zz"])
            codes = rng.integers(0, len(vocabulary), ROWS)
            values.words[column.name] = Words(codes, vocabulary)
            words = [vocabulary[code] for code in codes.tolist()]
            blocks.append(np.array([[word == category for category in column.categories] for word in words], float))
    return columns, values, np.hstack(blocks)


@pytest.mark.parametrize("texts", [1, 2, 3, 4, 5, 50])
def test_dense_and_sparse_features_are_the_same(texts: int) -> None:
    columns, values, expected = some_columns(texts)
    features = encode(columns, values, Origin("data.csv"), 1 + np.arange(ROWS))
    assert isinstance(features, csr_array) == are_sparse(columns)
    np.testing.assert_array_equal(dense(features), expected)
    # Text of numbers is more than half of what the cells hold: nothing is left out, nothing is there twice.
    if isinstance(features, csr_array):
        assert features.has_canonical_format
        assert features.nnz == np.count_nonzero(expected)


def test_the_smaller_of_both() -> None:
    """A stored number of a sparse row takes 12 bytes with its index, a number of a dense one 8."""
    for texts in range(1, 12):
        columns, values, expected = some_columns(texts)
        features = encode(columns, values, Origin("data.csv"), 1 + np.arange(ROWS))
        most = 12 * ROWS * len(columns)
        assert are_sparse(columns) == (most < expected.nbytes)
        taken = features.nbytes if isinstance(features, np.ndarray) else features.data.nbytes + features.indices.nbytes
        assert taken <= min(most, expected.nbytes)


def two_texts(rows: int, categories: int) -> Path:
    rng = fresh_rng()
    words = [[f"{name}{word:03}" for word in rng.integers(0, categories, rows).tolist()] for name in "uv"]
    table = pa.table({"u": words[0], "v": words[1], "kind": rng.integers(0, 2, rows)})
    return write(table, Path(f"data{categories}.parquet"))


def test_memory_goes_with_the_rows_and_not_with_the_categories() -> None:
    peaks = []
    for categories in (100, 1000):
        data = str(two_texts(4000, categories))
        table = Table(open_source(Data([data]), ReadOptions(), "file"), ReadOptions(), {})
        tracemalloc.start()
        try:
            held = HeldRows(EncodedRows(table, Roles(["u", "v"], "kind", "integer", None, "error"), 0.2, 0, Here()))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        # All cells but those of the few texts that no row for the training has.
        assert sum(piece.features.nnz for piece in held.pieces()) > 0.95 * 2 * 4000
    # Dense the rows would take 6 MB and 60 MB.
    assert peaks[1] < 2 * peaks[0] < 2 * 4000 * 200 * 8


@pytest.mark.slow
def test_the_memory_of_a_whole_training() -> None:
    data = two_texts(20_000, 1000)
    tracemalloc.start()
    try:
        result = succeeds("train", data, "--target", "kind", "--max-iter", 2, "-C", 1e-3, "--json").json
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result["features"] == 2000
    assert peak < 20_000 * 2000 * 8 / 8


@pytest.mark.parametrize("texts", [2, 50])
@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_a_number_that_is_too_large(texts: int, value: float) -> None:
    columns, values, _ = some_columns(texts)
    values.numbers["x1"][17] = value
    scale = next(column.scale for column in columns if column.name == "x1" and isinstance(column, NumberColumn))
    columns[2] = NumberColumn("x1", 0.0, scale / 4.0)
    with pytest.raises(UserError, match=r"^data\.csv, column 'x1', row 118: too large to standardise$"):
        encode(columns, values, Origin("data.csv"), 101 + np.arange(ROWS))
