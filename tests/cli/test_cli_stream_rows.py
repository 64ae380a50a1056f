"""What `softgrad train --stream` hands to the fit: each training row once, numbered, in the pieces of the fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _files as streaming_files
from softgrad.linear_model._data import _pieces as streaming_pieces
from softgrad.linear_model._data._batches import Batch, Batches
from tests.cli.conftest import animals, fails, set_cell, succeeds, with_column, write
from tests.oracles.bounds import EPS

ROWS, SEED, FRACTION = 3000, 5, 0.3
# Of the pieces that the fit takes, and of the parts that a table is read in.
LENGTH = 256


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 256 rows, from text blocks that end in the middle of a line."""
    monkeypatch.setattr(streaming_pieces, "_PIECE_BYTES", 1)
    monkeypatch.setattr(streaming_files, "_TEXT_BLOCK_BYTES", 9973)


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[list[Batch]]:
    """The batches of a pass, for each fit from a source that there will be."""
    passes: list[list[Batch]] = []
    fit_stream: Callable[..., SoftmaxRegression] = SoftmaxRegression.fit_stream

    def spy(self: SoftmaxRegression, source: Any, **options: Any) -> SoftmaxRegression:
        assert isinstance(source, Batches)
        passes.append(list(source))
        return fit_stream(self, source, **options)

    monkeypatch.setattr(SoftmaxRegression, "fit_stream", spy)
    return passes


def drawn_for_training(labels: list[str]) -> np.ndarray:
    train = np.random.default_rng(SEED).random(len(labels)) >= FRACTION
    train[[labels.index(label) for label in set(labels)]] = True
    return train


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
def test_the_training_rows_in_the_pieces_that_the_fit_takes(ending: str, handed_over: list[list[Batch]]) -> None:
    table = animals(rows=ROWS)
    data = write(table, Path(f"animals.{ending}"))
    succeeds("train", data, "--target", "kind", "--stream", "--test-fraction", FRACTION, "--seed", SEED)
    (pieces,) = handed_over
    kinds = table.column("kind").to_pylist()
    train = drawn_for_training(kinds)
    count = int(train.sum())
    whole, rest = divmod(count, LENGTH)
    assert [len(piece.codes) for piece in pieces] == [LENGTH] * whole + [rest]
    assert rest > 0
    assert all(piece.X.flags.c_contiguous and piece.X.dtype == np.float64 for piece in pieces)

    features = np.concatenate([piece.X for piece in pieces])
    codes = np.concatenate([piece.codes for piece in pieces])
    classes, expected_codes = np.unique(kinds, return_inverse=True)
    np.testing.assert_array_equal(codes, expected_codes[train])
    assert all(piece.labels == list(range(len(classes))) for piece in pieces)
    assert all((piece.weights == 1.0).all() for piece in pieces)
    for place, name in enumerate(["weight", "legs", "wild"]):
        values = table.column(name).to_numpy().astype(np.float64)
        expected = (values - values[train].mean()) / values[train].std()
        scale = np.abs(values / values[train].std()).max()
        np.testing.assert_allclose(features[:, place], expected[train], rtol=0, atol=64 * EPS * scale)
    colours = np.array(table.column("colour").to_pylist())[train]
    np.testing.assert_array_equal(features[:, 3:], colours[:, None] == np.unique(colours))


@pytest.mark.parametrize("value", [1e308, -1e308])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_test_row_that_is_too_large_is_found_before_the_fit(
    ending: str, value: float, handed_over: list[list[Batch]]
) -> None:
    table = animals(rows=ROWS)
    table = with_column(table, "weight", table.column("weight").to_numpy() / 1e6)
    row = int(np.flatnonzero(~drawn_for_training(table.column("kind").to_pylist()))[500]) + 1
    assert row > LENGTH
    data = write(set_cell(table, "weight", row, value), Path(f"animals.{ending}"))
    message = fails("train", data, "--target", "kind", "--stream", "--test-fraction", FRACTION, "--seed", SEED)
    assert message == f"column 'weight', row {row}: too large to standardise"
    assert handed_over == []


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
        said = f"target 'kind', row 2: {label!r} is not a class of the model ({classes})"
        assert fails("evaluate", "model", "new.parquet") == said
