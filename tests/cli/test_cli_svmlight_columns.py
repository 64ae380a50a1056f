"""Svmlight files whose indices are far apart: time, memory and the model file go with the features in use."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy import sparse
from scipy.special import softmax

from softgrad.cli.model_file import load_model
from softgrad.cli.svmlight_columns import SvmlightColumns, UsedIndices
from tests.cli.conftest import fails, succeeds
from tests.oracles.inputs import fresh_rng

FAR = 2**31 - 1


def write_rows(path: str, X: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> None:
    lines = [
        f"{label} " + " ".join(f"{indices[place]}:{float(row[place])!r}" for place in np.flatnonzero(row))
        for row, label in zip(X, labels, strict=True)
    ]
    Path(path).write_text("\n".join(lines) + "\n")


def some_rows(features: int, rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three entries each, and labels of two classes; no feature is without an entry."""
    rng = fresh_rng()
    X = np.zeros((rows, features))
    for row in X:
        row[rng.choice(features, 3, replace=False)] = rng.uniform(0.5, 2.0, 3)
    X[0] = 1.0
    labels = (X @ rng.standard_normal(features) > 0).astype(int)
    labels[:2] = 0, 1
    return X, labels


@pytest.mark.parametrize("first", [0, 1, 5])
def test_the_model_of_the_features_side_by_side(first: int) -> None:
    """Indices up to the largest that can be read make the model that the same rows make with indices 1, 2, 3, ..."""
    spread = np.unique(np.concatenate([[first], fresh_rng().integers(10, FAR, 20), [FAR]]))
    X, labels = some_rows(len(spread))
    write_rows("spread.svm", X, labels, spread)
    write_rows("close.svm", X, labels, np.arange(1, len(spread) + 1))
    arguments = ("--stream", "--test-fraction", 0, "--json", "--model")
    far = succeeds("train", "spread.svm", *arguments, "far").json
    close = succeeds("train", "close.svm", *arguments, "close").json
    assert far["loss_curve"] == close["loss_curve"]
    assert far["features"] == len(spread)
    for name in ("coef", "intercept"):
        np.testing.assert_array_equal(load_file("far")[name], load_file("close")[name])
    assert [column.name for column in load_model(Path("far")).columns] == [str(index) for index in spread]
    assert succeeds("predict", "far", "spread.svm").stdout == succeeds("predict", "close", "close.svm").stdout
    assert succeeds("evaluate", "far", "spread.svm", "--json").json["loss"] == far["training_loss"]
    assert succeeds("export", "far", "far.onnx").stdout.startswith(f"input X: float64, n x {len(spread)}\n")


def test_features_that_no_row_of_the_training_had() -> None:
    """Up to the last that one had they weigh nothing; beyond it is an error, as it is below 1."""
    write_rows("rows.svm", *some_rows(3), np.array([3, 1000, 3_000_000]))
    succeeds("train", "rows.svm", "--stream", "--test-fraction", 0, "--model", "model")
    Path("new.svm").write_text("1 1:9 3:0.5 999:9 2999999:9 3000000:1.5\n0 2:1\n")
    found = load_file("model")
    logits = np.array([[0.5, 0.0, 1.5], [0.0, 0.0, 0.0]]) @ found["coef"].T + found["intercept"]
    lines = succeeds("predict", "model", "new.svm").stdout.splitlines()[1:]
    probabilities = np.array([[float(cell) for cell in line.split(",")[1:]] for line in lines])
    np.testing.assert_allclose(probabilities, softmax(logits, axis=1), rtol=8 * np.finfo(np.float64).eps)
    Path("new.svm").write_text("1 1:9\n0 3000001:1\n")
    said = "new.svm, row 2: the model knows no feature 3000001, only 1 to 3000000"
    assert fails("predict", "model", "new.svm") == said
    assert fails("evaluate", "model", "new.svm") == said


def test_memory_goes_with_the_features_in_use() -> None:
    write_rows("rows.svm", *some_rows(3, rows=20), np.array([3, 1000, FAR]))
    tracemalloc.start()
    try:
        succeeds("train", "rows.svm", "--stream", "--test-fraction", 0, "--model", "model")
        succeeds("evaluate", "model", "rows.svm")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A bit for each index would be more.
    assert peak < FAR / 8
    assert Path("model").stat().st_size < 4096


@pytest.mark.parametrize("command", [["train"], ["predict", "model"], ["evaluate", "model"]], ids=lambda c: c[0])
@pytest.mark.parametrize("index", [FAR + 1, 3_000_000_000, 10**30])
def test_an_index_that_cannot_be_read(index: int, command: list[str]) -> None:
    write_rows("rows.svm", *some_rows(3, rows=5), np.arange(1, 4))
    succeeds("train", "rows.svm", "--stream", "--test-fraction", 0, "--model", "model")
    Path("bad.svm").write_text(f"1 1:1\n0 1:1 {index}:1  # 9:1 {10**40}:1\n")
    said = f"cannot read bad.svm, line 2: feature index {index}; the largest is {FAR}"
    assert fails(*command, "bad.svm", *(["--stream"] if command == ["train"] else [])) == said


def test_indices_that_come_in_parts() -> None:
    rng = fresh_rng()
    parts = [rng.integers(0, 1000, size) for size in rng.integers(0, 300, 50)]
    used = UsedIndices()
    for part in parts:
        used.add(part)
    assert used.ascending().tolist() == sorted({int(index) for part in parts for index in part})


def test_columns_of_rows() -> None:
    columns = SvmlightColumns(np.array([2, 5, 7]))
    rows = np.array([[0.0, 1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.0, 4.0]])
    from_1, from_4, from_5 = (sparse.csr_array(np.pad(rows, ((0, 0), (first, 0)))) for first in (1, 4, 5))
    assert columns.of(from_1).toarray().tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert columns.of(from_4).toarray().tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 4.0]]
    # Indices of eight bytes would be half of the memory of a row.
    assert columns.of(from_1).indices.dtype == columns.of(from_1).indptr.dtype == np.int32
    assert columns.outside(from_4).tolist() == [False, False, False, False]
    assert columns.outside(from_5).tolist() == [False, False, False, True]
    assert [column.name for column in columns[1:]] == ["5", "7"]
