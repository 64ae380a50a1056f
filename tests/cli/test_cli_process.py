"""The command in a process of its own: terminals, signals, and an installation without the extra."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.cli.conftest import animals, command, run, succeeds, write


def on_terminal(*arguments: object, columns: int = 100) -> str:
    """What a terminal shows of both streams."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 1 << 16):
            shown += piece
    except OSError:
        # The way Linux says that the last writer has closed the terminal.
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0, shown
    return shown.decode()


def without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def test_a_live_bar_and_a_table_on_a_terminal() -> None:
    shown = on_terminal("train", "iris")
    assert "\x1b[?25l" in shown, "the cursor is hidden while a bar is drawn"
    assert shown.count("━") > 40
    plain = without_styles(shown)
    assert re.search(r"training ━+ iteration \d+, objective [\d.]+ 0:00:0\d", plain), plain
    assert "gap" not in plain, "the plain lines are for files"
    assert re.search(r"^test accuracy 0\.\d{4}$", plain, re.MULTILINE), plain
    assert re.search(r"^setosa +10 +0 +0 *$", plain, re.MULTILINE), plain


def test_a_matrix_wider_than_the_terminal_has_numbered_columns() -> None:
    names = [f"a rather long class name {i}" for i in range(1, 5)]
    write(pa.table({"x": list(range(4)) * 5, "kind": names * 5}), Path("data.csv"))
    plain = without_styles(on_terminal("train", "data.csv", "--target", "kind", "--test-fraction", 0, columns=80))
    assert re.search(r"^ +\[1\] +\[2\] +\[3\] +\[4\] *$", plain, re.MULTILINE), plain
    assert re.search(r"^a rather long class name 1 \[1\] +5 +0 +0 +0 *$", plain, re.MULTILINE), plain


def test_json_on_a_pipe() -> None:
    result = subprocess.run(command("train", "wine", "--json"), capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["features"] == 13
    assert "iteration 1, objective" in result.stderr


def test_predictions_on_a_pipe(in_folder: Path) -> None:
    data = write(animals(), in_folder / "animals.csv")
    succeeds("train", data, "--target", "kind", "--model", "m")
    piped = subprocess.run(command("predict", "m", data), capture_output=True, check=True)
    assert piped.stderr == b""
    assert piped.stdout == succeeds("predict", "m", data).stdout.encode()


def test_an_error_is_one_line() -> None:
    result = subprocess.run(command("train", "none.csv"), capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == "softgrad: no such file: none.csv (and no built-in data set: digits, iris, wine)\n"


def test_interrupt_during_the_training() -> None:
    rows, classes = 2000, 100
    generator = np.random.default_rng(0)
    columns = {f"x{i}": generator.standard_normal(rows) for i in range(60)}
    write(pa.table({**columns, "kind": generator.integers(0, classes, rows)}), Path("data.feather"))
    process = subprocess.Popen(
        command("train", "data.feather", "--target", "kind", "-C", 1e6, "--model", "m"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("iteration 1,")
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - start < 30
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1] == "softgrad: interrupted"
    assert "Traceback" not in errors
    assert not Path("m").exists()


@pytest.mark.parametrize("absent", [["typer"], ["pyarrow", "matplotlib"]])
def test_without_the_extra(absent: list[str]) -> None:
    program = (
        f"import sys\n"
        f"for name in {absent!r}: sys.modules[name] = None\n"
        f"sys.argv = ['softgrad', 'info']\n"
        f"from softgrad.cli import main\n"
        f"main()\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == f'softgrad: not installed: {", ".join(absent)}; pip install "softgrad[cli]"\n'


def test_help_says_what_matters_and_loads_nothing_heavy() -> None:
    program = (
        "import sys; from softgrad.cli.app import app; print({'pyarrow', 'sklearn', 'matplotlib'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
    text = " ".join(run("train", "--help").stdout.replace("│", " ").split())
    for words in ("--target", "--test-fraction", "--model", "--plot", "--json", "at most 1000 different texts"):
        assert words in text


def test_info() -> None:
    import softgrad

    outcome = succeeds("info")
    config = softgrad.show_config()
    assert outcome.value("softgrad") == config["version"]
    assert outcome.value("instruction set").startswith(f"{config['instruction_set']} (available: ")
    assert outcome.value("threads") == str(config["threads"])
    assert outcome.value("numpy") == np.__version__
    assert outcome.value("pyarrow") == pa.__version__
    assert re.fullmatch(r"\d+\.\d+\.\S+|not installed", outcome.value("torch"))


def test_no_built_in_data_set_is_hidden_by_a_file_or_a_folder() -> None:
    Path("iris").write_text("x,y\n1,a\n")
    assert succeeds("train", "iris", "--json").json["rows"] == 150
    Path("wine").mkdir()
    assert succeeds("describe", "wine", "--json").json["rows"] == 178
