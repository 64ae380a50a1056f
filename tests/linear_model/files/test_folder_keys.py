"""Folders that are called KEY=VALUE are columns of the files in them."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pytest

from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._locations import locations_of
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model.files.tables import assert_same_bits, fitted, of_shards, tables, write


def columns_of(named: object, **options: object) -> dict[str, list[object]]:
    """The cells of all files after each other, by column, with the types of the columns."""
    read = ReadOptions(**options)
    batches = [batch for location in locations_of(named, read) for batch in FileBatches(location, read)]
    table = pa.Table.from_batches(batches)
    return {f"{field.name}: {field.type}": table[field.name].to_pylist() for field in table.schema}


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_keys_are_columns_behind_those_of_the_file(ending: str, tmp_path: Path) -> None:
    for folder, value in [("year=2025/land=nz", 1), ("year=2025/land=a%2Fb", 2), ("year=07/land=-1", 3)]:
        write(pa.table({"a": [value, value]}), tmp_path / "tree" / folder / f"part.{ending}")
    found = columns_of(tmp_path / "tree")
    values, years, lands = [3, 3, 2, 2, 1, 1], [7, 7, 2025, 2025, 2025, 2025], ["-1", "-1", "a/b", "a/b", "nz", "nz"]
    if ending == "csv":
        assert found == {
            "a: string": list(map(str, values)),
            "year: string": ["07", "07", "2025", "2025", "2025", "2025"],
            "land: string": lands,
        }
        return
    assert found == {"a: int64": values, "year: int64": years, "land: string": lands}
    by_pyarrow = pyarrow.dataset.dataset(tmp_path / "tree", partitioning="hive").to_table().sort_by("a")
    assert by_pyarrow.to_pydict() == {"a": values[::-1], "year": years[::-1], "land": lands[::-1]}


def test_which_folders_are_keys(tmp_path: Path) -> None:
    write(pa.table({"a": [1]}), tmp_path / "run=3" / "other" / "x=1" / "part.parquet")
    folder = f"{tmp_path}/run=3"
    everything = {"a: int64": [1], "run: int64": [3], "x: int64": [1]}
    below = {"a: int64": [1], "x: int64": [1]}
    for named, expected in [
        (tmp_path, everything),
        (f"{tmp_path}/run=*", everything),
        (f"{tmp_path}/**/*.parquet", everything),
        (folder, below),
        (f"{folder}/*/x=1/part.parquet", below),
        (f"{folder}/other/x=1/*.parquet", {"a: int64": [1]}),
        ([f"{folder}/other/x=1/part.parquet"], {"a: int64": [1]}),
    ]:
        assert columns_of(named) == expected, named


def test_a_key_without_a_value_is_missing(tmp_path: Path) -> None:
    for value in ("__HIVE_DEFAULT_PARTITION__", "4"):
        write(pa.table({"a": [1.0]}), tmp_path / f"k={value}" / "part.parquet")
    assert columns_of(tmp_path) == {"a: double": [1.0, 1.0], "k: int64": [4, None]}
    with pytest.raises(ValueError, match=r"k=__HIVE_DEFAULT_PARTITION__.part\.parquet, column 'k', row 1 has no value"):
        fitted(tmp_path, "a")
    (tmp_path / "text" / "k=?").mkdir(parents=True)
    (tmp_path / "text" / "k=?" / "part.csv").write_text("a\n1\n")
    assert columns_of(tmp_path / "text", na=["?"]) == {"a: string": ["1"], "k: string": [None]}
    assert columns_of(tmp_path / "text") == {"a: string": ["1"], "k: string": ["?"]}


def test_columns_are_chosen_from_keys_too(tmp_path: Path) -> None:
    write(pa.table({"a": [5, 6], "b": [7, 8]}), tmp_path / "k=1" / "l=x" / "part.parquet")
    write(pa.table({"a": [5, 6], "b": [7, 8]}), tmp_path / "text" / "k=1" / "l=x" / "part.csv")
    assert columns_of(f"{tmp_path}/k*", columns=["l", "b"]) == {"b: int64": [7, 8], "l: string": ["x", "x"]}
    assert columns_of(f"{tmp_path}/k*", columns=["k"]) == {"k: int64": [1, 1]}
    assert columns_of(f"{tmp_path}/text", columns=["k"]) == {"k: string": ["1", "1"]}
    assert columns_of(f"{tmp_path}/k*", drop=["k", "a"]) == {"b: int64": [7, 8], "l: string": ["x", "x"]}
    with pytest.raises(ValueError, match=r"has no column 'm', which the option drop names; .* 'a', 'b', 'k', 'l'"):
        columns_of(f"{tmp_path}/k*", drop=["m"])


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_fit_to_keys(ending: str, tmp_path: Path) -> None:
    parts = tables(4)
    for number, table in enumerate(parts):
        write(table, tmp_path / f"half={number // 2}" / f"third={number % 3}" / f"part.{ending}")
    whole = []
    for number in (0, 1, 3, 2):
        thirds = pa.array([number % 3] * len(parts[number]))
        halves = pa.array([number // 2] * len(parts[number]))
        whole.append(parts[number].append_column("half", halves).append_column("third", thirds))
    model = fitted(tmp_path)
    assert model.feature_names_in_.tolist() == ["a", "b", "half", "third"]
    assert_same_bits(model, of_shards(whole))
    # As the label.
    with_key = [table.drop("y") for table in whole]
    assert_same_bits(fitted(tmp_path, "half", read_options={"drop": ["y"]}), of_shards(with_key, "half"))


def test_what_cannot_be_a_column(tmp_path: Path) -> None:
    (tmp_path / "sparse" / "k=1").mkdir(parents=True)
    (tmp_path / "sparse" / "k=1" / "a.svm").write_text("1 1:1\n")
    with pytest.raises(ValueError, match=r"a\.svm is an svmlight file, which has no column for 'k', for which its fol"):
        fitted(tmp_path / "sparse", None)
    write(tables(1)[0], tmp_path / "both" / "a=1" / "part.parquet")
    with pytest.raises(ValueError, match=r"part\.parquet has a column 'a', for which its folder is named, too"):
        fitted(tmp_path / "both")
    assert fitted(tmp_path / "both", read_options={"drop": ["a"]}).feature_names_in_.tolist() == ["b"]
    for folder in ("k=1", "l=1"):
        write(pa.table({"a": [1.0]}), tmp_path / "unlike" / folder / "part.parquet")
    message = "part.parquet has the columns 'a', 'l'; those of"
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted(tmp_path / "unlike", "a")
    write(pa.table({"a": [1.0, 2.0]}), tmp_path / "words" / "k=x" / "part.parquet")
    with pytest.raises(TypeError, match=r"part\.parquet, column 'k' holds string; features, weights and prob"):
        fitted(tmp_path / "words", "a")
