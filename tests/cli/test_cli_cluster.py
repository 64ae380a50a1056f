"""Commands whose files the workers of a Ray cluster read: the same model, the same predictions, the same messages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import dump_svmlight_file

from softgrad.distributed import _ray
from softgrad.linear_model._data import _row_groups
from tests.cli.conftest import animals, fails, run, set_cell, succeeds, with_column, write
from tests.cli.in_process_engine import rows_read_here
from tests.cli.test_cli_many_files import split, trained_on
from tests.cli.test_cli_probabilities import TARGETS, with_votes

# Of Ray itself, at its start.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

RAY = ("--ray", "local", "--workers", "2")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """One that is there before, and in another folder: the commands use it."""
    with _ray._own_cluster(2):
        yield


def with_gaps() -> pa.Table:
    """A weight for each row, and of the rows of the second file none that is whole."""
    table = animals(rows=600).append_column("importance", pa.array(np.linspace(0.0, 2.0, 600)))
    for row in (3, 251, 420):
        table = set_cell(table, "legs", row, None)
    return set_cell(table, "colour", 500, None)


def with_lists() -> pa.Table:
    table = animals(rows=600)
    pairs = np.column_stack([table["weight"].to_numpy(), table["legs"].to_numpy()])
    cells: list[Any] = pairs.tolist()
    cells[0] = None
    return pa.table({"pair": pa.array(cells, pa.list_(pa.float64())), "colour": table["colour"], "kind": table["kind"]})


def many_texts() -> pa.Table:
    """So many that rows are sparse."""
    words = [f"word {number % 40}" for number in range(600)]
    return with_column(animals(rows=600), "colour", words)


CASES: dict[str, tuple[Callable[[], pa.Table], str, tuple[object, ...]]] = {
    "parquet": (lambda: animals(rows=600), "parquet", ()),
    "csv": (lambda: animals(rows=600), "csv.gz", ("--test-fraction", 0.7, "--seed", 3)),
    "weights": (with_gaps, "csv", ("--missing", "drop", "--sample-weight", "importance", "--class-weight", "balanced")),
    "fills": (with_gaps, "feather", ("--missing", "median", "--label-smoothing", 0.1, "--test-fraction", 0)),
    "lists": (with_lists, "parquet", ("--missing", "mean")),
    "sparse": (many_texts, "parquet", ("-C", 0.1)),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "weights" else pytest.mark.slow) for name in CASES]
)
def test_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A row group of its own is a shard.
    monkeypatch.setattr(_row_groups, "_LEAST_BYTES", 1)
    table, ending, options = CASES[name]
    split(table(), "data", ending)
    alone, told = trained_on("data", name="alone", options=options)
    read_here = rows_read_here(monkeypatch)
    assert trained_on("data", name="far", options=(*options, *RAY)) == (alone, told)
    # To find lists, and for the first check of the gradient.
    assert dict(read_here) == {f"part-0.{ending}": 2 * 250}
    expected = succeeds("predict", "alone", "data")
    succeeds("predict", "alone", "data", "--output-dir", "here")
    far = succeeds("predict", "alone", "data", "--output-dir", "far-away", *RAY)
    assert far.stderr == expected.stderr
    names = sorted(os.listdir("here"))
    assert names == [f"part-{number:05}.csv" for number in range(3)] == sorted(os.listdir("far-away"))
    parts = [(Path("here") / part).read_text() for part in names]
    assert parts == [(Path("far-away") / part).read_text() for part in names]
    assert "".join(part if not number else part.split("\n", 1)[1] for number, part in enumerate(parts)) == (
        expected.stdout
    )
    assert succeeds("evaluate", "alone", "data", *RAY, "--json") == succeeds("evaluate", "alone", "data", "--json")


@pytest.mark.slow
def test_probabilities() -> None:
    P = np.random.default_rng(0).dirichlet(np.ones(3), 600)
    for target, lists in ((TARGETS, False), (("--target", "votes"), True)):
        data = f"lists-{lists}"
        split(with_votes(P, lists=lists), data, "parquet")
        succeeds("train", data, *target, "--model", "alone")
        succeeds("train", data, *target, "--model", "far", *RAY)
        assert Path("alone").read_bytes() == Path("far").read_bytes()
        assert succeeds("evaluate", "far", data, *RAY, "--json") == succeeds("evaluate", "far", data, "--json")


@pytest.mark.slow
def test_svmlight() -> None:
    table = animals(rows=600)
    X = np.column_stack([table["weight"].to_numpy(), table["legs"].to_numpy(), np.arange(600) % 7 == 0]) * 1.0
    y = np.unique(table["kind"].to_numpy(), return_inverse=True)[1]
    Path("data").mkdir()
    # The last feature is in the first file alone.
    X[250:, 2] = 0.0
    for number, rows in enumerate((slice(0, 250), slice(250, 600))):
        dump_svmlight_file(X[rows], y[rows], f"data/{number}.svm", zero_based=False)
    succeeds("train", "data", "--model", "alone")
    succeeds("train", "data", "--model", "far", *RAY)
    assert Path("alone").read_bytes() == Path("far").read_bytes()
    whole = succeeds("predict", "far", "data").stdout.splitlines()
    succeeds("predict", "far", "data", "--output-dir", "parts", *RAY)
    parts = [Path(f"parts/part-0000{number}.csv").read_text().splitlines() for number in range(2)]
    assert [whole[0], *parts[0][1:], *parts[1][1:]] == [*parts[0], *parts[1][1:]] == whole
    assert succeeds("evaluate", "far", "data", *RAY).stdout == succeeds("evaluate", "far", "data").stdout


@pytest.mark.slow
def test_a_training_goes_on_with_other_workers_or_none() -> None:
    split(animals(rows=600), "data", "parquet")
    arguments = ("train", "data", "--target", "kind", "--checkpoint", "state", "--model")
    expected, _ = trained_on("data", name="expected")
    stopped = run(*arguments, "stopped", "--max-iter", 3, *RAY)
    assert "warning: not converged" in stopped.stdout
    state = Path("state").read_bytes()
    for name, options in {"one": ("--ray", "local", "--workers", "1"), "none": ("--stream",)}.items():
        Path("state").write_bytes(state)
        succeeds(*arguments, name, "--resume", *options)
        # But for the record of the iterations.
        assert Path(name).read_bytes()[-200:] == expected[-200:]
    assert Path("one").read_bytes() == Path("none").read_bytes()


def test_what_a_worker_finds_is_told_as_here() -> None:
    table = animals(rows=600)
    split(table, "data", "csv")
    succeeds("train", "data", "--target", "kind", "--model", "model")
    split(set_cell(with_column(table, "legs", [*map(str, table["legs"].to_pylist())]), "legs", 300, "many"), "bad")
    split(set_cell(table, "colour", 590, "pink"), "new")
    said = "bad/part-2.csv, column 'legs', row 49: 'many' is not a number; --na many if it says that a value is missing"
    assert fails("predict", "model", "bad", "--output-dir", "out", *RAY) == said == fails("predict", "model", "bad")
    unseen = ("evaluate", "model", "new", "--unseen", "error")
    assert fails(*unseen, *RAY) == fails(*unseen)
    assert not [name for name in os.listdir() if name not in ("data", "bad", "new", "model")]
    told = run("predict", "model", "new", "--output-dir", "out", *RAY).stderr
    assert told == run("predict", "model", "new").stderr
    assert "1 cell ('pink')" in told


def test_where_predictions_are_written() -> None:
    table = animals()
    write(table, Path("data.csv"))
    succeeds("train", "data.csv", "--target", "kind", "--model", "model")
    predict = ("predict", "model", "data.csv", "--output-dir")
    Path("empty").mkdir()
    succeeds(*predict, "empty")
    assert os.listdir("empty") == ["part-00000.csv"]
    assert fails(*predict, "empty") == "cannot write to empty: it has something in it"
    assert fails(*predict, "model") == "cannot write to model: it is there already and is no folder"
    assert fails(*predict, "no/where").startswith("cannot write no/where: the folder ")
    assert fails(*predict, "out", "-o", "out.csv") == "--output out.csv and --output-dir out: which of the two?"
    write(set_cell(table, "weight", 250, np.inf), Path("data.csv"))
    assert "row 250" in fails(*predict, "out")
    assert sorted(os.listdir()) == ["data.csv", "empty", "model"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("digits", "--ray", "local"), "--ray local: its workers read files; digits is none"),
        (("data.csv", "--workers", "2"), "--workers 2: of which cluster? Say --ray"),
        (("data.csv", "--ray", "local", "--workers", "0"), "--workers is 0; it must be at least 1"),
        (
            ("data.csv", "--ray", "local", "--select-C"),
            "--select-C: the folds need all rows in memory, which --ray avoids",
        ),
        (
            ("data.csv", "--ray", "local", "--report", "r.html"),
            "--report r.html: the report needs all rows in memory, which --ray avoids",
        ),
        (
            ("data.csv", "--ray", "local", "--cache"),
            "--cache keeps on disk what this process reads; with --ray others read the files",
        ),
        (
            ("-", "--format", "csv", "--ray", "local"),
            "--ray local: - can be read once only, and by this process",
        ),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], said: str) -> None:
    write(animals(), Path("data.csv"))
    assert fails("train", *arguments, "--target", "kind") == said


def test_predictions_of_a_cluster_go_to_a_folder() -> None:
    write(animals(), Path("data.csv"))
    succeeds("train", "data.csv", "--target", "kind", "--model", "model")
    said = "--ray local: its workers write a file each time; --output-dir says where"
    assert fails("predict", "model", "data.csv", "-o", "out.csv", "--ray", "local") == said
