"""A process of its own that does a task when it is told to, and takes turns with others.

Threads that a library lets spin after its calls, and what it does to the memory it allocates, slow no other one: a turn
ends when every thread of the process sleeps.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from benchmarks._contender import Contender
from benchmarks._harness import Turns, in_order, settle
from benchmarks._results import Spread

# Who has taken so long takes no other turn: the noise of a long call is small beside it.
_TURNS, _ENOUGH_SECONDS = 3, 0.5


class WorkerProcess:
    """The side of who asks."""

    def __init__(self, name: str, make: Callable[[], Any]) -> None:
        self._name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # A daemon does not outlive this process; if that is killed, the pipe is closed, which ends it too.
        self._process = context.Process(target=_serve, args=(theirs, make), daemon=True)
        self._process.start()
        theirs.close()

    def tell(self, task: str, *arguments: Any) -> None:
        """Begin a task, a method of what was made there; its answer must be read before the next."""
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
def started(workers: Mapping[str, Callable[[], Any]]) -> Iterator[dict[str, WorkerProcess]]:
    """A process for each of them, which makes its worker; ended on the way out."""
    with ExitStack() as stack:
        processes = {}
        for name, make in workers.items():
            processes[name] = WorkerProcess(name, make)
            stack.callback(processes[name].end)
        yield processes


def all_asked(processes: Mapping[str, WorkerProcess], task: str, *arguments: Any) -> list[Any]:
    """The answers to a task that is done at once in all of them: what is not timed may be disturbed."""
    for process in processes.values():
        process.tell(task, *arguments)
    return [process.answer() for process in processes.values()]


def timed_in_turns(processes: Mapping[str, WorkerProcess]) -> dict[str, Spread]:
    """The turn of each that has the least median."""
    taken: dict[str, list[Spread]] = {name: [] for name in processes}
    spent = dict.fromkeys(processes, 0.0)
    for turn in range(_TURNS):
        for name in in_order(list(processes), turn):
            if spent[name] < _ENOUGH_SECONDS:
                start = time.monotonic()
                taken[name].append(Spread.of(processes[name].asked("take_turn")))
                spent[name] += time.monotonic() - start
    return {name: min(turns, key=lambda turn: turn.median) for name, turns in taken.items()}


class TurnTaker:
    """What a process has that takes turns: a contender at a time."""

    def __init__(self) -> None:
        self._contender: Contender | None = None
        self._turns: Turns | None = None

    def clear(self) -> None:
        """The arrays may be large: they go before the next are made."""
        self._contender = self._turns = None
        gc.collect()

    def ready(self, contender: Contender) -> None:
        self._contender = contender
        settle()

    def take_turn(self) -> list[float]:
        assert self._contender is not None
        if self._turns is None:
            # Not when it is made ready, while the others are at work.
            self._turns = Turns(self._contender)
        seconds = self._turns.take()
        settle()
        return seconds


def _serve(pipe: Connection, make: Callable[[], Any]) -> None:
    # An interrupt is for the process that asks, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = make()
    gc.disable()
    # What is loaded stays, and need not be looked through before each task.
    gc.freeze()
    try:
        while True:
            task, arguments = pipe.recv()
            try:
                answer = (getattr(worker, task)(*arguments), None)
            except Exception:
                answer = (None, traceback.format_exc())
            pipe.send(answer)
    except (EOFError, BrokenPipeError):
        # Who asks has gone, and with it the reason for this process.
        return
