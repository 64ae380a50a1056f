"""What the workers of a cluster learn of their shards comes to what one pass over all of them finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import dump_svmlight_file

from softgrad.cli.data import Data
from softgrad.cli.learning import MOST_CATEGORIES, Texts
from softgrad.cli.roles import Roles
from softgrad.cli.shard_learning import Counts
from softgrad.cli.sources import open_source
from softgrad.cli.table_learning import TableLearning
from softgrad.cli.tables import Table
from softgrad.linear_model._data import _row_groups
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_options import ReadOptions
from tests.cli.conftest import animals, fails, for_training, set_cell, succeeds, with_column, write
from tests.cli.in_process_engine import InProcessEngine, rows_read_here, use_in_process_engines
from tests.cli.test_cli_cluster import CASES
from tests.cli.test_cli_many_files import PARTS, split, trained_on

ROWS = 600
FAR = ("--ray", "local", "--workers", "2")


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    use_in_process_engines(monkeypatch)
    # A row group of its own is a shard.
    monkeypatch.setattr(_row_groups, "_LEAST_BYTES", 1)


def appended(name: str, cells: Any) -> pa.Table:
    return animals(rows=ROWS).append_column(name, pa.array(cells))


def numbered(name: str) -> pa.Table:
    """With numbers of the rows in front."""
    return animals(rows=ROWS).add_column(0, name, pa.array(np.arange(ROWS) + 3))


def restarting() -> pa.Table:
    """Likewise, in each file from the same number on."""
    numbers = np.concatenate([np.arange(part.stop - part.start) for part in PARTS])
    return animals(rows=ROWS).add_column(0, "", pa.array(numbers))


def odd(cells: dict[int, str], others: str = "12") -> pa.Table:
    """A column of text cells, of which those of some rows are others."""
    return appended("odd", [cells.get(row, others) for row in range(1, ROWS + 1)])


def told_apart() -> pa.Table:
    """By a number and by a text, which each class has."""
    table = animals(rows=ROWS)
    kinds = np.unique(table["kind"].to_numpy(), return_inverse=True)[1]
    table = table.append_column("telling", pa.array(10.0 * kinds + np.arange(ROWS) % 7))
    return table.append_column("saying", pa.array([f"{kind} {row % 3}" for row, kind in enumerate(kinds.tolist())]))


def lacking() -> pa.Table:
    """No row of the second file is whole, nor any of the beginning of the third."""
    table = animals(rows=ROWS)
    weights: list[float | None] = table["weight"].to_pylist()
    weights[240:300] = [None] * 60
    return with_column(table, "weight", weights)


def zeros_first() -> pa.Table:
    return with_column(animals(rows=ROWS), "weight", np.where(np.arange(ROWS) < 400, 0.0, 1e-200 * np.arange(ROWS)))


# What a training is told of: by each what can be odd.
ODD: dict[str, tuple[Callable[[], pa.Table], str, tuple[object, ...]]] = {
    **CASES,
    "numbers of rows": (lambda: numbered(""), "csv", ()),
    "named numbers of rows": (lambda: numbered("row"), "csv", ()),
    "numbers of rows, typed": (lambda: numbered("row"), "parquet", ()),
    "numbers of rows without a name, typed": (lambda: numbered(""), "parquet", ()),
    "restarting numbers of rows": (restarting, "csv", ()),
    "identifiers": (lambda: appended("id", np.random.default_rng(3).permutation(ROWS)), "parquet", ()),
    "an identifier twice": (lambda: appended("id", [*range(ROWS - 1), 5]), "parquet", ()),
    "leading zeros": (lambda: odd({420: "007"}), "csv", ()),
    "leading zeros behind a text": (lambda: odd({9: "x", 420: "007"}), "csv", ()),
    "a text among numbers": (lambda: odd({300: "?", 310: "x"}), "csv", ()),
    "units": (lambda: odd({251: "13 kg"}, "12 kg"), "csv", ()),
    "dates": (lambda: odd({251: "never"}, "2020-02-03"), "csv", ()),
    "empty cells": (lambda: odd(dict.fromkeys(range(1, 252), "")), "csv", ("--missing", "mean")),
    "texts": (lambda: appended("name", [f"name {row}" for row in range(ROWS)]), "feather", ()),
    "a constant": (lambda: appended("one", [1.5] * ROWS), "parquet", ()),
    "tells the class": (told_apart, "csv", ()),
    "labels with leading zeros": (lambda: with_column(animals(rows=ROWS), "kind", [f"0{r % 3}" for r in range(ROWS)]),
                                  "csv", ()),
    "labels of truth": (lambda: with_column(animals(rows=ROWS), "kind", np.arange(ROWS) % 3 == 0), "parquet", ()),
    "rows left out": (lacking, "csv", ("--missing", "drop")),
    "the most frequent": (lacking, "parquet", ("--missing", "most-frequent", "--test-fraction", 0)),
    "zeros first": (zeros_first, "parquet", ()),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_all_that_is_told(name: str) -> None:
    table, ending, options = ODD[name]
    split(table(), "data", ending)
    alone = trained_on("data", name="alone", options=options)
    assert trained_on("data", name="streamed", options=(*options, "--stream")) == alone
    assert trained_on("data", name="far", options=(*options, *FAR)) == alone


@pytest.mark.parametrize("options", [(), ("--stream",), FAR])
def test_numbers_of_the_rows_of_all_files(options: tuple[str, ...]) -> None:
    for table, folder, left_out in ((numbered(""), "all", True), (restarting(), "each", False)):
        split(table, folder)
        _, told = trained_on(folder, name="model", options=options)
        assert any("counts the rows: it is left out" in note for note in told["notes"]) == left_out


def wrong_lists() -> pa.Table:
    cells: list[Any] = [[1.0, 2.0]] * ROWS
    cells[420] = [1.0]
    return appended("pair", pa.array(cells, pa.list_(pa.float64())))


def wrong(cells: dict[tuple[str, int], object]) -> pa.Table:
    table = animals(rows=ROWS)
    for (name, row), cell in cells.items():
        table = set_cell(table, name, row, cell)
    return table


def weighted(*kinds: str) -> pa.Table:
    """A weight of 1 for the rows of some kinds, 0 for others."""
    table = animals(rows=ROWS)
    return table.append_column("importance", pa.array([float(kind in kinds) for kind in table["kind"].to_pylist()]))


def too_large() -> pa.Table:
    """In a row for the test."""
    table = animals(rows=ROWS)
    weights = table["weight"].to_numpy() * 1e-9
    row = 350 + int(for_training(table["kind"].to_pylist(), 0.5, 4)[350:].argmin())
    weights[row] = 1e308
    return with_column(table, "weight", weights)


WEIGHTED = ("--sample-weight", "importance")
# What is wrong, the file that says so, and what it says.
WRONG: dict[str, tuple[Callable[[], pa.Table], str, tuple[object, ...], str]] = {
    "in two files": (lambda: wrong({("weight", 300): None, ("legs", 100): None}), "parquet", (),
                     "data/part-0.parquet, column 'legs', row 100: the value is missing"),
    "a label behind a value": (lambda: wrong({("kind", 251): None, ("legs", 100): None}), "parquet", (),
                               "data/part-0.parquet, column 'legs', row 100: the value is missing"),
    "a value behind a label": (lambda: wrong({("kind", 100): None, ("legs", 251): None}), "parquet", (),
                               "data/part-0.parquet, column 'kind', row 100: the value is missing"),
    "a label and a value in one file": (lambda: wrong({("kind", 300): None, ("legs", 290): np.nan}), "csv", (),
                                        "data/part-2.csv, column 'legs', row 39: the value is missing"),
    "a label where rows are left out": (lambda: wrong({("kind", 300): None, ("weight", 280): np.inf}), "csv",
                                        ("--missing", "drop"), "data/part-2.csv, column 'weight', row 29: 'inf' is"),
    "dates": (lambda: odd(dict.fromkeys(range(1, 252), ""), "2020-02-03"), "csv", ("--missing", "drop"),
              "data: column 'odd' holds dates, the first '2020-02-03' in row 1 of data/part-2.csv"),
    "a list": (wrong_lists, "parquet", (), "data/part-2.parquet, column 'pair', row 170: a list of 1, that of row 1 of "
               "data/part-0.parquet is one of 2"),
    "a fraction": (lambda: with_column(animals(rows=ROWS), "kind", [1.0] * 280 + [0.5] * 320), "parquet", (),
                   "data/part-2.parquet, column 'kind', row 30: 0.5 is not whole"),
    "too large": (too_large, "parquet", ("--test-fraction", 0.5, "--seed", 4),
                  "data/part-2.parquet, column 'weight', row 101: too large to standardise"),
    "a negative weight": (lambda: set_cell(weighted("cat", "yak"), "importance", 301, -1.0), "csv", WEIGHTED,
                          "data/part-2.csv, column 'importance', row 50: the weight -1 is negative"),
    "weights of one class": (lambda: weighted("cat"), "csv", WEIGHTED,
                             "data: of the rows for the training column 'importance' gives those of class 'cat'"),
    "a single class": (lambda: with_column(animals(rows=ROWS), "kind", ["cat"] * ROWS), "parquet", (),
                       "data: target 'kind' has a single class, 'cat'"),
    "no row": (lambda: with_column(animals(rows=ROWS), "weight", pa.nulls(ROWS, pa.float64())), "parquet",
               ("--missing", "drop"), "data has no row without a missing value"),
    "no value": (lambda: with_column(animals(rows=ROWS), "weight", pa.nulls(ROWS, pa.float64())), "parquet",
                 ("--missing", "mean"), "data: column 'weight' has no value in the rows for the training"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_the_first_error_is_told(name: str) -> None:
    table, ending, options, said = WRONG[name]
    split(table(), "data", ending)
    arguments = ("train", "data", "--target", "kind", *options)
    expected = fails(*arguments)
    assert expected.startswith(said)
    assert fails(*arguments, *FAR) == expected


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_of_a_model_that_is_applied_likewise(command: str) -> None:
    split(animals(rows=ROWS), "data", "parquet")
    succeeds("train", "data", "--target", "kind", "--model", "model")
    split(wrong({("weight", 300): None, ("legs", 100): None}), "new", "parquet")
    expected = fails(command, "model", "new")
    assert expected.startswith("new/part-0.parquet, column 'legs', row 100: the value is missing")
    options = ("--output-dir", "out") if command == "predict" else ()
    assert fails(command, "model", "new", *options, *FAR) == expected


def in_files_of_400(table: pa.Table) -> str:
    Path("data").mkdir()
    for number, start in enumerate(range(0, table.num_rows, 400)):
        write(table[start : start + 400], Path(f"data/{number}.parquet"))
    return "data"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (700, "data/1.parquet, column 'weight', row 300: the value is missing"),
        (1190, "data/2.parquet, column 'weight', row 390: the value is missing"),
        (1250, "data: target 'kind' has more than 1000 different values; "),
    ],
)
def test_too_many_classes(row: int, said: str) -> None:
    """No file alone has too many; a value that is missing before, or in rows that are read with the first of them."""
    table = set_cell(with_column(animals(rows=1600), "kind", np.arange(1600)), "weight", row, None)
    arguments = ("train", in_files_of_400(table), "--target", "kind")
    expected = fails(*arguments)
    assert expected.startswith(said)
    assert fails(*arguments, *FAR) == expected


def test_too_many_texts() -> None:
    """Of a file that has too many no more is kept than shows it."""
    texts = with_column(animals(rows=1400), "colour", [f"word {row}" for row in range(1400)])
    table = Table(open_source(Data([str(write(texts, Path("one.parquet")))]), ReadOptions(), "file"), ReadOptions(), {})
    roles = Roles(["colour"], "kind", "text", None, "error")
    colours = TableLearning(roles, {"colour": "text"}, 0.2, 0).learn(table, 0, Counts(0, {})).columns["colour"]
    assert isinstance(colours, Texts)
    assert (colours.rows, colours.different, colours.trained.total()) == (1400, MOST_CATEGORIES + 1, 0)
    arguments = ("train", in_files_of_400(texts), "--target", "kind")
    expected = fails(*arguments)
    assert expected.startswith("data: column 'colour' holds more than 1000 different texts, ")
    assert fails(*arguments, *FAR) == expected


def write_svmlight(rows: tuple[slice, ...] = PARTS) -> None:
    table = animals(rows=ROWS)
    X = np.column_stack([table["weight"].to_numpy(), table["legs"].to_numpy(), np.arange(ROWS) % 7 == 0]) * 1.0
    y = np.unique(table["kind"].to_numpy(), return_inverse=True)[1]
    # The last feature is in the last file alone.
    X[:300, 2] = 0.0
    Path("data").mkdir()
    for number, part in enumerate(rows):
        dump_svmlight_file(X[part], y[part], f"data/{number}.svm", zero_based=False)


def test_svmlight() -> None:
    write_svmlight()
    succeeds("train", "data", "--model", "alone")
    succeeds("train", "data", "--model", "far", *FAR)
    assert Path("alone").read_bytes() == Path("far").read_bytes()
    for command in ("predict", "evaluate"):
        assert succeeds(command, "far", "data").stdout == succeeds(command, "alone", "data").stdout


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({1: "1.5 1:2"}, "data/1.svm, label of row 1: 1.5 is no whole number"),
        ({1: "1 1:inf", 2: "1.5 1:2"}, "data/1.svm, row 1: feature 1 is inf; it must be finite"),
        ({2: "1"}, "data/2.svm has no rows with a feature"),
    ],
)
def test_what_is_wrong_in_svmlight_files(lines: dict[int, str], said: str) -> None:
    write_svmlight()
    for number, line in lines.items():
        Path(f"data/{number}.svm").write_text(line + "\n")
    for options in ((), ("--stream",), FAR):
        assert fails("train", "data", *options).startswith(said)


@pytest.mark.parametrize("name", ["weights", "fills", "lists", "sparse", "numbers of rows", "leading zeros"])
def test_this_process_reads_the_beginning_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To find lists, and for the first check of the gradient."""
    table, ending, options = ODD[name]
    split(table(), "data", ending)
    read_here = rows_read_here(monkeypatch)
    succeeds("train", "data", "--target", "kind", *options, *FAR)
    assert dict(read_here) == {f"part-0.{ending}": 2 * 250}
    succeeds("train", "data", "--target", "kind", *options, "--stream")
    assert read_here.keys() == {f"part-{number}.{ending}" for number in range(3)}


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_of_svmlight_files_likewise(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_svmlight()
    succeeds("train", "data", "--model", "model")
    read_here = rows_read_here(monkeypatch)
    succeeds(command, *(["model"] if command == "evaluate" else []), "data", *FAR)
    assert dict(read_here) == ({"0.svm": 250} if command == "train" else {})


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_the_target_alone_is_read_to_count(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless other columns say which rows are left out."""
    read: Counter[tuple[str, ...]] = Counter()
    of_columns = FileBatches.__iter__

    def noted(self: FileBatches) -> Iterator[Any]:
        if InProcessEngine.working:
            read[tuple(self.names)] += 1
        return of_columns(self)

    monkeypatch.setattr(FileBatches, "__iter__", noted)
    table = animals(rows=ROWS)
    split(table, "data", "parquet")
    succeeds("train", "data", "--target", "kind", "--missing", missing, *FAR)
    assert read.pop(tuple(table.column_names)) > 6
    assert read == ({("kind",): 3} if missing == "error" else {})
