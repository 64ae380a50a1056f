"""A library in a process of its own, which does its work when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

from benchmarks import _worker_process
from benchmarks._peers import PEERS
from benchmarks._shapes_work import Work, softgrad
from benchmarks._worker_process import TurnTaker, WorkerProcess


def started(libraries: Sequence[str]) -> AbstractContextManager[dict[str, WorkerProcess]]:
    """A process for each library, ended on the way out."""
    return _worker_process.started({name: partial(_Library, name) for name in libraries})


class _Library(TurnTaker):
    """What a process does, a method for each task."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._peer = softgrad() if name == "softgrad" else PEERS[name][0]()
        self._work: Work | None = None

    def prepare(self, function: str, entries: int, classes: int, seed: int) -> None:
        self._work = None
        self.clear()
        self._work = Work(self._name, self._peer, function, entries, classes, seed)
        self._work.check()
        self.ready(self._work.contender)

    def error(self) -> float:
        assert self._work is not None
        return self._work.error()
