"""The same bits whatever the threads; calls from many threads at once; life after fork()."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import softgrad as sg


@pytest.fixture(autouse=True)
def restored_threads() -> Iterator[None]:
    before = sg.get_num_threads()
    yield
    sg.set_num_threads(before)


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
    with pytest.raises(TypeError, match="count must be an integer"):
        sg.set_num_threads(2.0)  # type: ignore[arg-type]
    assert sg.get_num_threads() == 3


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


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is set by a call of Linux")
def test_the_default_keeps_to_the_affinity_of_the_process() -> None:
    program = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import softgrad as sg
print(sg.get_num_threads())
"""
    environment = {name: value for name, value in os.environ.items() if name != "SOFTGRAD_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def run_with(name: str, value: str) -> subprocess.CompletedProcess[str]:
    program = "import softgrad as sg; print(sg.get_num_threads())"
    environment = {**os.environ, name: value}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_threads_from_the_environment() -> None:
    assert run_with("SOFTGRAD_NUM_THREADS", "5").stdout == "5\n"
    wrong = run_with("SOFTGRAD_NUM_THREADS", "many")
    assert wrong.returncode != 0
    assert "SOFTGRAD_NUM_THREADS is 'many'; it must be an integer between 1 and 1024" in wrong.stderr
