"""The disk gets full in the middle of a fit: the error names the file, nothing else is lost, and nothing stays."""

from __future__ import annotations

import errno
import gc
import gzip
import os
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._cached_batches import CachedBatches
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._read_options import ReadOptions
from tests.linear_model import data_sets
from tests.oracles.inputs import fresh_rng
from tests.small_disk import fill, needs_small_disk, on_small_disk

pytestmark = needs_small_disk


def failure(function: Any) -> dict[str, Any]:
    """The error of the system that ends a call."""
    with pytest.raises(OSError) as caught:  # noqa: PT011
        function()
    return {"errno": caught.value.errno, "file": str(caught.value.filename)}


def bits(model: SoftmaxRegression) -> list[str]:
    return [model.coef_.tobytes().hex(), model.intercept_.tobytes().hex(), repr(model.loss_curve_)]


def filled_during_a_fit(folder: Path, room: str) -> dict[str, Any]:
    X, y = data_sets.random(fresh_rng(), rows=400, features=20, classes=10, strength=3.0)
    rows = [(X[:150], y[:150]), (X[150:], y[150:])]
    checkpoint = folder / "fit"
    kept = []

    def told(report: Any) -> None:
        if report.iteration == 3:
            kept.append(checkpoint.read_bytes())
            fill(folder, int(room))

    found = failure(lambda: SoftmaxRegression(callback=told).fit_stream(rows, checkpoint=checkpoint))
    found |= {"files": sorted(os.listdir(folder)), "intact": [checkpoint.read_bytes()] == kept, "size": len(kept[0])}
    (folder / "filler").unlink()
    made: list[int] = []
    resumed = SoftmaxRegression(callback=lambda report: made.append(report.iteration))
    resumed.fit_stream(rows, checkpoint=checkpoint, resume=True)
    return found | {"first": made[0], "bits": bits(resumed), "whole": bits(SoftmaxRegression().fit_stream(rows))}


@pytest.mark.parametrize("room", [0, 4])
def test_a_fit_goes_on_from_the_checkpoint_before(room: int, tmp_path: Path) -> None:
    """Where nothing of the next one can be written, or some of it."""
    found = on_small_disk(filled_during_a_fit, tmp_path, 256, room)
    assert (found["errno"], found["file"]) == (errno.ENOSPC, str(tmp_path / "fit"))
    assert found["size"] > 4096
    assert found["files"] == ["filler", "fit"]
    assert found["intact"]
    assert found["first"] == 3
    assert found["bits"] == found["whole"]


def table() -> Any:
    rng = fresh_rng()
    return pa.table({"x": rng.standard_normal(4000), "y": rng.integers(0, 3, 4000)})


def compressed(folder: Path) -> Any:
    pyarrow.parquet.write_table(table(), folder / "rows.parquet")
    name = folder / "rows.parquet.gz"
    name.write_bytes(gzip.compress((folder / "rows.parquet").read_bytes()))
    return lambda: list(FileBatches(name))


def pipe(folder: Path) -> Any:
    pa.csv.write_csv(table(), folder / "rows.csv")
    content = (folder / "rows.csv").read_bytes()

    def read() -> list[Any]:
        reader, writer = os.pipe()

        def write() -> None:
            with open(writer, "wb") as file:
                file.write(content)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            return list(FileBatches(f"/dev/fd/{reader}", ReadOptions(format="csv")))
        finally:
            # What was not read.
            while os.read(reader, 1 << 16):
                pass
            os.close(reader)
            thread.join()

    return read


def cached(folder: Path) -> Any:
    pyarrow.parquet.write_table(table(), folder / "rows.parquet")
    batches = CachedBatches(FileBatches(folder / "rows.parquet"))
    return lambda: list(batches)


def temporary_file_that_does_not_fit(disk: Path, way: str, source: str) -> dict[str, Any]:
    os.chdir(disk)
    os.environ["TMPDIR"] = str(disk)
    filler = fill(disk, 12)
    read = {"compressed": compressed, "pipe": pipe, "cached": cached}[way](Path(source))
    found = failure(read) | {"files": os.listdir(disk)}
    filler.unlink()
    rows = sum(batch.num_rows for batch in read())
    del read
    # The error may have it.
    gc.collect()
    return found | {"rows": rows, "left": os.listdir(disk)}


@pytest.mark.parametrize("way", ["compressed", "pipe", "cached"])
def test_a_temporary_file_that_does_not_fit(way: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    found = on_small_disk(temporary_file_that_does_not_fit, disk, 512, way, tmp_path)
    assert found["errno"] == errno.ENOSPC
    assert found["file"].startswith(f"{disk}/softgrad-")
    assert found["files"] == ["filler"]
    assert (found["rows"], found["left"]) == (4000, [])


def no_temporary_file_anywhere(disk: Path, source: str) -> dict[str, Any]:
    os.chdir(disk)
    os.environ["TMPDIR"] = str(disk)
    fill(disk, 0)
    batches = CachedBatches(FileBatches(source))
    return failure(lambda: list(batches)) | {"files": os.listdir(disk)}


def test_no_temporary_file_fits_anywhere(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    pyarrow.parquet.write_table(table(), tmp_path / "rows.parquet")
    found = on_small_disk(no_temporary_file_anywhere, disk, 64, tmp_path / "rows.parquet", alone=True)
    assert found["errno"] == errno.ENOSPC
    assert found["file"].startswith(f"{disk}/softgrad-")
    assert found["files"] == ["filler"]
