"""A library in a process of its own does as it is told, says what went wrong, and does not outlive who asks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks._library_process import started
from benchmarks.shapes import measured

ROOT = Path(__file__).parents[2]
SOFTMAX = ("softmax", 100, 5, 7)
_WAITS = """
from benchmarks._library_process import started
if __name__ == "__main__":
    with started(["NumPy"]) as processes:
        processes["NumPy"].tell("prepare", *{softmax})
        processes["NumPy"].answer()
        print(processes["NumPy"]._process.pid, flush=True)
        while True:
            processes["NumPy"].asked("take_turn")
"""
_MOST_SECONDS = 20.0


def test_turns_are_taken_when_asked_and_what_goes_wrong_is_told() -> None:
    with started(["NumPy"]) as processes:
        numpy = processes["NumPy"]
        numpy.tell("prepare", *SOFTMAX)
        assert numpy.answer() is None
        for _ in range(2):
            seconds = numpy.asked("take_turn")
            assert len(seconds) >= 1
            assert min(seconds) > 0.0
        assert numpy.asked("error") > 0.0
        # An interrupt from a terminal reaches it too, and is for who asks.
        os.kill(numpy._process.pid, signal.SIGINT)
        assert numpy.asked("error") > 0.0
        numpy.tell("prepare", "nothing", 100, 5, 7)
        with pytest.raises(RuntimeError, match=r"(?s)NumPy failed:.*KeyError: 'nothing'"):
            numpy.answer()
        numpy._process.kill()
        numpy._process.join()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="the process of NumPy has ended, with exit code -9"):
                numpy.asked("take_turn")
    assert multiprocessing.active_children() == []


def test_the_question_is_answered_by_processes() -> None:
    """Without peers, and of what needs no output."""
    rows = list(measured({"1 KB": 250}, (3, 65), ("softmax", "cross_entropy.value_and_grad"), (), seed=5))
    assert [row.work for row in rows] == [
        "softmax 83 x 3, 1 KB",
        "cross_entropy.value_and_grad 83 x 3, 1 KB",
        "softmax 3 x 65, 1 KB",
        "cross_entropy.value_and_grad 3 x 65, 1 KB",
    ]
    for row in rows:
        assert 0.0 < row.softgrad.first_quartile <= row.softgrad.median
        assert [goal.met for goal in row.goals()] == [None, None]
        assert row.errors == {}


def fail_with_two_processes() -> None:
    with started(["NumPy", "SciPy"]):
        assert len(multiprocessing.active_children()) == 2
        raise ZeroDivisionError


def test_an_error_ends_the_processes() -> None:
    with pytest.raises(ZeroDivisionError):
        fail_with_two_processes()
    assert multiprocessing.active_children() == []


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        # Nobody may have asked yet how an orphan ended.
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_a_process_does_not_outlive_who_asks(ending: signal.Signals, tmp_path: Path) -> None:
    """An interrupt is for all of them, as from a terminal; a kill is not."""
    script = tmp_path / "waits.py"
    script.write_text(_WAITS.format(softmax=SOFTMAX))
    asks = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert asks.stdout is not None
    pid = int(asks.stdout.readline())
    (os.killpg if ending == signal.SIGINT else os.kill)(asks.pid, ending)
    _, told = asks.communicate(timeout=_MOST_SECONDS)
    assert is_gone(pid)
    assert told.count("Traceback") == (ending == signal.SIGINT)
    assert told.count("KeyboardInterrupt") == (ending == signal.SIGINT)
