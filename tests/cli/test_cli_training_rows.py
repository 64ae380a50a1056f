"""The rows of a training as pieces: each row once, numbered, weighted, encoded, as long as the fit takes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import issparse

from softgrad.cli.columns import dense
from softgrad.cli.data import Data
from softgrad.cli.encoder import Piece, joined
from softgrad.cli.errors import UserError
from softgrad.cli.learning import Missing
from softgrad.cli.readers import Here
from softgrad.cli.roles import Roles
from softgrad.cli.sources import open_source
from softgrad.cli.tables import Table
from softgrad.cli.training_rows import EncodedRows, HeldRows, TrainingBatches
from softgrad.linear_model._data import _pieces, _text_file
from softgrad.linear_model._data._read_options import ReadOptions
from tests.cli.conftest import animals, fails, for_training, set_cell, succeeds, with_column, write
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng

ROWS, SEED, FRACTION = 3000, 5, 0.3
# Of the pieces that the fit takes, and of the parts that a table is read in.
LENGTH = 256


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 256 rows, from text blocks that end in the middle of a line."""
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)
    monkeypatch.setattr(_text_file, "_BLOCK_BYTES", 9973)


def encoded(data: Path, policy: Missing = "error", weight: str | None = None) -> EncodedRows:
    table = Table(open_source(Data([str(data)]), ReadOptions(), "file"), ReadOptions(), {})
    features = [name for name in table.names if name not in ("kind", weight)]
    return EncodedRows(table, Roles(features, "kind", "text", weight, policy), FRACTION, SEED, Here())


def assert_same(
    found: list[Piece], expected: list[Piece], rows: Mapping[int, int] | None = None, roundings: float = 0.0
) -> None:
    """Pieces with the same content, in the same order; `rows`: the numbers that the found ones have in the expected."""
    assert [len(piece.codes) for piece in found] == [len(piece.codes) for piece in expected]
    for a, b in zip(found, expected, strict=True):
        assert a.is_test == b.is_test
        features = dense(b.features)
        np.testing.assert_allclose(dense(a.features), features, rtol=0, atol=roundings * EPS * np.abs(features).max())
        np.testing.assert_array_equal(a.codes, b.codes)
        np.testing.assert_array_equal(a.weights, b.weights)
        numbers = a.rows.tolist() if rows is None else [rows[row] for row in a.rows.tolist()]
        assert numbers == b.rows.tolist()


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
def test_each_row_once_in_the_pieces_that_the_fit_takes(ending: str) -> None:
    table = animals(rows=ROWS)
    rows = encoded(write(table, Path(f"animals.{ending}")))
    kinds = table.column("kind").to_pylist()
    train = for_training(kinds, FRACTION, SEED)
    assert (rows.train_rows, rows.test_rows, rows.learnt.dropped_rows) == (train.sum(), (~train).sum(), 0)
    classes, expected_codes = np.unique(kinds, return_inverse=True)
    assert list(rows.classes.labels) == classes.tolist()
    pieces = list(rows.pieces())
    assert_same(list(rows.training()), [piece for piece in pieces if not piece.is_test])
    for is_test, chosen in ((False, train), (True, ~train)):
        part = [piece for piece in pieces if piece.is_test == is_test]
        whole, rest = divmod(int(chosen.sum()), LENGTH)
        assert [len(piece.codes) for piece in part] == [LENGTH] * whole + [rest]
        assert rest > 0
        assert all(piece.features.flags.c_contiguous and piece.features.dtype == np.float64 for piece in part)
        together = joined(part)
        np.testing.assert_array_equal(together.rows, 1 + np.flatnonzero(chosen))
        np.testing.assert_array_equal(together.codes, expected_codes[chosen])
        assert (together.weights == 1.0).all()
        for place, name in enumerate(["weight", "legs", "wild"]):
            values = table.column(name).to_numpy().astype(np.float64)
            expected = (values - values[train].mean()) / values[train].std()
            scale = np.abs(values / values[train].std()).max()
            np.testing.assert_allclose(together.features[:, place], expected[chosen], rtol=0, atol=64 * EPS * scale)
        colours = np.array(table.column("colour").to_pylist())
        np.testing.assert_array_equal(together.features[:, 3:], colours[chosen][:, None] == np.unique(colours[train]))


