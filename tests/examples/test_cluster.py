"""cluster: the bits of a fit do not depend on who reads the files, and the table says where they would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from softgrad.distributed._pooled_stream import PooledStream
from softgrad.examples import cluster
from softgrad.linear_model import ReadOptions, SoftmaxRegression
from softgrad.linear_model._data._file_shards import file_shards
from tests.distributed.here import HereEngine
from tests.examples.results import result_of


def here(folder: str, target: str, *, workers: int) -> PooledStream:
    """Rows that workers in this process read."""
    return PooledStream(HereEngine(workers, file_shards(folder, target, None, ReadOptions())))


def assert_equal_fits(result: cluster.Cluster) -> None:
    assert list(result.fits) == ["fit_stream alone", "1 Ray worker", "2 Ray workers"]
    (table,) = result.tables()
    assert [row[1] for row in table.rows] == ["equal"] * 3
    alone, *others = result.fits.values()
    assert np.abs(alone.coef).max() > 0.1
    for fit in (alone, *others):
        assert fit.coef.tobytes() == alone.coef.tobytes()
        assert 0.0 <= fit.gap <= SoftmaxRegression().tol
        assert fit.seconds > 0.0


def test_workers_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ROWS", 200)
    monkeypatch.setattr(cluster, "ray_rows", here)
    result = cluster.run()
    assert_equal_fits(result)
    name, fit = list(result.fits.items())[-1]
    other = replace(fit, coef=np.nextafter(fit.coef, np.inf))
    (table,) = replace(result, fits=result.fits | {name: other}).tables()
    assert [row[1] for row in table.rows] == ["equal", "equal", "others"]


def test_the_files_hold_the_rows(tmp_path: Path) -> None:
    cluster.write(tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) == cluster.FILES
    tables = [pyarrow.parquet.read_table(file) for file in files]
    assert {table.num_rows for table in tables} == {cluster.ROWS}
    assert len({table["x0"][0].as_py() for table in tables}) == cluster.FILES
    assert set(tables[0]["y"].to_pylist()) == set(range(cluster.CLASSES))


@pytest.mark.slow
# Of Ray itself, at its start.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_workers_of_a_cluster() -> None:
    assert_equal_fits(result_of("cluster"))
