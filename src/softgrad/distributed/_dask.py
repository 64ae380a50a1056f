"""Dask's workers."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import dask
import distributed

from softgrad.distributed._engine import Handle, Method, Shard, runs_of
from softgrad.distributed._own_place import own_folder, started
from softgrad.distributed._shard_worker import ShardWorker, added
from softgrad.distributed._timed_engine import RESTART_SECONDS, TimedEngine


class DaskEngine(TimedEngine):
    """Tasks, each on the worker that has the run of shards it is for, or on another one where that is gone.

    Parameters
    ----------
    address : str
        Of the scheduler; "local" starts a cluster on this machine.
    workers : int or None
        None: as many as there are.
    timeout : float
        Seconds that a call may take.
    shards : sequence of Shard
    """

    def __init__(self, address: str, workers: int | None, timeout: float, shards: Sequence[Shard]) -> None:
        with ExitStack() as cluster:
            made = _own_cluster(workers) if address == "local" else distributed.Client(address, set_as_default=False)
            self._client = cluster.enter_context(made)
            places = sorted(self._client.scheduler_info(n_workers=-1)["workers"])
            if len(places) < (workers or 1):
                raise ValueError(f"workers is {workers}; the Dask cluster at {address} has {len(places)}")
            self._cluster = cluster.pop_all()
        super().__init__(runs_of(shards, len(places[:workers])), timeout)
        self._places = places
        self._shards = shards

    def put(self, value: object) -> Handle:
        # What is scattered is lost with its worker; what a task gives is made again. Arrays arrive where they happen to
        # be in a message, so that they are sent as bytes.
        return self._client.submit(_Packed, pickle.dumps(value, pickle.HIGHEST_PROTOCOL), pure=False)

    def call(self, worker: int, method: Method, *arguments: Handle, returns: int = 1) -> list[Handle]:
        run = self.runs[worker]
        where = {"workers": [self._places[worker]], "allow_other_workers": True, "pure": False}
        shards = tuple(self._shards[run.start : run.stop])
        values = self._client.submit(_call, run.start, shards, method, *arguments, **where)
        handles = [self._client.submit(itemgetter(place), values, pure=False) for place in range(returns)]
        self._begun |= dict.fromkeys(handles, worker)
        return handles

    def add(self, term: Handle, left: Handle, right: Handle) -> Handle:
        handle = self._client.submit(_added, term, left, right, pure=False)
        self._begun[handle] = self._begun[left]
        return handle

    def _unfinished(self, handles: Sequence[Handle], seconds: float) -> Iterable[Handle]:
        try:
            with self._client.as_current():
                distributed.wait(handles, timeout=seconds)
        except TimeoutError:
            return [handle for handle in handles if not handle.done()]
        return []

    def _end_hanging(self, workers: Sequence[int]) -> None:  # noqa: ARG002
        # What is late may be on another worker than its own.
        hanging = [place for place, tasks in self._client.processing().items() if tasks]
        self._client.restart_workers(hanging, timeout=RESTART_SECONDS, raise_for_error=False)

    def _values(self, handles: Sequence[Handle]) -> list[Any]:
        return list(self._client.gather(handles))

    def close(self) -> None:
        self._cluster.close()


@dataclass
class _Packed:
    """A value on its way to a worker."""

    content: bytes


def _unpacked(argument: Any) -> Any:
    return pickle.loads(argument.content) if isinstance(argument, _Packed) else argument


def _added(term: _Packed, left: Any, right: Any) -> Any:
    return added(_unpacked(term), left, right)


@lru_cache(maxsize=16)
def _worker(first: int, shards: tuple[Shard, ...]) -> ShardWorker:
    """Kept between calls: opening a file reads it."""
    return ShardWorker(first, shards)


def _call(first: int, shards: tuple[Shard, ...], method: Method, *arguments: Any) -> Any:
    return getattr(_worker(first, shards), method)(*map(_unpacked, arguments))


@contextmanager
def _own_cluster(workers: int | None) -> Iterator[distributed.Client]:
    """Processes on this machine alone, of which nothing is left in the end."""
    options = {
        "distributed.scheduler.allowed-failures": 1 << 30,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    # The scheduler has a folder of its own there, not only the workers.
    with own_folder("dask") as place, dask.config.set(options | {"temporary-directory": place}):

        def start() -> distributed.LocalCluster:
            return distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.ERROR,
            )

        with started(start) as cluster, cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client