def test_the_fit_takes_the_pieces_as_they_are() -> None:
    """It neither copies nor cuts nor joins them: those that are held are in memory once."""
    rows = HeldRows(encoded(write(animals(rows=ROWS), Path("animals.parquet"))))
    held = list(rows.training())
    (shard,) = rows.shards
    taken = list(_pieces.pieces_of(TrainingBatches(shard, rows.classes), int))
    assert len(taken) == len(held) > 5
    for piece, given in zip(taken, held, strict=True):
        assert np.shares_memory(piece.X, given.features)
        assert piece.X.shape == given.features.shape
        np.testing.assert_array_equal(piece.codes, given.codes)
        np.testing.assert_array_equal(piece.weights, given.weights)


def test_held_rows_are_those_that_are_read() -> None:
    rows = encoded(write(animals(rows=ROWS), Path("animals.csv")))
    held = HeldRows(rows)
    assert_same(list(held.pieces()), list(rows.pieces()))
    assert_same(list(held.training()), list(rows.training()))
    assert (held.train_rows, held.test_rows, held.target) == (rows.train_rows, rows.test_rows, "kind")


def test_sparse_rows_come_as_they_are_read() -> None:
    rng, table = fresh_rng(), animals(rows=ROWS)
    shades = [f"shade {shade}" for shade in rng.integers(0, 100, ROWS).tolist()]
    rows = encoded(write(with_column(table, "colour", shades), Path("animals.parquet")))
    train = for_training(table.column("kind").to_pylist(), FRACTION, SEED)
    pieces = list(rows.pieces())
    assert all(issparse(piece.features) for piece in pieces)
    assert max(len(piece.codes) for piece in pieces) <= LENGTH
    training = joined([piece for piece in pieces if not piece.is_test])
    np.testing.assert_array_equal(training.rows, 1 + np.flatnonzero(train))
    chosen = np.array(shades)[train]
    np.testing.assert_array_equal(dense(training.features)[:, 3:], chosen[:, None] == np.unique(chosen))


