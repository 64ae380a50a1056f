"""Results have the same bits whatever the threads; calls from many threads at once; life after fork()."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

import softgrad as sg
import softgrad.threadpoolctl
from softgrad import _native


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    with sg.num_threads(sg.get_num_threads()):
        yield


def loss_and_gradient(logits: np.ndarray, labels: np.ndarray) -> bytes:
    losses, gradient = sg.cross_entropy.value_and_grad(logits, labels, reduction="none")
    mean = sg.cross_entropy(logits, labels)
    return losses.tobytes() + gradient.tobytes() + mean.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_the_number_of_threads(dtype: type) -> None:
    rng = np.random.default_rng(20261121)
    logits = rng.normal(scale=5.0, size=(700, 301)).astype(dtype)
    labels = rng.integers(0, 301, size=700)
    results = set()
    for threads in (1, 2, 3, 8):
        sg.set_num_threads(threads)
        results.add(loss_and_gradient(logits, labels))
    assert len(results) == 1


def test_a_row_has_the_same_bits_alone_and_in_any_batch() -> None:
    rng = np.random.default_rng(20261122)
    logits = rng.normal(scale=5.0, size=(400, 333)).astype(np.float32)
    whole = sg.softmax(logits)
    for row in (0, 1, 17, 399):
        assert sg.softmax(logits[row]).tobytes() == whole[row].tobytes()
        assert sg.softmax(logits[row:])[0].tobytes() == whole[row].tobytes()
    # The class axis first, and reversed in memory: the same rows.
    assert sg.softmax(np.asfortranarray(logits)).tobytes() == whole.tobytes()
    assert sg.softmax(np.ascontiguousarray(logits.T), axis=0).T.tobytes() == whole.tobytes()
    backwards = np.ascontiguousarray(logits[:, ::-1])[:, ::-1]
    assert sg.softmax(backwards).tobytes() == whole.tobytes()


def test_many_python_threads_at_once() -> None:
    rng = np.random.default_rng(20261123)
    logits = rng.normal(size=(300, 500)).astype(np.float32)
    labels = rng.integers(0, 500, size=300)
    expected = loss_and_gradient(logits, labels)
    with ThreadPoolExecutor(max_workers=6) as pool:
        results = list(pool.map(lambda _: loss_and_gradient(logits, labels), range(60)))
    assert set(results) == {expected}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork() is a Unix call")
def test_a_forked_child_works_and_ends() -> None:
    program = """
import os, signal, warnings
import numpy as np, softgrad as sg
warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of fork() with threads: the very thing tested
sg.set_num_threads(4)
x = np.random.default_rng(1).normal(size=(600, 400))
before = sg.softmax(x).tobytes()
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(0 if sg.softmax(x).tobytes() == before else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert sg.softmax(x).tobytes() == before
print("both work")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode not in (-signal.SIGALRM, -signal.SIGSEGV)
    assert done.stdout == "both work\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork() is a Unix call")
def test_children_forked_while_other_threads_compute() -> None:
    program = """
import os, signal, threading, warnings
import numpy as np, softgrad as sg
warnings.simplefilter("ignore", DeprecationWarning)
sg.set_num_threads(3)
x = np.random.default_rng(2).normal(size=(400, 400))
expected = sg.softmax(x).tobytes()
stop = threading.Event()
wrong = []

def compute():
    while not stop.is_set():
        if sg.softmax(x).tobytes() != expected:
            wrong.append("a thread of the parent")

threads = [threading.Thread(target=compute) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if sg.softmax(x).tobytes() == expected else 1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        wrong.append("a child")
stop.set()
for thread in threads:
    thread.join()
print(wrong)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "[]\n", done.stderr


PROCESSES = """
import multiprocessing
with multiprocessing.get_context("{how}").Pool(2) as pool:
    results = pool.map(sg.softmax, arrays)
"""
JOBS = """
import joblib
results = joblib.Parallel(n_jobs=2, backend="{how}")(joblib.delayed(sg.softmax)(x) for x in arrays)
"""


@pytest.mark.parametrize(
    ("calls", "how"),
    [
        pytest.param(PROCESSES, "fork", marks=pytest.mark.skipif(sys.platform == "win32", reason="of Unix")),
        pytest.param(PROCESSES, "forkserver", marks=pytest.mark.slow),
        pytest.param(PROCESSES, "spawn", marks=pytest.mark.slow),
        (JOBS, "threading"),
        pytest.param(JOBS, "loky", marks=pytest.mark.slow),
    ],
)
def test_calls_spread_over_workers(calls: str, how: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    body = calls.format(how=how).replace("\n", "\n    ")
    program.write_text(f"""
