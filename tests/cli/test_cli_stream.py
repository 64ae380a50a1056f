"""`softgrad train --stream`: the model of `softgrad train`, from parts of the file; checkpoints; errors in one line."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from safetensors.numpy import load_file

from softgrad.cli.stream_columns import Numbers
from softgrad.linear_model._data import _files as streaming_files
from softgrad.linear_model._data import _pieces as streaming_pieces
from tests.cli.conftest import animals, command, fails, run, set_cell, succeeds, with_column, write
from tests.linear_model.test_checkpoint import no_file_longer_than
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng

ALL = ("--target", "kind", "--test-fraction", 0)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 256 rows, from text blocks that end in the middle of a line."""
    monkeypatch.setattr(streaming_pieces, "_PIECE_BYTES", 1)
    monkeypatch.setattr(streaming_files, "_TEXT_BLOCK_BYTES", 9973)


def assert_same_model(found: Path, expected: Path) -> None:
    """Features, classes and weights, to what the order of the sums may change: the solver magnifies it."""
    models = [load_file(path) for path in (found, expected)]
    for name in ("coef", "intercept"):
        scale = np.abs(models[1][name]).max()
        np.testing.assert_allclose(models[0][name], models[1][name], rtol=0, atol=2**22 * EPS * scale)


@pytest.mark.parametrize(
    "ending", ["csv", "parquet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tsv", "csv.gz", "feather"))]
)
def test_the_same_model_as_in_memory(ending: str) -> None:
    data = write(animals(rows=600), Path(f"animals.{ending}"))
    inside = succeeds("train", data, *ALL, "--json", "--model", "inside").json
    streamed = succeeds("train", data, *ALL, "--json", "--model", "streamed", "--stream").json
    assert_same_model(Path("streamed"), Path("inside"))
    for name in ("rows", "train_rows", "features", "classes", "confusion_matrix", "training_accuracy", "iterations"):
        assert streamed[name] == inside[name], name
    assert streamed["training_loss"] == pytest.approx(inside["training_loss"], rel=2**22 * EPS, abs=0.0)
    assert streamed["loss_curve"] == pytest.approx(inside["loss_curve"], rel=2**22 * EPS, abs=0.0)
    predictions = [succeeds("predict", name, data).stdout.splitlines() for name in ("inside", "streamed")]
    labels = [[line.split(",")[0] for line in lines] for lines in predictions]
    assert labels[0] == labels[1]


def test_an_arrow_file() -> None:
    table = animals()
    with pa.ipc.new_file("animals.arrow", table.schema) as writer:
        writer.write_table(table, 77)
    write(table, Path("animals.feather"))
    for source, options in [("animals.arrow", ["--stream"]), ("animals.feather", [])]:
        succeeds("train", source, *ALL, "--model", source[-3:], *options)
    assert_same_model(Path("row"), Path("her"))


def test_the_rows_of_the_test() -> None:
    data = write(animals(rows=2000), Path("animals.parquet"))
    arguments = ("train", data, "--target", "kind", "--stream", "--json")
    result = succeeds(*arguments, "--test-fraction", 0.3, "--seed", 1).json
    assert result["train_rows"] + result["test_rows"] == 2000
    # Six standard deviations of a binomial.
    assert abs(result["test_rows"] - 600) <= 6 * np.sqrt(2000 * 0.3 * 0.7)
    assert np.sum(result["confusion_matrix"]) == result["test_rows"]
    assert result["confusion_rows"] == "test"
    assert result["test_accuracy"] > 0.8
    assert succeeds(*arguments, "--test-fraction", 0.3, "--seed", 1).json["loss_curve"] == result["loss_curve"]
    assert succeeds(*arguments, "--test-fraction", 0.3, "--seed", 2).json["loss_curve"] != result["loss_curve"]


def test_what_is_learnt_is_learnt_from_the_training_rows() -> None:
    """A text that is in test rows alone has no feature, and an outlier there moves no mean."""
    table = animals(rows=600)
    data = write(table, Path("animals.feather"))
    arguments = ("train", data, "--target", "kind", "--stream", "--test-fraction", 0.5, "--json")
    before = succeeds(*arguments).json
    train = np.random.default_rng(0).random(600) >= 0.5
    row = int(np.flatnonzero(~train)[50]) + 1
    write(set_cell(set_cell(table, "colour", row, "violet"), "weight", row, 1e6), data)
    after = succeeds(*arguments).json
    assert after["features"] == before["features"] == 6
    assert after["loss_curve"] == before["loss_curve"]
    assert after["test_loss"] != before["test_loss"]


def test_the_first_row_of_a_class_is_for_the_training() -> None:
    table = animals(rows=600)
    kinds = table.column("kind").to_pylist()
    kinds[599] = "zebra"
    data = write(with_column(table, "kind", kinds), Path("animals.csv"))
    for seed in range(2):
        result = succeeds("train", data, "--target", "kind", "--stream", "--seed", seed, "--json").json
        assert result["classes"] == ["cat", "newt", "yak", "zebra"]


