"""`softgrad describe`: what each column is taken as, as train takes it, without a training."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.cli.conftest import animals, fails, set_cell, succeeds, write

DAY = datetime.date(2024, 5, 17)


def test_a_table_of_the_columns(in_folder: Path) -> None:
    table = set_cell(set_cell(set_cell(animals(), "weight", 1, 1e6), "weight", 2, None), "colour", 3, None)
    data = write(table, in_folder / "animals.csv")
    outcome = succeeds("describe", data.name)
    lines = outcome.stdout.splitlines()
    assert lines[0] == "animals.csv: 300 rows, 5 columns"
    assert lines[1].split() == ["column", "holds", "values", "missing", "example"]
    # Cells of a column begin below each other.
    assert all(line[: lines[1].index("holds")].endswith("  ") for line in lines[2:])
    found = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[2:]}
    low = np.nanmin(table.column("weight").to_numpy())
    assert found["weight"] == f"number {low:.4g} to 1e+06 1 1e+06"
    assert found["legs"] == f"integer 0 to 8 {table.column('legs')[0]}"
    assert found["wild"].startswith("truth value 0 to 1 ")
    assert found["colour"].startswith("text 3 different 1 ")
    assert found["kind"].startswith("text 3 different ")
    assert outcome.stderr == ""
    assert [path.name for path in in_folder.iterdir()] == ["animals.csv"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_columns_are_those_of_a_training(ending: str) -> None:
    data = write(set_cell(animals(), "colour", 7, None), Path(f"animals.{ending}"))
    described = succeeds("describe", data, "--json").json
    trained = succeeds("train", data, "--target", "kind", "--missing", "mean", "--json").json
    assert described["columns"][:-1] == trained["columns"]
    assert (described["rows"], described["columns"][-1]["name"]) == (300, "kind")
    chosen = succeeds("describe", data, "--columns", "legs,kind", "--text", "legs", "--json").json["columns"]
    assert [(column["name"], column["kind"]) for column in chosen] == [("legs", "text"), ("kind", "text")]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_columns_that_train_refuses(ending: str) -> None:
    """Their missing cells are counted as those of the others are."""
    table = pa.table(
        {
            "day": pa.array([None, DAY, None, DAY]),
            "nothing": pa.nulls(4, pa.float64() if ending == "csv" else pa.null()),
            "x": [1.5, None, 2.5, 3.5],
        }
    )
    found = succeeds("describe", write(table, Path(f"data.{ending}")), "--json").json["columns"]
    assert [tuple(column.values()) for column in found] == [
        ("day", "date", "", 2, "2024-05-17"),
        ("nothing", "nothing", "", 4, ""),
        ("x", "number", "1.5 to 3.5", 1, "1.5"),
    ]


def test_a_column_that_is_neither_number_nor_text() -> None:
    found = succeeds("describe", write(pa.table({"odd": [None, ["u", "v"]]}), Path("data.parquet")), "--json").json
    assert [tuple(column.values()) for column in found["columns"]] == [("odd", "other", "", 1, "['u', 'v']")]


def test_a_wide_table_is_shown_in_part() -> None:
    name = "a rather long name of a column, and more"
    table = pa.table({f"{name} {number:02}": ["text " * 20, "b"] for number in range(50)})
    outcome = succeeds("describe", write(table, Path("wide.parquet")))
    lines = outcome.stdout.splitlines()
    assert len([line for line in lines if line.startswith("a rather long name of a col...")]) == 40
    assert "... and 10 columns more" in lines
    assert max(len(line) for line in lines if line.startswith("a rather")) < 100
    assert len(succeeds("describe", "wide.parquet", "--json").json["columns"]) == 50


def test_errors() -> None:
    write(animals(), Path("animals.csv"))
    said = "--number tail: animals.csv has no such column; its columns are weight, legs, wild, colour, kind"
    assert fails("describe", "animals.csv", "--number", "tail") == said
    Path("rows.svm").write_text("1 1:1\n")
    assert fails("describe", "rows.svm") == "rows.svm is an svmlight file, which has no columns"
