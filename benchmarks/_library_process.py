"""A library in a process of its own, which takes a turn when it is told to.

Threads that a library lets spin after its calls, and what it does to the memory it allocates, slow no other one: a turn
ends when every thread of the process sleeps.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from benchmarks._harness import Turns, settle
from benchmarks._peers import PEERS
from benchmarks._shapes_work import Work, softgrad


class LibraryProcess:
    """The side of who asks."""

    def __init__(self, name: str) -> None:
        self._name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # A daemon does not outlive this process; if that is killed, the pipe is closed, which ends it too.
        self._process = context.Process(target=_serve, args=(theirs, name), daemon=True)
        self._process.start()
        theirs.close()

    def tell(self, task: str, *arguments: Any) -> None:
        """Begin a task, a method of `_Library`; its answer must be read before the next."""
        try:
            self._pipe.send((task, arguments))
        except BrokenPipeError:
            raise self._has_ended() from None

    def answer(self) -> Any:
        try:
            said, failure = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            raise self._has_ended() from None
        if failure is not None:
            raise RuntimeError(f"{self._name} failed:\n{failure}")
        return said

    def asked(self, task: str) -> Any:
        self.tell(task)
        return self.answer()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _has_ended(self) -> RuntimeError:
        self._process.join()
        return RuntimeError(f"the process of {self._name} has ended, with exit code {self._process.exitcode}")


@contextmanager
def started(libraries: Sequence[str]) -> Iterator[dict[str, LibraryProcess]]:
    """A process for each library, ended on the way out."""
    with ExitStack() as stack:
        processes = {}
        for library in libraries:
            processes[library] = LibraryProcess(library)
            stack.callback(processes[library].end)
        yield processes


class _Library:
    """What a process does, a method for each task."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._peer = softgrad() if name == "softgrad" else PEERS[name][0]()
        self._work: Work | None = None
        self._turns: Turns | None = None

    def prepare(self, function: str, entries: int, classes: int, seed: int) -> None:
        # The arrays may be large: they go before the next are made.
        self._work = self._turns = None
        gc.collect()
        self._work = Work(self._name, self._peer, function, entries, classes, seed)
        self._work.check()
        settle()

    def take_turn(self) -> list[float]:
        assert self._work is not None
        if self._turns is None:
            # Not when it is prepared, while the others are at work.
            self._turns = Turns(self._work.contender)
        seconds = self._turns.take()
        settle()
        return seconds

    def error(self) -> float:
        assert self._work is not None
        return self._work.error()


def _serve(pipe: Connection, name: str) -> None:
    # An interrupt is for the process that asks, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    library = _Library(name)
    gc.disable()
    # What is loaded stays, and need not be looked through before each task.
    gc.freeze()
    try:
        while True:
            task, arguments = pipe.recv()
            try:
                answer = (getattr(library, task)(*arguments), None)
            except Exception:
                answer = (None, traceback.format_exc())
            pipe.send(answer)
    except (EOFError, BrokenPipeError):
        # Who asks has gone, and with it the reason for this process.
        return
