"""Files that are named by a folder, a pattern or one by one: each is a shard, and the errors name it."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import dump_svmlight_file

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._locations import locations_of
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model import bounds
from tests.linear_model.files.tables import assert_same_bits, fitted, of_shards, tables, write


def names_of(named: object, **options: object) -> list[str]:
    return [location.name for location in locations_of(named, ReadOptions(**options))]


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "feather", "arrow"])
def test_the_bits_are_those_of_the_shards(ending: str, tmp_path: Path) -> None:
    parts = tables(3)
    paths = [
        write(table, tmp_path / "folder" / name / f"part.{ending}") for table, name in zip(parts, "abc", strict=True)
    ]
    expected = of_shards(parts)
    for source in (tmp_path / "folder", f"{tmp_path}/folder/*/part.{ending}", paths, tuple(map(str, paths))):
        assert_same_bits(fitted(source), expected)
    # The order of the shards is that of the names.
    other = fitted(paths[::-1])
    distance = bounds.of_coefficients(expected, sum(map(len, parts)))
    np.testing.assert_allclose(other.coef_, expected.coef_, rtol=0, atol=distance)
    assert_same_bits(other, of_shards(parts[::-1]))


def test_svmlight_files_have_the_indices_of_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    X, y = rng.standard_normal((90, 6)), np.arange(90) % 3
    X[np.arange(90) % 3, np.arange(90) % 6] += 1.0
    # The last feature is in the last file alone.
    X[:60, 5] = 0.0
    paths = []
    for number, part in enumerate(np.split(np.arange(90), 3)):
        paths.append(tmp_path / f"{number}.svm")
        dump_svmlight_file(X[part], y[part], str(paths[-1]), zero_based=False)
    model = fitted(tmp_path, None)
    assert model.coef_.shape == (3, 6)
    expected = SoftmaxRegression(tol=1e-9, C=0.5).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=bounds.of_coefficients(expected, len(y)))
    with pytest.raises(ValueError, match=r"0\.svm has its labels at the start of each line"):
        fitted(paths, "y")


def test_which_files_a_name_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    everything = ["a.csv", "b.csv", "f[1].csv", "x/c.csv", "x/y/d.csv.gz"]
    for name in (*everything[::-1], ".hidden.csv", "_SUCCESS", "x/_temporary/e.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a,y\n1,2\n")
    (tmp_path / "empty").mkdir()
    assert names_of(".") == [f"./{name}" for name in everything]
    assert names_of(tmp_path) == [f"{tmp_path}/{name}" for name in everything]
    assert names_of("**") == everything
    assert names_of("**/*.csv") == everything[:4]
    assert names_of("*.csv") == everything[:3]
    assert names_of(Path("?.csv")) == ["a.csv", "b.csv"]
    assert names_of("[bc].csv") == ["b.csv"]
    assert names_of("x*") == ["x/c.csv", "x/y/d.csv.gz"]
    assert names_of("x/*/*") == ["x/y/d.csv.gz"]
    # What is there by this name is no pattern.
    assert names_of("f[1].csv") == ["f[1].csv"]
    assert names_of(".h*") == [".hidden.csv"]
    assert names_of("_SUCCESS", format="csv") == ["_SUCCESS"]
    assert names_of(["x", "b.csv", "[a].csv"]) == ["x/c.csv", "x/y/d.csv.gz", "b.csv", "a.csv"]
    assert names_of(f"file://{tmp_path}/x/*.csv") == [f"{tmp_path}/x/c.csv"]
    assert names_of((tmp_path / "b.csv").as_uri()) == [f"{tmp_path}/b.csv"]
    for name, message in [
        ("empty", "there is no file in empty; names that begin with . or _ are left out"),
        ("*.parquet", "no file matches *.parquet; names that"),
        ("none.csv", "no such file: none.csv"),
        ("none/*.csv", "none"),
    ]:
        with pytest.raises(FileNotFoundError, match=re.escape(message)):
            names_of(name)
    with pytest.raises(ValueError, match=re.escape("./b.csv is named twice")):
        names_of(["*.csv", "./b.csv"])
    with pytest.raises(ValueError, match=r"^- can be read once only, so that it cannot be one of several files"):
        names_of(["b.csv", "-"], format="csv")


def test_files_of_unknown_formats_in_a_folder_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (table,) = tables(1)
    write(table, Path("data/a.csv"))
    Path("data/README.md").write_text("")
    Path("data/checksums").write_text("")
    with pytest.raises(ValueError, match=r"data has files of an unknown format: data/README\.md, data/checksums;"):
        fitted("data")
    assert_same_bits(fitted("data/*.csv"), of_shards([table]))
    with pytest.raises(ValueError, match=r"data/README\.md is empty"):
        fitted("data", read_options={"format": "csv"})


@pytest.mark.parametrize(("change", "message"), [
    (lambda table: table.rename_columns(["a", "c", "y"]), "two.parquet has the columns 'a', 'c', 'y'; those of"),
    (lambda table: table.select(["b", "a", "y"]), "two.parquet has the columns 'b', 'a', 'y'; those of one.parquet"),
    (lambda table: table.drop_columns("b"), "columns 'a', 'y'; those of one.parquet are 'a', 'b', 'y'"),
    (lambda table: table.cast(table.schema.set(1, pa.field("b", pa.float32()))), "two.parquet holds float; that of"),
    (lambda table: table.set_column(1, "b", pa.nulls(len(table))), "column 'b' of two.parquet holds null; that of one"),
])  # fmt: skip
def test_other_columns_than_the_first(change, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = tables(2)
    paths = [write(first, Path("one.parquet")), write(change(second), Path("two.parquet"))]
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted(paths)


def test_columns_that_are_not_read_may_differ(tmp_path: Path) -> None:
    first, second = tables(2)
    other = second.append_column("more", pa.nulls(len(second)))
    paths = [write(first, tmp_path / "one.parquet"), write(other, tmp_path / "two.parquet")]
    with pytest.raises(ValueError, match=r"two\.parquet has the columns 'a', 'b', 'y', 'more'"):
        fitted(paths)
    assert_same_bits(fitted(paths, read_options={"columns": ["a", "b"]}), of_shards([first, second]))


def test_words_that_are_encoded_otherwise_are_of_one_type(tmp_path: Path) -> None:
    first, second = tables(2)
    encoded = second.set_column(2, "y", second["y"].dictionary_encode())
    paths = [write(first, tmp_path / "one.parquet"), write(encoded, tmp_path / "two.parquet")]
    assert_same_bits(fitted(paths), of_shards([first, second]))


def test_text_files_have_the_names_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("a,y\n1,2\n")
    Path("two.csv").write_text("a,z\n1,2\n")
    with pytest.raises(ValueError, match=r"two\.csv has the columns 'a', 'z'; those of one\.csv are 'a', 'y'"):
        fitted(["one.csv", "two.csv"])
    Path("two.tsv").write_text("a\ty\n1\t2\n")
    with pytest.raises(ValueError, match=r"two\.tsv is of the format tsv; one\.csv of csv"):
        fitted(["one.csv", "two.tsv"])


@pytest.mark.parametrize(("cell", "message"), [
    ("", "two.csv, column 'a', row 41 has no value"),
    ("x", "two.csv, column 'a', row 41 is 'x'; it must be a number"),
    ("inf", "two.csv, column 'a', row 41 is inf; it must be finite"),
])  # fmt: skip
def test_a_cell_is_named_with_its_file_and_its_row_there(
    cell: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["a,y", *(f"{row},{row % 2}" for row in range(60))]
    Path("one.csv").write_text("\n".join(lines))
    lines[41] = f"{cell},0"
    Path("two.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted(["one.csv", "two.csv"])


def test_a_file_that_changes_is_named(tmp_path: Path) -> None:
    """Between two passes, and before whoever opens it later or again."""
    paths = [write(table, tmp_path / f"{number}.parquet") for number, table in enumerate(tables(3))]
    shards = file_shards(paths, "y", None, ReadOptions())
    opened = [shard.open() for shard in pickle.loads(pickle.dumps(shards))]
    assert [sum(len(batch.codes) for batch in shard) for shard in opened] == [60, 60, 60]
    content, status = paths[1].read_bytes(), paths[1].stat()
    os.utime(paths[1], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    list(opened[0])
    for read in (opened[1].__iter__().__next__, shards[1].open, pickle.loads(pickle.dumps(shards))[1].open):
        with pytest.raises(ValueError, match=r"1\.parquet has changed since the first pass"):
            read()
    os.utime(paths[1], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert paths[1].read_bytes() == content
    list(shards[1].open())
    paths[1].unlink()
    for read in (opened[1].__iter__().__next__, shards[1].open):
        with pytest.raises(FileNotFoundError, match=r"no such file: .*1\.parquet"):
            read()


def test_the_checkpoint_is_none_of_the_files(tmp_path: Path) -> None:
    paths = [write(table, tmp_path / "data" / f"{number}.csv") for number, table in enumerate(tables(2))]
    content = paths[1].read_bytes()
    for source in (paths, tmp_path / "data", f"{tmp_path}/data/*"):
        with pytest.raises(ValueError, match=r"1\.csv and the source .*1\.csv are the same file"):
            fitted(source, checkpoint=paths[1], resume=True)
    assert paths[1].read_bytes() == content


def test_a_list_of_batches_is_no_list_of_files() -> None:
    parts = tables(2)
    assert_same_bits(fitted(parts), of_shards([pa.concat_tables(parts)]))
    with pytest.raises(TypeError, match="batch 1 of the source is str"):
        fitted([parts[0], "data.csv"])
    with pytest.raises(ValueError, match="the source has no rows"):
        fitted([])
