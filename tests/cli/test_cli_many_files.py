"""Commands that read several files: one table, whose rows messages name by their file."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import dump_svmlight_file

from softgrad.cli import train
from softgrad.cli.origin import Origin
from softgrad.linear_model._fit import FitParameters
from tests.cli.conftest import animals, fails, run, set_cell, succeeds, with_column, write

PARTS = (slice(0, 250), slice(250, 251), slice(251, 600))


def split(table: pa.Table, folder: str, ending: str = "csv") -> list[Path]:
    """The rows of a table in three files."""
    Path(folder).mkdir(parents=True)
    return [
        write(table[part.start : part.stop], Path(folder) / f"part-{number}.{ending}")
        for number, part in enumerate(PARTS)
    ]


def trained_on(*data: object, name: str, options: tuple[object, ...] = ()) -> tuple[bytes, dict[str, Any]]:
    """The model file and what else the training says."""
    target = () if "--target" in options else ("--target", "kind")
    outcome = succeeds("train", *data, *target, *options, "--json", "--model", name).json
    return Path(name).read_bytes(), {key: outcome[key] for key in outcome if key not in ("seconds", "model", "data")}


def assert_like_one_file(parts: dict[str, Any], whole: dict[str, Any]) -> None:
    """But for the bits: means are added file by file."""
    for key in ("rows", "train_rows", "columns", "classes", "notes", "warnings"):
        assert parts[key] == whole[key]
    for key in ("training_loss", "test_loss"):
        assert abs(parts[key] / whole[key] - 1.0) < FitParameters().tol ** 0.5
    assert abs(parts["loss_curve"][-1] / whole["loss_curve"][-1] - 1.0) < 2.0 * FitParameters().tol


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather", "csv.gz"])
def test_one_model_however_the_files_are_named_and_kept(ending: str) -> None:
    table = animals(rows=600)
    paths = split(table, "data", ending)
    model, told = trained_on("data", name="model")
    assert "data: 3 files, 600 rows, 4 columns, target 'kind'\n" in succeeds("train", "data", "--target", "kind").stdout
    _, of_whole = trained_on(write(table, Path(f"whole.{ending}")), name="whole")
    assert_like_one_file(told, of_whole)
    named = [paths, [f"data/*.{ending}"], [paths[0], f"data/part-[12].{ending}"], ["data"]]
    kept = [(), ("--stream",), ("--stream", "--cache"), ("--stream",)]
    for data, options in zip(named, kept, strict=True):
        assert trained_on(*data, name="other", options=options) == (model, told)


def test_keys_are_columns() -> None:
    table = animals(rows=600)
    for number, path in enumerate(split(table, "data")):
        folder = Path(f"tree/half={number // 2}/word=w{number}")
        folder.mkdir(parents=True)
        path.rename(folder / path.name)
    rows = [part.stop - part.start for part in PARTS]
    whole = table.append_column("half", pa.array(np.repeat([0, 0, 1], rows)))
    whole = whole.append_column("word", pa.array(np.repeat(["w0", "w1", "w2"], rows).tolist()))
    write(whole, Path("whole.csv"))
    for options in [(), ("--drop", "half"), ("--columns", "weight,word"), ("--columns", "word"), ("--target", "word")]:
        model, told = trained_on("tree", name="model", options=options)
        assert_like_one_file(told, trained_on("whole.csv", name="whole", options=options)[1])
        assert trained_on("tree", name="streamed", options=(*options, "--stream")) == (model, told)
    assert succeeds("describe", "tree").stdout.startswith("tree: 3 files, 600 rows, 7 columns\n")
    assert succeeds("describe", "whole.csv").stdout.startswith("whole.csv: 600 rows, 7 columns\n")
    columns = succeeds("describe", "tree", "--json").json["columns"]
    assert [(column["name"], column["kind"]) for column in columns[-2:]] == [("half", "integer"), ("word", "text")]


def test_predictions_are_in_the_order_of_the_files(trained: tuple[Path, Path]) -> None:
    model, _ = trained
    table = animals(rows=600)
    paths = split(table, "data")
    expected = succeeds("predict", model, write(table, Path("whole.csv"))).stdout
    assert expected.count("\n") == 601
    assert succeeds("predict", model, *paths).stdout == succeeds("predict", model, "data").stdout == expected
    backwards = succeeds("predict", model, *paths[::-1]).stdout.splitlines()
    lines = expected.splitlines()
    assert backwards == [lines[0], *lines[252:], lines[251], *lines[1:251]]
    scores = [succeeds("evaluate", model, *data, "--json").json for data in (["whole.csv"], ["data"], paths)]
    assert [score["rows"] for score in scores] == [600, 600, 600]
    assert len({(score["loss"], score["accuracy"]) for score in scores}) == 1
    assert scores[2]["data"] == "data/part-0.csv and 2 more"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("options", [(), ("--stream",), ("--stream", "--cache")])
def test_a_row_is_named_by_its_file(ending: str, options: tuple[str, ...], trained: tuple[Path, Path]) -> None:
    broken = set_cell(animals(rows=600), "weight", 300, None)
    split(broken, "data", ending)
    place = f"data/part-2.{ending}, column 'weight', row 49"
    message = f"{place}: the value is missing; --missing says what takes its place"
    assert fails("train", "data", "--target", "kind", *options) == message
    assert fails("predict", trained[0], "data").startswith(f"{place}: the value is missing")
    assert fails("evaluate", trained[0], "data").startswith(f"{place}: the value is missing")
    unknown = set_cell(animals(rows=600), "kind", 252, "dodo")
    split(unknown, "unknown", ending)
    assert fails("evaluate", trained[0], "unknown").startswith(
        f"unknown/part-2.{ending}, column 'kind', row 1: 'dodo' is not a class"
    )


def test_the_place_of_a_row() -> None:
    origin = Origin("data", several=True)
    assert (origin.row(7), origin.within(7)) == ("data, row 7", "row 7 of data")
    for _ in range(2):
        origin.begin("a", 0)
    assert (origin.cell("x", 7), origin.within(7)) == ("a, column 'x', row 7", "row 7 of a")
    for _ in range(2):
        for file, before in {"a": 0, "b": 3, "c": 4}.items():
            origin.begin(file, before)
    assert [origin.row(number) for number in (1, 3, 4)] == ["a, row 1", "a, row 3", "b, row 1"]
    assert [origin.row(number) for number in (5, 9)] == ["c, row 1", "c, row 5"]
    assert (origin.within(4), origin.label(5)) == ("row 1 of b", "c, label of row 1")


def test_an_example_is_named_by_its_file() -> None:
    table = animals(rows=600)
    cells = ["1.5"] * 600
    cells[299] = "-"
    split(with_column(table, "weight", cells), "data")
    (warning,) = succeeds("describe", "data", "--json").json["warnings"][:1]
    assert "but for 1 of 600 cells, the first '-' in row 49 of data/part-2.csv, so it is" in warning


def test_files_that_are_unlike_the_first() -> None:
    table = animals(rows=600)
    split(table, "data")
    write(table.drop("legs")[:10], Path("data/part-9.csv"))
    assert fails("train", "data", "--target", "kind") == (
        "data/part-9.csv has the columns 'weight', 'wild', 'colour', 'kind'; those of data/part-0.csv are 'weight', "
        "'legs', 'wild', 'colour', 'kind'"
    )
    assert fails("train", "data", "none.csv", "--target", "kind").startswith("no such file: none.csv")
    Path("data/part-9.csv").write_bytes(write(table, Path("x.parquet")).read_bytes())
    assert fails("train", "data", "--target", "kind") == "data/part-9.csv is a Parquet file, not text"
    assert fails("train", "data/part-0.csv", "x.parquet", "--target", "kind") == (
        "x.parquet is of the format parquet; data/part-0.csv of csv"
    )
    assert fails("train", "iris", "x.parquet").startswith("iris is a built-in data set, which is read alone")
    Path("empty").mkdir()
    assert fails("train", "empty", "--target", "kind").startswith("there is no file in empty; names that begin with")


def test_a_file_that_changes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = split(animals(rows=600), "data")
    fit = train.fit

    def changed(*arguments: object) -> object:
        paths[1].write_text(paths[1].read_text() + "\n")
        return fit(*arguments)

    monkeypatch.setattr(train, "fit", changed)
    outcome = run("train", "data", "--target", "kind", "--stream")
    assert outcome.status == 2
    assert outcome.stderr.endswith("softgrad: data/part-1.csv has changed since the first pass over it\n")


def test_outputs_are_none_of_the_files(trained: tuple[Path, Path]) -> None:
    paths = split(animals(rows=600), "data")
    before = [path.read_bytes() for path in paths]
    message = "--model data/part-1.csv and DATA data/part-1.csv are the same file: --model needs another one"
    for data in (["data"], ["data/*.csv"], paths):
        assert fails("train", *data, "--target", "kind", "--model", paths[1]) == message
        assert fails("predict", trained[0], *data, "--output", paths[1]) == message.replace("--model", "--output")
        checkpoint = ("--stream", "--checkpoint", paths[1], "--resume")
        assert fails("train", *data, "--target", "kind", *checkpoint) == message.replace("--model", "--checkpoint")
    assert [path.read_bytes() for path in paths] == before


def test_svmlight_files() -> None:
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((600, 5)), np.arange(600) % 3
    X[:251, 4] = 0.0
    dump_svmlight_file(X, y, "whole.svm", zero_based=False)
    Path("data").mkdir()
    for number, part in enumerate(PARTS):
        dump_svmlight_file(X[part], y[part], f"data/{number}.svm", zero_based=False)
    models = []
    for name, data in {"whole": "whole.svm", "parts": "data", "streamed": "data"}.items():
        options = ("--stream",) if name == "streamed" else ()
        assert succeeds("train", data, *options, "--json", "--model", name).json["features"] == 5
        models.append(Path(name))
    first, second = (succeeds("predict", model, "whole.svm").stdout for model in models[:2])
    assert [line.split(",")[0] for line in first.splitlines()] == [line.split(",")[0] for line in second.splitlines()]
    assert models[1].read_bytes() == models[2].read_bytes()
    assert succeeds("predict", "parts", "data").stdout == second
    assert succeeds("evaluate", "parts", "data", "--json").json["rows"] == 600
    Path("data/1.svm").write_text("0 1:1\n1 2:nan\n")
    assert fails("train", "data") == "data/1.svm, row 2: feature 2 is nan; it must be finite"
    Path("data/1.svm").write_text("0 1:1\n0.5 2:1\n")
    assert fails("train", "data").startswith("data/1.svm, label of row 2: 0.5 is no whole number")
    Path("data/1.svm").write_text("0 1:1\n1 9:1\n")
    assert fails("predict", "parts", "data") == "data/1.svm, row 2: the model knows no feature 9, only 1 to 5"


def test_a_uri() -> None:
    table = animals(rows=600)
    folder = f"/{uuid.uuid4().hex}"
    files = fsspec.filesystem("memory")
    for path in split(table, "data"):
        files.pipe(f"{folder}/{path.name}", path.read_bytes())
    expected = trained_on("data", name="local", options=("--stream",))
    assert trained_on(f"memory:/{folder}", name="uri", options=("--stream",)) == expected
    assert trained_on(Path("data").absolute().as_uri(), name="file", options=()) == trained_on("data", name="memory")
    broken = write(set_cell(animals(rows=600), "weight", 3, None), Path("broken.csv"))
    files.pipe(f"{folder}/part-1.csv", broken.read_bytes())
    assert fails("train", f"memory:/{folder}", "--target", "kind").startswith(
        f"memory:/{folder}/part-1.csv, column 'weight', row 3: the value is missing"
    )
    files.rm(folder, recursive=True)
    assert fails("train", f"memory:/{folder}", "--target", "kind").startswith(f"no such file: memory:/{folder}")


def test_no_message_shows_a_secret() -> None:
    for name in ("s3://key:secret@b/a b.csv?secret=secret", "nothing://key:secret@b/*.csv?secret=secret"):
        for command in (
            ("train", name, "--target", "y"),
            ("describe", "none.csv", name),
            ("describe", name, "none.csv"),
        ):
            message = fails(*command)
            assert "secret" not in message
            assert "none.csv" in message or f"cannot read {name.split(':')[0]}://b/" in message


def test_usage_says_that_there_may_be_several() -> None:
    for command in ("train", "describe", "predict", "evaluate"):
        usage = re.sub(r"\s+", " ", run(command, "--help").stdout)
        assert re.search(r"\[OPTIONS\] .*DATA\}?\.\.\. [A-Z]", usage), usage
