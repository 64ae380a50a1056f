"""`softgrad train --stream`: to the byte the model of `softgrad train`; checkpoints; errors in one line."""

from __future__ import annotations

import gc
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from safetensors.numpy import load_file

from softgrad.cli import train
from softgrad.linear_model._data import _pieces as streaming_pieces
from softgrad.linear_model._data import _text_file
from tests.cli.conftest import animals, command, fails, for_training, run, set_cell, succeeds, with_column, write
from tests.linear_model.test_checkpoint import no_file_longer_than
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng

ALL = ("--target", "kind", "--test-fraction", 0)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 256 rows, from text blocks that end in the middle of a line."""
    monkeypatch.setattr(streaming_pieces, "_PIECE_BYTES", 1)
    monkeypatch.setattr(_text_file, "_BLOCK_BYTES", 9973)


def assert_same_model(*options: object, data: object, names: Sequence[str] = ("memory", "stream", "cache")) -> Any:
    """One model file, to the byte, and one outcome, however the rows are kept between two passes."""
    kept = {"memory": (), "stream": ("--stream",), "cache": ("--stream", "--cache")}
    results = []
    for name in names:
        outcome = succeeds("train", data, "--target", "kind", *options, *kept[name], "--json", "--model", name).json
        results.append({key: value for key, value in outcome.items() if key not in ("seconds", "model")})
    assert all(result == results[0] for result in results[1:])
    assert len({Path(name).read_bytes() for name in names}) == 1
    return results[0]


def with_gaps(rows: int = 600) -> pa.Table:
    """The animals, with cells missing in each column of features, and weights of the rows."""
    table, rng = animals(rows=rows), fresh_rng()
    for name in table.column_names[:-1]:
        cells = table.column(name).to_pylist()
        gaps = set(rng.choice(rows, 20, replace=False).tolist())
        table = with_column(table, name, [None if row in gaps else cell for row, cell in enumerate(cells)])
    return table.append_column("importance", pa.array(rng.uniform(0.1, 4.0, rows)))


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "feather", "csv.gz"])
def test_one_model_of_every_format(ending: str) -> None:
    data = write(animals(rows=600), Path(f"animals.{ending}"))
    result = assert_same_model("--test-fraction", 0.3, data=data)
    assert (result["rows"], result["features"], len(result["loss_curve"])) == (600, 6, result["iterations"] + 1)
    assert result["test_accuracy"] > 0.7


@pytest.mark.parametrize("missing", ["drop", "mean", "median", "most-frequent"])
@pytest.mark.parametrize(
    "ending", ["csv", "feather", *(pytest.param(ending, marks=pytest.mark.slow) for ending in ("tsv", "parquet"))]
)
def test_one_model_whatever_becomes_of_missing_values(missing: str, ending: str) -> None:
    table = with_gaps()
    data = write(table, Path(f"animals.{ending}"))
    options = ("--sample-weight", "importance", "--class-weight", "balanced", "--label-smoothing", 0.1)
    result = assert_same_model("--missing", missing, *options, data=data)
    rows = sum(None not in row.values() for row in table.to_pylist())
    assert 600 - 4 * 20 <= rows < 600
    assert result["rows"] == (rows if missing == "drop" else 600)
    assert [column["missing"] for column in result["columns"]] == ([0] * 4 if missing == "drop" else [20] * 4)


def test_what_the_options_of_the_fit_do_is_kept() -> None:
    """Each of them changes the model: none is left out on the way."""
    data = write(with_gaps(), Path("animals.csv"))
    chosen = {
        "plain": ("--drop", "importance"),
        "weights": ("--sample-weight", "importance"),
        "classes": ("--class-weight", "balanced", "--drop", "importance"),
        "smooth": ("--label-smoothing", 0.1, "--drop", "importance"),
        "median": ("--missing", "median", "--drop", "importance"),
    }
    for name, options in chosen.items():
        filled = () if name == "median" else ("--missing", "mean")
        succeeds("train", data, "--target", "kind", *filled, *options, "--stream", "--model", name)
    weights = [load_file(name)["coef"].tobytes() for name in chosen]
    assert len(set(weights)) == len(chosen)


def test_one_model_of_sparse_features() -> None:
    """In parts: rows of CSR are neither joined nor cut."""
    rng, table = fresh_rng(), animals(rows=2000)
    shades = rng.integers(0, 200, 2000)
    table = with_column(table, "colour", [f"shade {shade}" for shade in shades.tolist()])
    # A shade or two may have no row in the training.
    trained = np.unique(shades[for_training(table.column("kind").to_pylist(), 0.25, 0)])
    for ending in ("csv", "parquet"):
        result = assert_same_model("--test-fraction", 0.25, data=write(table, Path(f"animals.{ending}")))
        assert result["features"] == 3 + len(trained)


@pytest.mark.parametrize("name", ["iris", "wine"])
def test_one_model_of_a_built_in_data_set(name: str) -> None:
    kept = {"memory": (), "stream": ("--stream",)}
    for way, options in kept.items():
        succeeds("train", name, *options, "--model", way)
    assert Path("memory").read_bytes() == Path("stream").read_bytes()


def test_an_arrow_file() -> None:
    """Of batches of its own: the model is that of the Feather file to what another order of sums may change."""
    table = animals()
    with pa.ipc.new_file("animals.arrow", table.schema) as writer:
        writer.write_table(table, 77)
    assert_same_model(*ALL[2:], data="animals.arrow", names=("stream", "cache"))
    succeeds("train", write(table, Path("animals.feather")), *ALL, "--model", "memory")
    arrow, feather = load_file("stream"), load_file("memory")
    for name in ("coef", "intercept"):
        scale = np.abs(feather[name]).max()
        np.testing.assert_allclose(arrow[name], feather[name], rtol=0, atol=2**22 * EPS * scale)


def test_the_rows_of_the_test() -> None:
    data = write(animals(rows=2000), Path("animals.parquet"))
    arguments = ("train", data, "--target", "kind", "--stream", "--json")
    result = succeeds(*arguments, "--test-fraction", 0.3, "--seed", 1).json
    assert result["train_rows"] + result["test_rows"] == 2000
    # Of each class, rounded up or down.
    assert abs(result["test_rows"] - 600) < 3
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
    train = for_training(table.column("kind").to_pylist(), 0.5, 0)
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
    "whole numbers, then real ones": (["1"] * 400 + ["2.5"] * 400, 2),
    "numbers with spaces": ([" 1", "2 "] * 400, 2),
    "numbers, then words": (["1", "2"] * 300 + ["x", "y"] * 100, 5),
    "truth values": (["true", "False"] * 400, 2),
    "truth values, then a number": (["true"] * 799 + ["1"], 3),
    "words that stand for nothing": (["na", "none"] * 400, 3),
    "texts": (["red", "blue", "a, b"] * 266 + ["red", "blue"], 4),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_column_of_text_cells_is_what_all_of_it_says(case: str) -> None:
    x = np.arange(800)
    cells, features = CELLS[case]
    table = pa.table({"x": x % 7, "cell": cells, "kind": np.where((x % 7 + x % 2) > 3, "a", "b")})
    assert assert_same_model(*ALL[2:], data=write(table, Path("data.csv")))["features"] == features


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


@pytest.mark.parametrize(("column", "row", "value", "message"), [
    ("weight", 300, np.inf, "{}inf{} is infinite; it must be finite"),
    ("weight", 599, np.nan, "the value is missing ({}nan{}); --missing says what takes its place"),
    ("legs", 257, None, "the value is missing; --missing says what takes its place"),
    ("colour", 600, None, "the value is missing; --missing says what takes its place"),
    ("kind", 1, None, "the value is missing; --missing drop of train leaves such rows out"),
])  # fmt: skip
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_value_that_is_missing_or_infinite(column: str, row: int, value: object, message: str, ending: str) -> None:
    write(set_cell(animals(rows=600), column, row, value), Path(f"animals.{ending}"))
    quote = "'" if ending == "csv" else ""
    expected = f"animals.{ending}, column {column!r}, row {row}: {message.format(quote, quote)}"
    for options in ((), ("--stream",), ("--stream", "--cache")):
        assert fails("train", f"animals.{ending}", *ALL, *options) == expected


def test_too_many_texts_or_classes() -> None:
    names = [f"n{i}" for i in range(1001)]
    write(pa.table({"x": names, "kind": [1, 2, 3] * 333 + [1, 2]}), Path("data.csv"))
    assert "column 'x' holds more than 1000 different texts" in fails("train", "data.csv", *ALL, "--stream")
    write(pa.table({"x": [1, 2, 3] * 333 + [1, 2], "kind": names}), Path("data.csv"))
    assert "target 'kind' has more than 1000 different values" in fails("train", "data.csv", *ALL, "--stream")
    write(pa.table({"x": [1, 2], "kind": [0.5, 1.5]}), Path("data.parquet"))
    assert "row 1: 0.5 is not whole; " in fails("train", "data.parquet", *ALL, "--stream")
    write(pa.table({"x": [1, 2], "kind": [1, 1]}), Path("data.parquet"))
    said = "data.parquet: target 'kind' has a single class, 1; two are needed"
    assert fails("train", "data.parquet", *ALL, "--stream") == said


def test_times_are_no_features() -> None:
    write(pa.table({"when": ["2024-01-01"] * 300, "kind": ["a", "b"] * 150}), Path("data.csv"))
    expected = fails("train", "data.csv", *ALL)
    assert "data.csv: column 'when' holds dates" in expected
    assert fails("train", "data.csv", *ALL, "--stream") == expected


def test_what_cannot_be_streamed() -> None:
    assert fails("train", "none.csv", *ALL, "--stream").startswith("no such file: none.csv")
    Path("data.parquet").write_bytes(b"no such thing")
    assert fails("train", "data.parquet", *ALL, "--stream").startswith("cannot read data.parquet: ")
    write(animals(), Path("animals.csv"))
    assert "has no column 'sort'" in fails("train", "animals.csv", "--target", "sort", "--stream")
    assert fails("train", "animals.csv", "--stream").startswith("which column is the target? Say --target; the columns")
    Path("single.csv").write_text("kind\n1\n2\n")
    assert fails("train", "single.csv", *ALL, "--stream") == "single.csv has no column besides the target 'kind'"
    said = "single.csv has no column 'sort'; its columns are kind; --delimiter says what stands between cells"
    assert fails("train", "single.csv", "--target", "sort", "--stream") == said
    Path("empty.csv").write_text("a,kind\n")
    assert fails("train", "empty.csv", *ALL, "--stream") == "empty.csv has no rows"
    assert "-C is 0.0; it must be positive" in fails("train", "animals.csv", *ALL, "--stream", "-C", 0)


def test_options_that_need_each_other() -> None:
    write(animals(), Path("animals.csv"))
    arguments = ("train", "animals.csv", *ALL)
    assert "only a training with --stream or --ray has one" in fails(*arguments, "--checkpoint", "fit")
    assert fails(*arguments, "--cache").startswith("--cache keeps on disk what --stream reads; ")
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


def test_the_cache_is_gone_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the training ends well, with an error, or by the user."""
    data = write(animals(), Path("animals.csv"))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    seen: list[int] = []
    whole = train.fit

    def fit(*arguments: Any, **options: Any) -> Any:
        seen.extend(path.stat().st_size for path in folder.iterdir())
        if len(seen) == 2:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(train, "fit", fit)
    statuses = [run("train", data, *ALL, "--stream", "--cache").status for _ in range(2)]
    fails("train", write(set_cell(animals(), "weight", 300, None), Path("gap.csv")), *ALL, "--stream", "--cache")
    assert statuses == [0, 130]
    assert len(seen) == 2
    gc.collect()
    assert min(seen) > 8 * 300
    assert list(folder.iterdir()) == []


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
