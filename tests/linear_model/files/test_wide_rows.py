"""Rows of many columns, and of more text than is read at a time."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pytest

from softgrad.linear_model._data import _row_text
from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model.files.reading import columns_of, written
from tests.oracles.inputs import fresh_rng

MIB = 1 << 20


def test_a_header_of_more_than_a_block(tmp_path: Path) -> None:
    names = [f"{i}{'x' * 1000}" for i in range(1100)]
    assert len(",".join(names)) > MIB
    found = columns_of(written(tmp_path, f"{','.join(names)}\n{','.join(map(str, range(1100)))}\n"))
    assert found == {name: [str(i)] for i, name in enumerate(names)}


def test_rows_of_more_than_a_block(tmp_path: Path) -> None:
    """Numbers of unequal lengths, so that the borders of the blocks are anywhere in a row."""
    rng = fresh_rng()
    X = rng.standard_normal((5, 3000))
    rows = [
        ",".join(f"{x:.{digits}f}" for x, digits in zip(row, rng.integers(300, 500, len(row)), strict=True))
        for row in X
    ]
    assert min(map(len, rows)) > MIB
    path = written(tmp_path, "\n".join([",".join(f"x{i}" for i in range(X.shape[1])), *rows]))
    read = [np.array([column.to_pylist() for column in batch.columns], dtype=float) for batch in FileBatches(path)]
    np.testing.assert_array_equal(np.concatenate(read, axis=1), X.T)


def test_wide_rows_come_many_at_a_time(tmp_path: Path) -> None:
    """For each batch every column takes its time."""
    row = ",".join(["0.123456789"] * 2000)
    path = written(tmp_path, "\n".join([",".join(f"x{i}" for i in range(2000)), *[row] * 500]))
    assert path.stat().st_size > 8 * MIB
    assert next(batch.num_rows for batch in FileBatches(path)) > 200


def test_a_stream_of_text_holds_a_few_blocks(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c\n" + '1.25,-7.5,"a text"\n' * 1_000_000)
    assert path.stat().st_size > 18 * MIB
    most = 0
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    rows = 0
    for batch in FileBatches(path):
        rows += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 1_000_000
    assert most + peak < 12 * MIB


def test_a_row_without_an_end_is_not_read_to_the_end_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_row_text, "_MOST_ROW_BYTES", 3 * MIB)
    path = written(tmp_path, 'a,b\n1,2\n3,"4\n' + "5,6\n" * (2 * MIB))
    message = "data.csv, row 2, column 'b': the row has no end within 3 MiB; is a quote in this cell never closed?"
    with pytest.raises(ValueError, match=re.escape(message)):
        list(FileBatches(path))


@pytest.mark.slow
def test_a_wide_pass_takes_as_long_as_its_numbers(tmp_path: Path) -> None:
    """Two files of as many numbers; one has them in 20,000 columns."""
    cells = [f"{value:.4f}" for value in fresh_rng().standard_normal(4_000_000)]
    seconds = []
    for columns in (20_000, 100):
        rows = [",".join(cells[start : start + columns]) for start in range(0, len(cells), columns)]
        lines = [",".join(["y", *(f"x{i}" for i in range(columns))]), *(f"{i % 2},{row}" for i, row in enumerate(rows))]
        (shard,) = file_shards(written(tmp_path, "\n".join(lines)), "y", None, ReadOptions())
        batches = shard.open()
        start = perf_counter()
        assert sum(batch.X.size for batch in batches) == len(cells)
        seconds.append(perf_counter() - start)
    assert seconds[0] < 6 * seconds[1]
