"""Another process on one of the two cores

A process of the benchmark's own spins on one core while softgrad, with two threads, computes the loss and its gradient
(float32, into an array of its own). "one thread" is the same call on one thread with nobody else at work, which has the
whole of memory and a core of its own. 16 calls are timed together: what counts is their mean, since a call that waits
for a thread that has been scheduled away is rare, and long.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

import softgrad as sg
from benchmarks._contender import Contender
from benchmarks._harness import Bench, Case
from benchmarks._machine import available_cpus
from benchmarks._results import Row
from benchmarks.cross_entropy import check_value_and_grad, rows_and_labels

# It ends with the process that started it, also if that is killed.
_SPIN = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {{{cpu}}})
while os.getppid() == {parent}:
    for _ in range(1_000_000):
        pass
"""
# Until the scheduler treats the process that spins as one that always does.
_HEAD_START_SECONDS = 0.05
_TOGETHER = 16


class _Spinner:
    """A process that keeps a core busy while asked to, and is stopped otherwise."""

    def __init__(self, cpu: int) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", _SPIN.format(cpu=cpu, parent=os.getpid())])
        self._process.send_signal(signal.SIGSTOP)

    @contextmanager
    def busy(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGCONT)
        try:
            time.sleep(_HEAD_START_SECONDS)
            yield
            if self._process.poll() is not None:
                raise RuntimeError("the process that was to keep a core busy has ended")
        finally:
            self._process.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def _one_thread() -> Iterator[None]:
    before = sg.get_num_threads()
    sg.set_num_threads(1)
    try:
        yield
    finally:
        sg.set_num_threads(before)


def _case(bench: Bench, spinner: _Spinner, rows: int, classes: int) -> Case:
    pairs = rows_and_labels(bench, rows, classes)
    calls = [partial(sg.cross_entropy.value_and_grad, *pair, out=np.empty_like(pair[0])) for pair in pairs]
    return Case(
        f"cross_entropy.value_and_grad {rows} x {classes}, a core busy",
        Contender(calls, together=_TOGETHER, during=spinner.busy),
        check_value_and_grad(*pairs[0], -1),
        floors={
            "one thread": Contender(calls, together=_TOGETHER, during=_one_thread),
            "two threads": Contender(calls, together=_TOGETHER),
        },
        at_most={"one thread": 1.3},
    )


def rows(bench: Bench) -> Iterator[Row]:
    spinner = _Spinner(available_cpus()[-1])
    try:
        shapes = [(16, 50)] if bench.quick else [(65536, 10), (1024, 1000)]
        yield from bench.timed(_case(bench, spinner, *shape) for shape in shapes)
    finally:
        spinner.end()
