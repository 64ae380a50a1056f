"""An engine whose workers are in this process, so that what they do is seen and takes no time to start."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from softgrad.distributed import _engines
from softgrad.distributed._engine import Engine, Handle, Method, Shard, runs_of
from softgrad.distributed._shard_worker import ShardWorker, added
from softgrad.linear_model._data._files import FileBatches
from softgrad.linear_model._data._svmlight import SvmlightFile


class InProcessEngine(Engine):
    """What goes to a worker or comes from it is pickled, as on a cluster; `working` says that one is at work.

    Of the errors of several workers it raises the last one, as any may come first.
    """

    working = False

    def __init__(self, n_workers: int, shards: Sequence[Shard]) -> None:
        self.runs = runs_of(shards, n_workers)
        self._workers = [ShardWorker(run.start, _sent(shards[run.start : run.stop])) for run in self.runs]

    def put(self, value: object) -> Handle:
        return pickle.dumps(value)

    def call(self, worker: int, method: Method, *arguments: Handle, returns: int = 1) -> list[Handle]:
        def received(argument: Handle) -> Any:
            return pickle.loads(argument) if isinstance(argument, bytes) else argument

        try:
            with _at_work():
                values = getattr(self._workers[worker], method)(*map(received, arguments))
        except Exception as error:
            return [error] * returns
        assert len(values) == returns
        return [_sent(value) for value in values]

    def add(self, term: Handle, left: Handle, right: Handle) -> Handle:
        return added(pickle.loads(term), left, right)

    def get(self, handles: Sequence[Handle]) -> list[Any]:
        for handle in reversed(handles):
            if isinstance(handle, Exception):
                raise handle
        return list(handles)

    def close(self) -> None:
        self._workers = []


def _sent(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@contextmanager
def _at_work() -> Iterator[None]:
    InProcessEngine.working = True
    try:
        yield
    finally:
        InProcessEngine.working = False


def use_in_process_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands with --ray have these workers."""

    def engine(_: str, workers: int | None, __: float, shards: Sequence[Shard]) -> Engine:
        return InProcessEngine(workers or 2, shards)

    cluster: Callable[..., Any] = lambda *_: nullcontext()  # noqa: E731
    monkeypatch.setattr(_engines, "ray_engine", engine)
    monkeypatch.setattr(_engines, "ray_cluster", cluster)


def rows_read_here(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many rows of each file this process reads from now on, but for those that a worker reads."""
    rows: Counter[str] = Counter()
    of_columns, of_svmlight = FileBatches.__iter__, SvmlightFile._parsed

    def counted(self: FileBatches) -> Iterator[Any]:
        for batch in of_columns(self):
            if not InProcessEngine.working:
                rows[Path(self.name).name] += batch.num_rows
            yield batch

    def parsed(self: SvmlightFile, **options: Any) -> Iterator[Any]:
        for X, y in of_svmlight(self, **options):
            if not InProcessEngine.working:
                rows[Path(self.name).name] += len(y)
            yield X, y

    monkeypatch.setattr(FileBatches, "__iter__", counted)
    monkeypatch.setattr(SvmlightFile, "_parsed", parsed)
    return rows
