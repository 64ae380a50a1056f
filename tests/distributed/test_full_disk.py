"""The disk gets full under a cluster on this machine: an error that says so, or a fit with the same bits."""

from __future__ import annotations

import errno
import gzip
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
import ray

from softgrad.distributed import dask_rows, ray_rows
from softgrad.linear_model import SoftmaxRegression
from tests.distributed.shards import Case, dense
from tests.oracles.inputs import fresh_rng
from tests.small_disk import REPOSITORY, fill, needs_small_disk, on_small_disk

pytestmark = [pytest.mark.slow, needs_small_disk]

ROWS = {"ray": ray_rows, "dask": dask_rows}
# Where a cluster of our own has its folder.
PLACE = Path("/tmp")
DISK = 64 * 1024


def on_small_place(function: Any, *arguments: object) -> dict[str, Any]:
    """What a function gives where the clusters have a small disk; what Python is made of can still be seen."""
    used = [REPOSITORY, Path(sys.prefix), *map(Path, sys.path)]
    kept = {PLACE / path.relative_to(PLACE).parts[0] for path in used if PLACE in path.parents}
    found: dict[str, Any] = on_small_disk(function, PLACE, DISK, *arguments, kept=sorted(kept))
    return found


def prepared(folder: Path) -> tuple[Case, set[str]]:
    """Rows, and what is in the folder then."""
    # Of the engines themselves.
    warnings.simplefilter("ignore", ResourceWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    data = folder / "data"
    data.mkdir()
    return dense(data, fresh_rng()), {*os.listdir(folder), "filler"}


def ended(caught: pytest.ExceptionInfo[OSError], folder: Path, before: set[str]) -> dict[str, Any]:
    """The error of the system, and what is in the folder that was not there before."""
    left = sorted(set(os.listdir(folder)) - before)
    return {"errno": caught.value.errno, "file": str(caught.value.filename), "left": left}


def filled_during_a_fit(folder: Path, engine: str) -> dict[str, Any]:
    case, before = prepared(folder)

    def told(report: Any) -> None:
        if report.iteration == 2:
            fill(folder, 0)

    with ROWS[engine](case.folder, **case.names, workers=2) as rows:
        model = SoftmaxRegression(**case.parameters, callback=told).fit_stream(rows)
        started = [name for name in os.listdir(folder) if name.startswith(f"softgrad-{engine}-")]
    alone = case.fitted(case.folder, **case.names)
    same = model.coef_.tobytes() == alone.coef_.tobytes() and model.loss_curve_ == alone.loss_curve_
    left = sorted(set(os.listdir(folder)) - before)
    return {"iterations": model.n_iter_, "same": same, "started": len(started), "left": left}


@pytest.mark.parametrize("engine", ROWS)
def test_filled_during_a_fit(engine: str) -> None:
    """What the engine writes there is not needed any more."""
    found = on_small_place(filled_during_a_fit, engine)
    assert found["iterations"] > 2
    assert found["same"]
    assert (found["started"], found["left"]) == (1, [])


def full_before(folder: Path, room: str) -> dict[str, Any]:
    case, before = prepared(folder)
    fill(folder, int(room))
    with pytest.raises(OSError) as caught:  # noqa: PT011
        ray_rows(case.folder, **case.names, workers=2)
    return ended(caught, folder, before)


@pytest.mark.parametrize("room", [0, 100])
def test_no_room_for_ray(room: int) -> None:
    """With some its processes would start, and end again."""
    found = on_small_place(full_before, room)
    assert found["errno"] == errno.ENOSPC
    assert found["file"].startswith(f"{PLACE}/softgrad-ray-")
    assert found["left"] == []


def copies_of_workers(folder: Path, engine: str) -> dict[str, Any]:
    case, before = prepared(folder)
    for path in case.folder.iterdir():
        path.with_suffix(".parquet.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    with ROWS[engine](case.folder, **case.names, workers=2) as rows:
        # Each process looks once for a folder that has room, and would find another one afterwards.
        if engine == "ray":
            actors = rows._engine._actors
            found = ray.get([actor.__ray_call__.remote(lambda _: tempfile.gettempdir()) for actor in actors])
        else:
            found = list(rows._engine._client.run(tempfile.gettempdir).values())
        assert found == [str(folder)] * 2
        fill(folder, 0)
        with pytest.raises(OSError) as caught:  # noqa: PT011
            case.fitted(rows)
    return ended(caught, folder, before)


@pytest.mark.parametrize("engine", ROWS)
def test_a_worker_without_room_for_its_copy_of_a_file(engine: str) -> None:
    found = on_small_place(copies_of_workers, engine)
    assert found["errno"] == errno.ENOSPC
    assert found["file"].startswith(f"{PLACE}/softgrad-")
    assert found["left"] == []
