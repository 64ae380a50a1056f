"""The disk gets full under a command: one line names the file, what was there before is there, and nothing else."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from softgrad.cli import main, train
from tests.cli.conftest import animals, run, succeeds, write
from tests.small_disk import fill, needs_small_disk, on_small_disk

pytestmark = needs_small_disk

TRAIN = ("train", "animals.csv", "--target", "kind")
FULL = "softgrad: cannot write {}: No space left on device; free some space there, or write to another disk"


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().hex() for path in folder.iterdir() if path.name != "filler"}


def output_on_a_full_disk(disk: Path, room: str, *arguments: str) -> dict[str, Any]:
    os.chdir(disk)
    write(animals(), Path("animals.csv"))
    succeeds(*TRAIN, "--model", "model")
    out = disk / ("hardmax.png" if arguments[0] == "experiment" else arguments[-1])
    succeeds(*arguments)
    before = contents(disk)
    filler = fill(disk, int(room))
    outcome = run(*arguments)
    found = {"status": outcome.status, "line": outcome.stderr.splitlines()[-1], "same": contents(disk) == before}
    filler.unlink()
    out.unlink()
    succeeds(*arguments)
    return found | {"size": out.stat().st_size}


@pytest.mark.parametrize(("room", "arguments"), [
    (0, (*TRAIN, "--model", "out")),
    pytest.param(8, (*TRAIN, "--plot", "out.png"), marks=pytest.mark.slow),
    pytest.param(8, (*TRAIN, "--report", "out.html"), marks=pytest.mark.slow),
    (8, ("predict", "model", "animals.csv", "--output", "out.csv")),
    pytest.param(0, ("export", "model", "out.onnx"), marks=pytest.mark.slow),
    pytest.param(8, ("gradcheck", "softmax", "--plot", "out.png"), marks=pytest.mark.slow),
    pytest.param(8, ("experiment", "hardmax", "--output", "."), marks=pytest.mark.slow),
], ids=lambda value: f"{value[0]} {value[-2]}" if isinstance(value, tuple) else None)  # fmt: skip
def test_the_output_before_stays(room: int, arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Nothing of the new one fits, or some of it."""
    found = on_small_disk(output_on_a_full_disk, tmp_path, 1024, room, *arguments)
    assert found["size"] > room * 1024
    assert found["status"] == 1
    out = "hardmax.png" if arguments[0] == "experiment" else arguments[-1]
    assert found["line"] == FULL.format(out)
    assert found["same"]


def resumed_with_room(disk: Path) -> dict[str, Any]:
    os.chdir(disk)
    write(animals(), Path("animals.csv"))
    arguments = (*TRAIN, "--stream", "--checkpoint", "fit")
    succeeds(*arguments, "--max-iter", 2)
    before = contents(disk)
    filler = fill(disk, 0)
    outcome = run(*arguments, "--resume")
    found = {"status": outcome.status, "error": outcome.stderr, "same": contents(disk) == before}
    filler.unlink()
    succeeds(*arguments, "--resume", "--model", "resumed")
    succeeds(*TRAIN, "--stream", "--model", "whole")
    return found | {"same bits": Path("resumed").read_bytes() == Path("whole").read_bytes()}


def test_a_training_goes_on_when_there_is_room(tmp_path: Path) -> None:
    found = on_small_disk(resumed_with_room, tmp_path, 256)
    assert found == {"status": 1, "error": FULL.format("fit") + "\n", "same": True, "same bits": True}


def output_to_a_full_disk(disk: Path) -> dict[str, Any]:
    os.chdir(disk.parent)
    write(animals(), Path("animals.csv"))
    succeeds(*TRAIN, "--model", "expected")
    log = disk / "log"
    trained = train._trained

    def filled(*arguments: Any) -> Any:
        result = trained(*arguments)
        # All of the block that the lines before are in.
        with log.open("ab") as file:
            file.write(b" " * (4096 - log.stat().st_size))
        fill(disk, 0)
        return result

    # What is still to be written is tried again when the file is closed.
    with pytest.MonkeyPatch.context() as patched, suppress(OSError), log.open("a") as file:
        patched.setattr(train, "_trained", filled)
        patched.setattr(sys, "argv", ["softgrad", *TRAIN, "--model", "model"])
        patched.setattr(sys, "stdout", file)
        with pytest.raises(SystemExit) as ended:
            main()
    return {
        "status": ended.value.code,
        "log": log.read_text(),
        "same": Path("model").read_bytes() == Path("expected").read_bytes(),
    }


def test_the_model_is_there_if_its_summary_does_not_fit(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    found = on_small_disk(output_to_a_full_disk, disk, 64)
    assert found["status"] == 1
    assert "target 'kind'" in found["log"]
    assert "rows 300" not in found["log"]
    assert found["same"]