CELLS = {
    "whole numbers, then real ones": ["1"] * 400 + ["2.5"] * 400,
    "numbers with spaces": [" 1", "2 "] * 400,
    "numbers, then words": ["1", "2"] * 300 + ["x", "y"] * 100,
    "truth values": ["true", "False"] * 400,
    "truth values, then a number": ["true"] * 799 + ["1"],
    "words that stand for nothing": ["na", "none"] * 400,
    "texts": ["red", "blue", "a, b"] * 266 + ["red", "blue"],
}


@pytest.mark.parametrize("case", CELLS)
def test_a_column_of_text_cells_is_what_all_of_it_says(case: str) -> None:
    x = np.arange(800)
    table = pa.table({"x": x % 7, "cell": CELLS[case], "kind": np.where((x % 7 + x % 2) > 3, "a", "b")})
    write(table, Path("data.csv"))
    features = [succeeds("train", "data.csv", *ALL, "--json", "--model", "inside").json["features"]]
    features.append(succeeds("train", "data.csv", *ALL, "--json", "--model", "streamed", "--stream").json["features"])
    assert features[0] == features[1]
    assert_same_model(Path("streamed"), Path("inside"))


@pytest.mark.parametrize(("labels", "expected"), [
    ([3, 1], [1, 3]),
    ([True, False], [False, True]),
    (["b", "a"], ["a", "b"]),
])  # fmt: skip
def test_labels(labels: list[object], expected: list[object]) -> None:
    table = pa.table({"x": np.arange(600) % 5, "kind": labels * 300})
    for name in ("data.csv", "data.parquet"):
        write(table, Path(name))
        assert succeeds("train", name, *ALL, "--stream", "--json").json["classes"] == expected


def add(numbers: Numbers, values: np.ndarray, train: np.ndarray, cuts: list[int]) -> None:
    """In parts that begin at the first row and at the cuts."""
    for first_row, part, chosen in zip([0, *cuts], np.split(values, cuts), np.split(train, cuts), strict=True):
        numbers.add(part, chosen, first_row)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200, 1e307])
def test_mean_and_deviation_of_numbers_in_parts(scale: float) -> None:
    rng = fresh_rng()
    values = (rng.standard_normal(1000) + 3.0) * scale * rng.choice([0.01, 1.0], 1000)
    numbers = Numbers("x")
    train = rng.random(1000) < 0.7
    # A part without a row for the training.
    train[5:20] = False
    add(numbers, values, train, [1, 5, 15, 700])
    column = numbers.column()
    scaled = values[train] / scale
    eps = np.finfo(np.float64).eps
    assert column.mean / scale == pytest.approx(scaled.mean(), rel=64 * eps, abs=0.0)
    assert column.scale / scale == pytest.approx(scaled.std(), rel=64 * eps, abs=0.0)


def test_numbers_far_from_zero_keep_their_deviation() -> None:
    values = 1.7e9 + np.arange(1000.0) / 8
    numbers = Numbers("x")
    add(numbers, values, np.full(1000, True), list(range(100, 1000, 100)))
    assert numbers.column().scale == pytest.approx(np.arange(1000.0).std() / 8, rel=64 * EPS, abs=0.0)
    constant = Numbers("x")
    add(constant, np.full(10, 0.1), np.full(10, True), [7])
    assert (constant.column().mean, constant.column().scale) == (0.1, 1.0)


@pytest.mark.parametrize(("column", "row", "value", "message"), [
    ("weight", 300, np.inf, "column 'weight' has an infinite value, first in row 300"),
    ("weight", 599, np.nan, "column 'weight' has a missing value, first in row 599"),
    ("legs", 257, None, "column 'legs' has a missing value, first in row 257"),
    ("colour", 600, None, "column 'colour' has a missing value, first in row 600"),
    ("kind", 1, None, "column 'kind' has a missing value, first in row 1"),
])  # fmt: skip
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_value_that_is_missing_or_infinite(column: str, row: int, value: object, message: str, ending: str) -> None:
    write(set_cell(animals(rows=600), column, row, value), Path(f"animals.{ending}"))
    assert fails("train", f"animals.{ending}", *ALL, "--stream") == message


def test_too_many_texts_or_classes() -> None:
    names = [f"n{i}" for i in range(1001)]
    write(pa.table({"x": names, "kind": [1, 2, 3] * 333 + [1, 2]}), Path("data.csv"))
    assert "column 'x' holds more than 1000 different texts" in fails("train", "data.csv", *ALL, "--stream")
    write(pa.table({"x": [1, 2, 3] * 333 + [1, 2], "kind": names}), Path("data.csv"))
    assert "target 'kind' has more than 1000 different values" in fails("train", "data.csv", *ALL, "--stream")
    write(pa.table({"x": [1, 2], "kind": [0.5, 1.5]}), Path("data.parquet"))
    assert "holds numbers that are not whole" in fails("train", "data.parquet", *ALL, "--stream")
    write(pa.table({"x": [1, 2], "kind": [1, 1]}), Path("data.parquet"))
    assert fails("train", "data.parquet", *ALL, "--stream") == "target 'kind' has a single class, 1; two are needed"


