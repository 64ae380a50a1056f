"""Rows that several workers read: the same bits as one machine, whatever each of them has."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from softgrad.distributed import _pooled_stream, dask_rows, ray_rows
from softgrad.distributed._engine import runs_of
from softgrad.distributed._pooled_stream import PooledStream
from softgrad.distributed._shard_worker import ShardWorker
from softgrad.linear_model import ReadOptions
from softgrad.linear_model._data._file_shards import FileShard, file_shards
from softgrad.linear_model._data._tree_sum import whole_nodes
from tests.distributed.here import HereEngine
from tests.distributed.shards import CASES, SHARDS, Case, assert_same_bits, dense
from tests.linear_model import bounds
from tests.oracles.inputs import fresh_rng


def shards_of(case: Case) -> Sequence[FileShard]:
    names = case.names
    columns = names.get("target"), names.get("sample_weight"), ReadOptions(), names.get("indices")
    return file_shards(case.folder, *columns)


def pooled(case: Case, workers: int) -> tuple[PooledStream, HereEngine]:
    engine = HereEngine(workers, shards_of(case))
    return PooledStream(engine), engine


@pytest.mark.parametrize("name", CASES)
def test_the_same_bits_with_any_number_of_workers(name: str, tmp_path: Path) -> None:
    case = CASES[name](tmp_path, fresh_rng())
    alone = case.fitted(case.folder, **case.names)
    assert alone.converged_
    for workers in (1, 2, 3, 4, SHARDS, SHARDS + 1):
        stream, _ = pooled(case, workers)
        assert (stream.n_workers, stream.n_shards) == (min(workers, SHARDS), SHARDS)
        assert_same_bits(case.fitted(stream), alone)


@pytest.mark.parametrize("name", CASES)
def test_the_optimum_of_the_rows_in_memory(name: str, tmp_path: Path) -> None:
    case = CASES[name](tmp_path, fresh_rng())
    stream, _ = pooled(case, 3)
    model, expected = case.fitted(stream), case.in_memory()
    total = len(case.y) if case.sample_weight is None else case.sample_weight.sum()
    distance = 2 * bounds.of_coefficients(expected, float(total))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=distance)
    assert model.classes_.tolist() == (case.classes or expected.classes_.tolist())


class Sized(NamedTuple):
    size: int


def test_runs_of_about_as_many_bytes_that_are_few_nodes() -> None:
    rng = fresh_rng()
    for count in (1, 2, 3, 7, 16, 100, 1000, 1024, 5000):
        for workers in (1, 2, 3, 4, 7, 16, 100):
            for sizes in (np.full(count, 10), rng.integers(80, 121, count)):
                runs = runs_of([Sized(int(size)) for size in sizes], workers)
                assert [number for run in runs for number in run] == list(range(count))
                assert len(runs) == min(workers, count)
                assert all(len(whole_nodes(run.start, run.stop)) <= 8 for run in runs)
                # A sixteenth at each end, and a shard.
                equal = sizes.sum() / len(runs)
                assert all(sizes[run.start : run.stop].sum() <= 1.125 * equal + 2 * sizes.max() for run in runs)


def test_large_sums_are_made_among_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = dense(tmp_path, fresh_rng())
    stream, engine = pooled(case, 4)
    expected = case.fitted(stream)
    assert engine.added == 0
    gathered = engine.gathered
    monkeypatch.setattr(_pooled_stream, "_MOST_GATHERED_BYTES", 0)
    stream, engine = pooled(case, 4)
    assert_same_bits(case.fitted(stream), expected)
    assert engine.added > 0
    # Of each sum one value.
    assert engine.gathered < gathered / 2


def test_workers_that_would_make_other_bits_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = dense(tmp_path, fresh_rng())
    stream, engine = pooled(case, 3)
    (here,) = engine.workers[0].environment()
    for field, value in (("blas", "openblas 0.3.30 Haswell"), ("instruction_set", "avx"), ("softgrad", "0.0.1")):
        monkeypatch.setattr(engine.workers[2], "environment", lambda f=field, v=value: [here._replace(**{f: v})])
        with pytest.raises(RuntimeError, match=f"worker 0 has the {field} .*, worker 2 {value}"):
            case.fitted(stream)


def test_what_a_worker_finds_wrong_names_the_file(tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    shards = shards_of(case)
    (case.folder / "3.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"3\.parquet"):
        case.fitted(PooledStream(HereEngine(2, shards)))
    (case.folder / "3.parquet").unlink()
    with pytest.raises((ValueError, OSError), match=r"3\.parquet"):
        case.fitted(PooledStream(HereEngine(2, shards)))


def test_shards_can_be_hashed(tmp_path: Path) -> None:
    """Dask's workers keep what they opened by the shards that it was opened for."""
    for name in CASES:
        (tmp_path / name).mkdir()
        shards = tuple(shards_of(CASES[name](tmp_path / name, fresh_rng())))
        assert len({shards, pickle.loads(pickle.dumps(shards))}) == 1


@pytest.mark.parametrize("rows", [ray_rows, dask_rows])
def test_what_is_asked_of_a_cluster_is_checked_first(rows: Any, tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    with pytest.raises(ValueError, match="workers is 0; it must be at least 1"):
        rows(case.folder, "y", workers=0)
    with pytest.raises(TypeError, match=r"workers is 1\.5; it must be an integer"):
        rows(case.folder, "y", workers=1.5)
    with pytest.raises(FileNotFoundError, match="nothing"):
        rows(case.folder / "nothing.parquet", "y")
    with pytest.raises(ValueError, match="target names the column 'y' twice"):
        rows(case.folder, ["y", "y"])
    with pytest.raises(ValueError, match="which is the target, sample_weight or indices"):
        rows(case.folder, "y", indices="tags", read_options={"drop": ["tags"]})


def test_no_cluster_answers(tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(ConnectionError, match=f"no Ray cluster answers at {address}"):
        ray_rows(case.folder, **case.names, address=address)


def test_a_pooled_stream_has_its_target(tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    stream, _ = pooled(case, 2)
    with pytest.raises(ValueError, match="source is PooledStream, which has its target"):
        case.fitted(stream, target="y")
    with pytest.raises(ValueError, match="read_options say how a file is read; source is PooledStream"):
        case.fitted(stream, read_options={"format": "parquet"})


def test_leaving_it_ends_the_workers(tmp_path: Path) -> None:
    case = dense(tmp_path, fresh_rng())
    stream, engine = pooled(case, 2)
    with pytest.raises(KeyError), stream:
        raise KeyError
    assert engine.closed


def test_a_call_says_all_it_needs(tmp_path: Path) -> None:
    """So that another worker with the same shards makes the same sum in the place of one that died."""
    case = dense(tmp_path, fresh_rng())
    stream, engine = pooled(case, 2)
    expected = case.fitted(stream)
    stream, engine = pooled(case, 2)
    calls = 0

    def restarted(worker: int, method: Any, *arguments: Any, returns: int = 1) -> Any:
        nonlocal calls
        calls += 1
        run = engine.runs[worker]
        engine.workers[worker] = ShardWorker(run.start, shards_of(case)[run.start : run.stop])
        return HereEngine.call(engine, worker, method, *arguments, returns=returns)

    engine.call = restarted  # type: ignore[method-assign]
    assert_same_bits(case.fitted(stream), expected)
    assert calls > 10
