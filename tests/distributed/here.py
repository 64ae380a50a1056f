"""An engine whose workers are in this process, that notes what it is asked."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

from softgrad.distributed._engine import Engine, Handle, Method, runs_of
from softgrad.distributed._shard_worker import ShardWorker, added
from softgrad.linear_model._data._file_shards import FileShard


class HereEngine(Engine):
    """What goes to a worker and comes back is copied."""

    def __init__(self, workers: int, shards: Sequence[FileShard]) -> None:
        self.runs = runs_of(shards, workers)
        self.workers = [ShardWorker(run.start, shards[run.start : run.stop]) for run in self.runs]
        self.values: list[Any] = []
        self.added = 0
        self.gathered = 0
        self.closed = False

    def put(self, value: object) -> Handle:
        self.values.append(_sent(value))
        return _Place(len(self.values) - 1)

    def call(self, worker: int, method: Method, *arguments: Handle, returns: int = 1) -> list[Handle]:
        values = getattr(self.workers[worker], method)(*map(self._value, arguments))
        assert len(values) == returns
        return [self.put(value) for value in values]

    def add(self, term: Handle, left: Handle, right: Handle) -> Handle:
        self.added += 1
        return self.put(added(*map(self._value, (term, left, right))))

    def get(self, handles: Sequence[Handle]) -> list[Any]:
        self.gathered += len(handles)
        return [self._value(handle) for handle in handles]

    def close(self) -> None:
        self.closed = True

    def _value(self, argument: Any) -> Any:
        return self.values[argument] if isinstance(argument, _Place) else argument


class _Place(int):
    """Where a value is."""


def _sent(value: object) -> Any:
    """What arrives of a value; its arrays are read-only, as those of an engine may be."""
    buffers: list[pickle.PickleBuffer] = []
    sent = pickle.dumps(value, 5, buffer_callback=buffers.append)
    return pickle.loads(sent, buffers=[bytes(buffer.raw()) for buffer in buffers])