def test_times_are_no_features() -> None:
    write(pa.table({"when": ["2024-01-01"] * 300, "kind": ["a", "b"] * 150}), Path("data.csv"))
    expected = fails("train", "data.csv", *ALL)
    assert "column 'when' is neither number nor text" in expected
    assert fails("train", "data.csv", *ALL, "--stream") == expected


def test_what_cannot_be_streamed() -> None:
    assert fails("train", "iris", "--stream") == "--stream reads a file; iris is a built-in data set"
    assert fails("train", "none.csv", *ALL, "--stream") == "no such file: none.csv"
    Path("data.parquet").write_bytes(b"no such thing")
    assert fails("train", "data.parquet", *ALL, "--stream").startswith("cannot read data.parquet: ")
    write(animals(), Path("animals.csv"))
    assert "has no column 'sort'" in fails("train", "animals.csv", "--target", "sort", "--stream")
    assert fails("train", "animals.csv", "--stream").startswith("which column is the target? Say --target; the columns")
    Path("single.csv").write_text("kind\n1\n2\n")
    assert fails("train", "single.csv", *ALL, "--stream") == "single.csv has no column besides the target 'kind'"
    said = "single.csv has no column 'sort'; its columns are kind"
    assert fails("train", "single.csv", "--target", "sort", "--stream") == said
    Path("empty.csv").write_text("a,kind\n")
    assert fails("train", "empty.csv", *ALL, "--stream") == "empty.csv has no rows"
    assert "-C is 0.0; it must be positive" in fails("train", "animals.csv", *ALL, "--stream", "-C", 0)


def test_options_that_need_each_other() -> None:
    write(animals(), Path("animals.csv"))
    arguments = ("train", "animals.csv", *ALL)
    assert "only a training with --stream has one" in fails(*arguments, "--checkpoint", "fit")
    assert fails(*arguments, "--stream", "--resume") == "--resume: from where? Say --checkpoint"
    assert "does not exist" in fails(*arguments, "--stream", "--checkpoint", "no/fit")
    assert "which --stream avoids" in fails(*arguments, "--stream", "--report", "r.html")
    assert "there is no checkpoint fit to resume from" in fails(
        *arguments, "--stream", "--checkpoint", "fit", "--resume"
    )


def test_a_checkpoint() -> None:
    write(animals(), Path("animals.csv"))
    arguments = ("train", "animals.csv", *ALL, "--stream", "--checkpoint", "fit")
    outcome = succeeds(*arguments, "--max-iter", 3, "--json")
    assert "max_iter=3 iterations were not enough" in outcome.json["warning"]
    assert "fit is there already: resume from it, or remove it" in fails(*arguments)
    for other, message in [
        (["-C", 2], "C is 1.0 there, 2.0 here"),
        (["--test-fraction", 0.5], "number of rows is 300"),
    ]:
        outcome = run(*arguments, "--resume", *other)
        assert outcome.status == 2
        told = "softgrad: the training failed: the checkpoint fit belongs to another fit: "
        assert outcome.stderr.startswith(told + message)
    succeeds(*arguments, "--resume", "--model", "resumed")
    succeeds("train", "animals.csv", *ALL, "--stream", "--model", "whole")
    assert Path("resumed").read_bytes() == Path("whole").read_bytes()


@pytest.mark.slow
def test_killed_in_the_middle_and_resumed() -> None:
    write(animals(rows=20_000), Path("animals.parquet"))
    arguments = ("train", "animals.parquet", *ALL, "--stream", "-C", 1e6)
    process = subprocess.Popen(command(*arguments, "--checkpoint", "fit"), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("iteration 3,"):
            process.send_signal(signal.SIGKILL)
            break
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    for options in (["--checkpoint", "fit", "--resume", "--model", "resumed"], ["--model", "whole"]):
        subprocess.run(command(*arguments, *options), check=True, capture_output=True)
    assert Path("resumed").read_bytes() == Path("whole").read_bytes()


def test_the_old_checkpoint_survives_a_full_disk() -> None:
    write(animals(), Path("animals.csv"))
    arguments = ("train", "animals.csv", *ALL, "--stream", "--checkpoint", "fit")
    succeeds(*arguments, "--max-iter", 3)
    before = Path("fit").read_bytes()
    with no_file_longer_than(100):
        outcome = run(*arguments, "--resume")
    assert outcome.status == 1
    assert outcome.stderr.startswith("softgrad: cannot write fit: File too large; free ")
    assert outcome.stderr.count("\n") == 1
    assert Path("fit").read_bytes() == before
    assert {path.name for path in Path().iterdir()} == {"animals.csv", "fit"}
    succeeds(*arguments, "--resume", "--model", "resumed")
    succeeds("train", "animals.csv", *ALL, "--stream", "--model", "whole")
    assert Path("resumed").read_bytes() == Path("whole").read_bytes()
