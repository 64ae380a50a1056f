"""What nobody foresaw ends every command in one line with exit status 1; the traceback is for --debug."""

from __future__ import annotations

import errno
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

import softgrad.cli
from softgrad.cli.app import app
from tests.cli.conftest import Outcome, animals, command, run, succeeds, write
from tests.linear_model.test_checkpoint import no_file_longer_than

# The function of the module of its name that a command calls, and arguments that it would do with.
COMMANDS = {
    "train": ("train", ["iris"]),
    "describe": ("describe", ["iris"]),
    "predict": ("predict", ["model", "data.csv"]),
    "evaluate": ("evaluate", ["model", "data.csv"]),
    "export": ("export", ["model", "model.onnx"]),
    "experiment": ("experiment", []),
    "gradcheck": ("gradcheck", []),
    "info": ("lines", []),
}
OF_MEMORY = "train reads a file part by part with --stream, the other commands need a smaller file or more memory"
PLANTED: list[tuple[Exception, str]] = [
    (
        pa.ArrowTypeError("so\nit is"),
        "unexpected ArrowTypeError: so\\nit is; the same command with --debug shows where, for a report of the error",
    ),
    (MemoryError(), f"out of memory: {OF_MEMORY}"),
    (pa.ArrowMemoryError("malloc of size 5 failed"), f"out of memory (malloc of size 5 failed): {OF_MEMORY}"),
    (
        OSError(errno.ENOSPC, "No space left on device", "model"),
        "cannot write model: No space left on device; free some space there, or write to another disk",
    ),
    (
        OSError(errno.EDQUOT, "Disk quota exceeded", "model"),
        "cannot write model: Disk quota exceeded; free some space there, or write to another disk",
    ),
]


def last_line(outcome: Outcome) -> str:
    assert outcome.status == 1, outcome
    return outcome.stderr.splitlines()[-1].removeprefix("softgrad: ")


def test_all_commands_are_here() -> None:
    assert {entry.callback.__name__ for entry in app.registered_commands if entry.callback} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("error", "line"), PLANTED, ids=lambda value: type(value).__name__)
def test_a_planted_error(name: str, error: Exception, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, arguments = COMMANDS[name]

    def planted(*_: object) -> None:
        raise error

    monkeypatch.setattr(importlib.import_module(f"softgrad.cli.{name}"), function, planted)
    outcome = run(name, *arguments)
    assert (outcome.status, outcome.stdout, outcome.stderr) == (1, "", f"softgrad: {line}\n")
    debugged = run(name, *arguments, "--debug")
    assert last_line(debugged) == line
    assert debugged.stderr.startswith("Traceback (most recent call last):\n")
    assert "in planted\n" in debugged.stderr


@pytest.mark.parametrize("debug", [False, True])
def test_what_fails_before_a_command_runs(
    debug: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "softgrad.cli.app", None)
    monkeypatch.setattr(sys, "argv", ["softgrad", "info", *(["--debug"] if debug else [])])
    with pytest.raises(SystemExit) as ended:
        softgrad.cli.main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith("softgrad: unexpected ModuleNotFoundError: import of softgrad.cli.app")
    assert told.startswith("Traceback") == debug


@pytest.mark.parametrize("stream", [False, True])
def test_no_memory_for_a_file_that_is_right(stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    write(animals(), Path("animals.csv"))

    def planted(*_: object, **__: object) -> Any:
        raise pa.ArrowMemoryError("malloc of size 5 failed")

    monkeypatch.setattr(pyarrow.csv, "read_csv", planted)
    outcome = run("train", "animals.csv", "--target", "kind", *(["--stream"] if stream else []))
    assert last_line(outcome) == f"out of memory (reading animals.csv: malloc of size 5 failed): {OF_MEMORY}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "animals.csv", "--target", "kind", "--model", "out"),
        ("train", "animals.csv", "--target", "kind", "--plot", "out.png"),
        ("train", "animals.csv", "--target", "kind", "--report", "out.html"),
        ("train", "animals.csv", "--target", "kind", "--stream", "--checkpoint", "out"),
        ("predict", "model", "animals.csv", "--output", "out.csv"),
        ("export", "model", "out.onnx"),
        ("gradcheck", "softmax", "--plot", "out.png"),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-2]}",
)
def test_a_full_disk(arguments: tuple[str, ...], trained: tuple[Path, Path]) -> None:
    shutil.copy(trained[0], "model")
    shutil.copy(trained[1], "animals.csv")
    out = Path(arguments[-1])
    if "--checkpoint" not in arguments:
        out.write_bytes(b"old")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    with no_file_longer_than(100):
        outcome = run(*arguments)
    assert last_line(outcome) == f"cannot write {out}: File too large; free some space there, or write to another disk"
    assert "Traceback" not in outcome.stderr
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_a_full_disk_under_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(animals(), Path("animals.csv"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with no_file_longer_than(100):
        outcome = run("train", data, "--target", "kind", "--stream", "--cache")
    assert re.fullmatch(r"cannot write .*/temporary/softgrad-\w+: File too large; free some .*", last_line(outcome))
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["info"],
        pytest.param(["train", "iris", "--json"], marks=pytest.mark.slow),
        pytest.param(["predict", "model", "animals.csv"], marks=pytest.mark.slow),
    ],
    ids=lambda arguments: arguments[0],
)
def test_stdout_on_a_full_disk(arguments: list[str]) -> None:
    if arguments[0] == "predict":
        write(animals(), Path("animals.csv"))
        succeeds("train", "animals.csv", "--target", "kind", "--model", "model")
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "softgrad: cannot write stdout: No space left on device; free some space there, or write to another disk"
    )
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


def test_a_reader_that_has_seen_enough() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(command("info"), stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")


def test_the_help_says_how_commands_end() -> None:
    text = " ".join(run("--help").stdout.replace("│", " ").split())
    assert "Errors that you can put right end with exit status 2; what is unexpected, as a full disk, with 1" in text
    for name in COMMANDS:
        assert "--debug" in run(name, "--help").stdout
