"""Large Parquet files are several shards, by their metadata alone; files without rows are none."""

from __future__ import annotations

import gc
import gzip
import pickle
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from softgrad.linear_model._data import _row_groups
from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._row_groups import _parts
from tests.linear_model.files.tables import assert_same_bits, fitted, of_shards, tables, write
from tests.oracles.inputs import fresh_rng

MIB = 1 << 20


def parts_in_mib(*sizes: float) -> list[tuple[int, int]]:
    parts = _parts(1000, [10] * len(sizes), [int(size * MIB) for size in sizes])
    return [(part.first, part.stop) for part in parts]


def test_parts_have_64_mib_at_least() -> None:
    assert parts_in_mib(1) == [(0, 1)]
    assert parts_in_mib(63.9, 64) == [(0, 2)]
    assert parts_in_mib(64, 63.9) == [(0, 2)]
    assert parts_in_mib(64, 64) == [(0, 1), (1, 2)]
    assert parts_in_mib(500) == [(0, 1)]
    assert parts_in_mib(40, 40, 40, 40, 40, 40, 40) == [(0, 2), (2, 4), (4, 7)]
    assert parts_in_mib(1, 500, 1, 63, 1) == [(0, 2), (2, 5)]
    rng = fresh_rng()
    for _ in range(100):
        sizes = (rng.exponential(30, rng.integers(1, 40)) * MIB).astype(int).tolist()
        rows = rng.integers(1, 1000, len(sizes)).tolist()
        parts = _parts(1000, rows, sizes)
        assert [number for part in parts for number in range(part.first, part.stop)] == list(range(len(sizes)))
        for first, stop, first_row, _ in parts:
            assert first_row == sum(rows[:first])
            assert len(parts) == 1 or sum(sizes[first:stop]) >= 64 * MIB
            # None could be made of its last group but one on.
            assert sum(sizes[first : stop - 1]) < 128 * MIB or sum(sizes[stop - 1 :]) < 64 * MIB


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_row_groups, "_LEAST_BYTES", 1)


def grouped(path: Path, table: pa.Table, rows: int) -> Path:
    pyarrow.parquet.write_table(table, path, row_group_size=rows)
    return path


@pytest.mark.usefixtures("small_parts")
def test_a_pass_leaves_nothing_in_cycles(tmp_path: Path) -> None:
    """Else each part's reading of the metadata, which describe all row groups, stays until Python looks for cycles."""
    (table,) = tables(1)
    parted = grouped(tmp_path / "a.parquet", table, 40)
    (first, *_) = [shard.open() for shard in file_shards(parted, "y", None, ReadOptions())]

    def rows() -> int:
        return sum(len(batch.codes) for batch in first)

    assert rows() == 40
    gc.collect()
    gc.disable()
    try:
        assert rows() == 40
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.usefixtures("small_parts")
def test_parts_share_the_bytes_of_their_file(tmp_path: Path) -> None:
    """So that workers get as many bytes of files in parts as of others."""
    (table,) = tables(1)
    parted = grouped(tmp_path / "a.parquet", table, 40)
    whole = grouped(tmp_path / "b.parquet", table, len(table))
    shards = file_shards([parted, whole], "y", None, ReadOptions())
    sizes = [shard.size for shard in shards]
    groups = pyarrow.parquet.read_metadata(parted)
    decoded = np.array([groups.row_group(number).total_byte_size for number in range(groups.num_row_groups)])
    assert len(sizes) == groups.num_row_groups + 1 > 2
    assert sizes[-1] == whole.stat().st_size
    assert sizes[:-1] == (parted.stat().st_size * decoded // decoded.sum()).tolist()


@pytest.mark.usefixtures("small_parts")
def test_the_bits_are_those_of_the_groups(tmp_path: Path) -> None:
    first, second = tables(2)
    paths = [grouped(tmp_path / "a.parquet", first, 25), grouped(tmp_path / "b.parquet", second, 60)]
    shards = file_shards(paths, "y", None, ReadOptions())
    opened = [shard.open() for shard in pickle.loads(pickle.dumps(shards))]
    assert [sum(len(batch.codes) for batch in shard) for shard in opened] == [25, 25, 10, 60]
    assert_same_bits(fitted(paths), of_shards([first[:25], first[25:50], first[50:], second]))
    # In its own place a compressed file cannot be read from the middle.
    packed = tmp_path / "c.parquet.gz"
    packed.write_bytes(gzip.compress(paths[0].read_bytes()))
    assert_same_bits(fitted(packed), of_shards([first]))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(("column", "cell", "message"), [
    ("a", None, "a.parquet, column 'a', row 42 has no value"),
    ("a", np.nan, "a.parquet, column 'a', row 42 is nan; it must be finite"),
    ("y", None, "a.parquet, column 'y', row 42 has no value"),
    ("w", -1.0, "a.parquet, column 'w', row 42 is -1.0; weights must be finite and not negative"),
])  # fmt: skip
def test_rows_are_counted_in_the_file(column: str, cell: object, message: str, tmp_path: Path) -> None:
    (table,) = tables(1)
    table = table.append_column("w", pa.array(np.ones(60)))
    cells = table[column].to_pylist()
    cells[41] = cell
    table = table.set_column(table.column_names.index(column), column, pa.array(cells))
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted(grouped(tmp_path / "a.parquet", table, 10), sample_weight="w")


def test_files_without_rows_are_none(tmp_path: Path) -> None:
    (table,) = tables(1)
    for name in ("a", "c"):
        write(table[:0], tmp_path / f"{name}.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet has no rows, and neither has any other file"):
        fitted(tmp_path)
    with pytest.raises(ValueError, match=r"c\.parquet has no rows$"):
        fitted(tmp_path / "c.parquet")
    write(table[:30], tmp_path / "b.parquet")
    write(table[30:], tmp_path / "d.parquet")
    # Their columns need not be those of the others, which have values.
    write(pa.table({name: pa.nulls(0) for name in table.column_names}), tmp_path / "a.parquet")
    assert_same_bits(fitted(tmp_path), of_shards([table[:30], table[30:]]))
    # Of others nothing says how many there are.
    for name in ("a", "b"):
        write(table[: 60 * (name == "b")], tmp_path / "text" / f"{name}.csv")
    with pytest.raises(ValueError, match=r"a\.csv has no rows"):
        fitted(tmp_path / "text")