import warnings
import numpy as np, softgrad as sg
warnings.simplefilter("ignore", DeprecationWarning)
if __name__ == "__main__":
    sg.set_num_threads(3)
    arrays = list(np.random.default_rng(3).normal(size=(6, 300, 400)))
    expected = [sg.softmax(x).tobytes() for x in arrays]{body}
    print([result.tobytes() for result in results] == expected)
""")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "True\n", done.stderr


def test_idle_threads_cost_nothing() -> None:
    sg.set_num_threads(4)
    sg.softmax(np.zeros((400, 1000)))
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    # One thread that waited by looking again and again would have taken all of it.
    assert time.process_time() - before < 0.1


def test_the_interpreter_is_free_while_a_kernel_runs() -> None:
    logits = np.zeros((400, 100_000), np.float32)
    out = np.full_like(logits, -1.0)
    sg.set_num_threads(1)
    worker = threading.Thread(target=lambda: sg.softmax(logits, out=out))
    worker.start()
    while out[0, 0] < 0.0:
        pass
    # The kernel is between its first row and its last: a call that kept the lock would not let this thread see that.
    count = 0
    while out[-1, -1] < 0.0:
        count += 1
    worker.join()
    assert count > 100
    np.testing.assert_array_equal(out, np.float32(1e-5))


def test_thread_settings() -> None:
    sg.set_num_threads(3)
    assert sg.get_num_threads() == 3
    with pytest.raises(ValueError, match="count is 0"):
        sg.set_num_threads(0)
    with pytest.raises(ValueError, match="count is 1025; it must be between 1 and 1024"):
        sg.set_num_threads(1025)
    for wrong in (2.0, "2", True, None):
        with pytest.raises(TypeError, match=f"count must be an integer, got {type(wrong).__name__}"):
            sg.set_num_threads(wrong)  # type: ignore[arg-type]
    assert sg.get_num_threads() == 3
    sg.set_num_threads(np.int64(2))  # type: ignore[arg-type]
    assert sg.get_num_threads() == 2


def test_threads_of_a_block() -> None:
    sg.set_num_threads(3)
    with sg.num_threads(1):
        assert sg.get_num_threads() == 1
    assert sg.get_num_threads() == 3
    with pytest.raises(KeyError), sg.num_threads(2):
        raise KeyError
    assert sg.get_num_threads() == 3
    with pytest.raises(ValueError, match="count is 0"), sg.num_threads(0):
        pass
    assert sg.get_num_threads() == 3


def run_without_setting(program: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "SOFTGRAD_NUM_THREADS"}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is set by a call of Linux")
def test_the_default_keeps_to_the_affinity_of_the_caller() -> None:
    """Whether it was set before the import or after the first call, for the process or for one thread."""
    program = """
import os
from concurrent.futures import ThreadPoolExecutor
every = os.sched_getaffinity(0)
one = {min(every)}
os.sched_setaffinity(0, one)
import numpy as np, softgrad as sg
print(sg.get_num_threads())
os.sched_setaffinity(0, every)
most = sg.get_num_threads()
with sg.num_threads(7):
    sg.softmax(np.zeros((300, 1000)))
os.sched_setaffinity(0, one)
print(sg.get_num_threads(), 1 <= most <= len(every))
os.sched_setaffinity(0, every)
with ThreadPoolExecutor(1) as other:
    print(other.submit(lambda: os.sched_setaffinity(0, one) or sg.get_num_threads()).result())
print(sg.get_num_threads() == most)
"""
    assert run_without_setting(program) == "1\n1 True\n1\nTrue\n"


def test_threads_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import softgrad as sg; print(sg.get_num_threads())"

    def run_with(value: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SOFTGRAD_NUM_THREADS": value}
        return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)

    assert run_with("5").stdout == "5\n"
    wrong = run_with("many")
    assert wrong.returncode != 0
    assert "SOFTGRAD_NUM_THREADS is 'many'; it must be an integer between 1 and 1024" in wrong.stderr
    sg.set_num_threads(3)
    for value in ("0", "-2", "2.5", "1025"):
        monkeypatch.setenv("SOFTGRAD_NUM_THREADS", value)
        with pytest.raises(ValueError, match=f"SOFTGRAD_NUM_THREADS is '{value}'; it must be"):
            _native._threads_from_environment()
    assert sg.get_num_threads() == 3
    monkeypatch.setenv("SOFTGRAD_NUM_THREADS", "")
    _native._threads_from_environment()
    assert sg.get_num_threads() == 3


def test_threadpoolctl_lists_and_limits() -> None:
    sg.set_num_threads(3)
    mine = threadpoolctl.ThreadpoolController().select(user_api="softgrad")
    (listed,) = mine.info()
    assert (listed["internal_api"], listed["num_threads"]) == ("softgrad", 3)
    assert listed["filepath"] == _native._core.__file__
    with threadpoolctl.threadpool_limits(1):
        assert sg.get_num_threads() == 1
    assert sg.get_num_threads() == 3
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        assert sg.get_num_threads() == 3