def with_gaps(table: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """With missing values in features and the target, a part of 256 rows that has nothing else, and where none are."""
    rng = fresh_rng()
    for name in table.column_names:
        cells = table.column(name).to_pylist()
        for row in rng.integers(0, ROWS, 100).tolist():
            cells[row] = None
        if name == "legs":
            cells[2 * LENGTH : 4 * LENGTH] = [None] * (2 * LENGTH)
        table = with_column(table, name, cells)
    whole = np.array([None not in row.values() for row in table.to_pylist()])
    return table, whole


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_that_are_left_out(ending: str) -> None:
    """What is left is what a file without them gives, encoding, division and pieces alike."""
    weights = pa.array(fresh_rng().uniform(0.5, 2.0, ROWS))
    table, whole = with_gaps(animals(rows=ROWS).append_column("importance", weights))
    rows = encoded(write(table, Path(f"gaps.{ending}")), "drop", "importance")
    expected = encoded(write(table.filter(pa.array(whole)), Path(f"whole.{ending}")), "error", "importance")
    assert 2 * LENGTH < rows.learnt.dropped_rows == (~whole).sum()
    assert rows.classes == expected.classes
    place = {row: number for number, row in enumerate((1 + np.flatnonzero(whole)).tolist(), start=1)}
    # The sums of a mean are over other parts, and it is some deviations from 0.
    for is_test in (False, True):
        found, filtered = ([piece for piece in each.pieces() if piece.is_test == is_test] for each in (rows, expected))
        assert_same(found, filtered, place, roundings=64)


@pytest.mark.parametrize("policy", ["mean", "median", "most-frequent"])
def test_rows_that_are_filled(policy: Missing) -> None:
    """They are those of a file in which the fills are written."""
    table, _ = with_gaps(animals(rows=ROWS))
    table = with_column(table, "kind", animals(rows=ROWS).column("kind").to_pylist())
    rows = encoded(write(table, Path("gaps.parquet")), policy)
    assert rows.learnt.dropped_rows == 0
    for column in rows.columns:
        cells = table.column(column.name).to_pylist()
        if column.name in ("weight", "colour"):
            table = with_column(table, column.name, [column.fill if cell is None else cell for cell in cells])
    written = write(table, Path("filled.parquet"))
    found = joined([piece for piece in rows.pieces() if not piece.is_test])
    filled = joined([piece for piece in encoded(written, policy).pieces() if not piece.is_test])
    np.testing.assert_array_equal(found.rows, filled.rows)
    np.testing.assert_array_equal(found.features[:, 3:], filled.features[:, 3:])
    given = table.column("weight").to_numpy()[found.rows - 1]
    (weight,) = (column for column in rows.columns if column.name == "weight")
    np.testing.assert_allclose(
        found.features[:, 0],
        (given - weight.mean) / weight.scale,
        rtol=0,
        atol=8 * EPS * np.abs(given / weight.scale).max(),
    )


def test_weights_of_rows() -> None:
    weights = fresh_rng().uniform(0.0, 3.0, ROWS)
    weights[7] = 0.0
    table = animals(rows=ROWS).append_column("importance", pa.array(weights))
    rows = encoded(write(table, Path("animals.csv")), weight="importance")
    assert [column.name for column in rows.columns] == ["weight", "legs", "wild", "colour"]
    for piece in rows.pieces():
        np.testing.assert_array_equal(piece.weights, weights[piece.rows - 1])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("-0.5", "the weight -0.5 is negative"),
        (None, "the value is missing; "),
        ("inf", "'inf' is infinite; it must be finite"),
        ("heavy", "'heavy' is not a number; "),
    ],
)
def test_weights_that_are_none(cell: str | None, message: str) -> None:
    table = animals().append_column("importance", pa.array(["1"] * 300))
    data = write(set_cell(table, "importance", 260, cell), Path("animals.csv"))
    for options in ((), ("--stream",)):
        arguments = ("train", data, "--target", "kind", "--sample-weight", "importance", *options)
        assert fails(*arguments).startswith(f"animals.csv, column 'importance', row 260: {message}")


@pytest.mark.parametrize("value", [1e308, -1e308])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_test_row_that_is_too_large_is_found_in_the_first_pass(ending: str, value: float) -> None:
    table = animals(rows=ROWS)
    table = with_column(table, "weight", table.column("weight").to_numpy() / 1e6)
    row = int(np.flatnonzero(~for_training(table.column("kind").to_pylist(), FRACTION, SEED))[500]) + 1
    assert row > LENGTH
    data = write(set_cell(table, "weight", row, value), Path(f"animals.{ending}"))
    with pytest.raises(UserError, match=rf"^animals\.{ending}, column 'weight', row {row}: too large to standardise$"):
        encoded(data)


@pytest.mark.parametrize(("labels", "unknown"), [
    ([3, 1, -7], 2),
    (["b", "a", "å"], "aa"),
])  # fmt: skip
def test_labels_are_looked_up_among_the_classes(labels: list[Any], unknown: object) -> None:
    """Below the first class, between two, above the last: none of them passes for its neighbour."""
    write(pa.table({"x": np.arange(300) % 7, "kind": labels * 100}), Path("data.parquet"))
    succeeds("train", "data.parquet", "--target", "kind", "--stream", "--model", "model")
    assert succeeds("evaluate", "model", "data.parquet", "--json").json["rows"] == 300
    low, high = (-8, 4) if isinstance(unknown, int) else ("A", "ö")
    for label in (low, unknown, high):
        write(pa.table({"x": [1, 2, 3], "kind": [labels[0], label, labels[1]]}), Path("new.parquet"))
        classes = ", ".join(map(str, sorted(labels)))
        said = f"new.parquet, column 'kind', row 2: {label!r} is not a class of the model ({classes})"
        assert fails("evaluate", "model", "new.parquet") == said
