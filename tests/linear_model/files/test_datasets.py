"""A `pyarrow.dataset.Dataset` is read file by file; what is not all of its files is refused."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet
import pytest

from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model.files.tables import assert_same_bits, fitted, of_shards, tables, write


def tree(folder: Path, ending: str = "parquet") -> list[pa.Table]:
    """Files in folders that are keys, and what they hold with these."""
    made = []
    for number, table in enumerate(tables(3)):
        write(table, folder / f"k={number // 2}" / f"{number}.{ending}")
        made.append(table.append_column("k", pa.array([number // 2] * len(table))))
    return made


@pytest.mark.parametrize("ending", ["parquet", "feather", "arrow"])
def test_the_bits_are_those_of_the_files(ending: str, tmp_path: Path) -> None:
    expected = of_shards(tree(tmp_path, ending))
    dataset = ds.dataset(tmp_path, format="ipc" if ending == "arrow" else ending, partitioning="hive")
    assert_same_bits(fitted(dataset), expected)
    assert_same_bits(fitted(tmp_path), expected)
    shards = pickle.loads(pickle.dumps(file_shards(dataset, "y", None, ReadOptions())))
    assert [sum(len(batch.codes) for batch in shard.open()) for shard in shards] == [60, 60, 60]


def test_keys_have_the_types_of_the_schema(tmp_path: Path) -> None:
    tables_ = tree(tmp_path)
    for kind in (pa.float64(), pa.dictionary(pa.int32(), pa.int16())):
        by_schema = ds.partitioning(pa.schema([("k", kind)]), flavor="hive", dictionaries={"k": pa.array([0, 1], "i2")})
        assert_same_bits(fitted(ds.dataset(tmp_path, partitioning=by_schema)), of_shards(tables_))
    words = ds.partitioning(pa.schema([("k", pa.string())]), flavor="hive")
    with pytest.raises(TypeError, match=r"column 'k' holds string"):
        fitted(ds.dataset(tmp_path, partitioning=words))
    assert_same_bits(
        fitted(ds.dataset(tmp_path, partitioning=words), read_options={"drop": ["k"]}),
        of_shards([table.drop("k") for table in tables_]),
    )
    # Those of folders that have a value alone.
    moved = tmp_path / "moved"
    for number in (0, 1):
        write(tables(1)[0], moved / str(number) / "a.parquet")
    dataset = ds.dataset(moved, partitioning=ds.partitioning(pa.schema([("half", pa.int8())])))
    assert fitted(dataset).feature_names_in_.tolist() == ["a", "b", "half"]


def test_columns_are_those_of_the_schema(tmp_path: Path) -> None:
    made = tree(tmp_path)
    chosen = pa.schema([("a", pa.float64()), ("y", pa.string())])
    without = [table.drop(["b", "k"]) for table in made]
    assert_same_bits(fitted(ds.dataset(tmp_path, schema=chosen)), of_shards(without))
    dataset = ds.dataset(tmp_path, partitioning="hive")
    assert_same_bits(fitted(dataset, read_options={"columns": ["a"]}), of_shards(without))
    cast = pa.schema([("a", pa.float32()), ("y", pa.string())])
    with pytest.raises(ValueError, match=r"0\.parquet holds double; that of the schema of the dataset float"):
        fitted(ds.dataset(tmp_path, schema=cast))
    more = pa.schema([("a", pa.float64()), ("c", pa.float64()), ("y", pa.string())])
    with pytest.raises(ValueError, match=r"0\.parquet has no column 'c', which the option columns names"):
        fitted(ds.dataset(tmp_path, schema=more))


def test_datasets_of_datasets_and_of_other_file_systems(tmp_path: Path) -> None:
    first, second = tables(2)
    write(first, tmp_path / "one" / "a.parquet")
    write(second, tmp_path / "two" / "no-ending")
    pyarrow.parquet.write_table(second, tmp_path / "two" / "no-ending")
    union = ds.dataset([ds.dataset(tmp_path / "one"), ds.dataset(tmp_path / "two")])
    assert_same_bits(fitted(union), of_shards([first, second]))
    files = fsspec.filesystem("memory")
    files.pipe("/of-a-dataset/a.parquet", (tmp_path / "one" / "a.parquet").read_bytes())
    dataset = ds.dataset("/of-a-dataset", filesystem=files)
    assert_same_bits(fitted(dataset), of_shards([first]))
    files.pipe("/of-a-dataset/a.parquet", b"x")
    with pytest.raises(ValueError, match=r"cannot read memory://of-a-dataset/a\.parquet"):
        fitted(ds.dataset("/of-a-dataset", filesystem=files, schema=first.schema))
    files.rm("/of-a-dataset", recursive=True)


def test_what_is_not_all_of_its_files_is_refused(tmp_path: Path) -> None:
    made = tree(tmp_path / "tree")
    dataset = ds.dataset(tmp_path / "tree", partitioning="hive")
    with pytest.raises(ValueError, match=r"all of their rows: .*filtered.*dataset\.to_batches, is a source"):
        fitted(dataset.filter(ds.field("a") > 0.0))
    with pytest.raises(ValueError, match="rows that are in no file"):
        fitted(ds.dataset(made[0]))
    write(made[0], tmp_path / "text" / "a.csv")
    with pytest.raises(ValueError, match=r"text/a\.csv is of the format csv; of a dataset Parquet, Feather and Arrow"):
        fitted(ds.dataset(tmp_path / "text", format="csv"))
    pyarrow.parquet.write_table(made[0], tmp_path / "groups.parquet", row_group_size=20)
    (fragment,) = ds.dataset(tmp_path / "groups.parquet").get_fragments()
    some = ds.FileSystemDataset([fragment.subset(row_group_ids=[1])], made[0].schema, fragment.format)
    with pytest.raises(ValueError, match=r"some of the row groups of .*groups\.parquet only"):
        fitted(some)
    with pytest.raises(ValueError, match=r"format is 'parquet'; the dataset says itself"):
        fitted(dataset, read_options={"format": "parquet"})


def test_a_function_that_gives_batches(tmp_path: Path) -> None:
    made = tree(tmp_path)
    dataset = ds.dataset(tmp_path, partitioning="hive").filter(ds.field("k") == 0)
    passes = []

    def batches() -> Iterator[pa.RecordBatch]:
        passes.append(None)
        yield from dataset.to_batches()

    expected = of_shards([pa.concat_tables(made[:2])])
    for source in (batches, dataset.to_batches):
        model = fitted(source, "y")
        assert_same_bits(model, expected)
    assert len(passes) > 4

    def arrays() -> Iterator[tuple[object, object]]:
        for table in made[:2]:
            yield table.select(["a", "b", "k"]).to_pandas().to_numpy(), table["y"].to_numpy()

    assert fitted(arrays, None).classes_.tolist() == ["no", "yes"]
    started = batches()
    with pytest.raises(ValueError, match="the source has changed since the first pass: it gives 0 rows"):
        fitted(lambda: started)
    with pytest.raises(TypeError, match=r"generator, which gives its batches once; .*the function that makes it"):
        fitted(batches())
    with pytest.raises(ValueError, match="read_options say how a file is read; source is function, not a path"):
        fitted(batches, read_options={"na": ["?"]})
