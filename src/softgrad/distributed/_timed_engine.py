"""Calls that may take a time each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from softgrad.distributed._engine import Engine, Handle

# What it may take to end a worker that hangs, and to start one.
RESTART_SECONDS = 60.0


class TimedEngine(Engine):
    """An engine that ends a worker that takes too long, once; then its calls are repeated in its place.

    An engine that derives from it says in `_begun` what it has begun.

    Parameters
    ----------
    runs : sequence of range
    timeout : float
        Seconds that a call may take.
    """

    def __init__(self, runs: Sequence[range], timeout: float) -> None:
        self.runs = runs
        self._timeout = timeout
        # The values that nobody has waited for, and the worker of each.
        self._begun: dict[Handle, int] = {}

    def get(self, handles: Sequence[Handle]) -> list[Any]:
        late = self._late(self._timeout)
        if late:
            self._end_hanging(late)
        for worker in self._late(self._timeout + RESTART_SECONDS):
            run = self.runs[worker]
            raise TimeoutError(
                f"worker {worker}, which has the shards {run.start} to {run.stop - 1}, took more than "
                f"{self._timeout:g} seconds for a pass over them, twice; raise timeout if that is not too long"
            )
        self._begun = {}
        return self._values(handles)

    def _late(self, seconds: float) -> list[int]:
        """Wait for what was begun, and name the workers of what takes longer."""
        return sorted({self._begun[handle] for handle in self._unfinished(list(self._begun), seconds)})

    @abstractmethod
    def _unfinished(self, handles: Sequence[Handle], seconds: float) -> Iterable[Handle]:
        """Wait for values, and name those that take longer."""

    @abstractmethod
    def _end_hanging(self, workers: Sequence[int]) -> None:
        """End the processes of workers; others make their values."""

    @abstractmethod
    def _values(self, handles: Sequence[Handle]) -> list[Any]:
        """Values that are there, or the error of one."""
