"""Batches that are kept in a temporary file are those of the file, to the bit, and the file does not stay."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from softgrad.linear_model._data._cached_batches import CachedBatches
from softgrad.linear_model._data._files import FileBatches
from tests.linear_model.files.reading import written
from tests.oracles.inputs import fresh_rng


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture(params=["csv", "parquet"])
def batches(request: pytest.FixtureRequest, tmp_path: Path) -> FileBatches:
    rng = fresh_rng()
    x = rng.standard_normal(200_000)
    words = rng.choice(["", "é,x", "b"], len(x))
    if request.param == "csv":
        lines = [f'{value!r},"{word}"' for value, word in zip(x.tolist(), words.tolist(), strict=True)]
        return FileBatches(written(tmp_path, "\n".join(["x;1,word", *lines])))
    table = pa.table({"x": pa.array(x, mask=x > 1), "word": pa.array(words.tolist()).dictionary_encode()})
    pyarrow.parquet.write_table(table, tmp_path / "data.parquet", row_group_size=30_000)
    return FileBatches(tmp_path / "data.parquet")


def test_the_same_batches(batches: FileBatches, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(batches)
    assert len(expected) > 1
    cached = CachedBatches(batches)
    assert (cached.names, cached.untyped, cached.name) == (batches.names, batches.untyped, batches.name)
    assert list(cached) == expected
    # From here on the file is not needed.
    monkeypatch.setattr(FileBatches, "__iter__", None)
    for _ in range(2):
        found = list(cached)
        assert [batch.schema for batch in found] == [batch.schema for batch in expected]
        assert found == expected
    assert len(list(temporary.iterdir())) == 1
    del cached, found
    assert list(temporary.iterdir()) == []


def test_a_pass_that_does_not_end_keeps_nothing(batches: FileBatches, temporary: Path) -> None:
    cached = CachedBatches(batches)
    first = iter(cached)
    next(first)
    assert len(list(temporary.iterdir())) == 1
    del first
    assert list(temporary.iterdir()) == []
    with pytest.raises(KeyboardInterrupt):
        interrupt(cached)
    assert list(temporary.iterdir()) == []
    assert list(cached) == list(batches)


def interrupt(cached: CachedBatches) -> None:
    for _ in cached:
        raise KeyboardInterrupt
