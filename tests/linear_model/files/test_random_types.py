"""A column of any type is read as Python reads it, or refused by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._files import FileBatches
from tests.linear_model import bounds
from tests.linear_model.files.random_columns import random_column, random_type
from tests.oracles.inputs import fresh_rng

ROWS = 6


def numbers_of(cell: Any) -> Iterator[float]:
    for element in cell if isinstance(cell, list) else [cell]:
        yield from numbers_of(element) if isinstance(element, list) else [float(element)]


def batches_of(table: pa.Table, path: Path | None) -> Any:
    if path is None:
        return table.to_batches(ROWS - 1)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, ROWS - 1)
    return FileBatches(path)


@pytest.mark.parametrize("of_file", [False, True])
def test_a_column_of_any_type(of_file: bool, tmp_path: Path) -> None:
    rng = fresh_rng()
    read = refused = 0
    for number in range(400):
        column = random_column(rng, random_type(rng), ROWS)
        table = pa.table({"x": column, "y": list("abcdef")})
        try:
            batches = batches_of(table, tmp_path / f"{number}.arrow" if of_file else None)
            X = np.concatenate([batch.X for batch in ArrowBatches(batches, "y", None, text=None, ahead=False)])
        except (ValueError, TypeError) as error:
            told = str(error)
        else:
            expected = np.array([list(numbers_of(cell)) for cell in column.to_pylist()]).reshape(X.shape)
            np.testing.assert_allclose(X, expected, rtol=4 * bounds.EPS, atol=0, err_msg=str(column.type))
            read += 1
            continue
        assert "column 'x" in told, (column.type, told)
        refused += 1
    assert min(read, refused) >= 50
