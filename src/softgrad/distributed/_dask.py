"""Dask's workers."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import dask
import distributed

from softgrad.distributed._engine import RESTART_SECONDS, Engine, Handle, Method, late_error, runs_of
from softgrad.distributed._own_place import own_folder, started
from softgrad.distributed._shard_worker import ShardWorker, added
from softgrad.linear_model._data._file_shards import FileShard


class DaskEngine(Engine):
    """Tasks, each on the worker that has the run of shards it is for, or on another one where that is gone.

    Parameters
    ----------
    address : str
        Of the scheduler; "local" starts a cluster on this machine.
    workers : int or None
        None: as many as there are.
    timeout : float
        Seconds that a call may take.
    shards : sequence of FileShard
    """

    def __init__(self, address: str, workers: int | None, timeout: float, shards: Sequence[FileShard]) -> None:
        self._cluster = ExitStack()
        made = _own_cluster(workers) if address == "local" else distributed.Client(address, set_as_default=False)
        self._client = self._cluster.enter_context(made)
        places = sorted(self._client.scheduler_info(n_workers=-1)["workers"])
        if len(places) < (workers or 1):
            self._cluster.close()
            raise ValueError(f"workers is {workers}; the Dask cluster at {address} has {len(places)}")
        self._places = places[:workers]
        self.runs = runs_of(shards, len(self._places))
        self._shards = shards
        self._timeout = timeout
        # The calls that nobody has waited for, and the worker of each.
        self._begun: dict[Handle, int] = {}

    def put(self, value: object) -> Handle:
        # What is scattered is lost with its worker; what a task gives is made again. Arrays arrive where they happen to
        # be in a message, so that they are sent as bytes.
        return self._client.submit(_Packed, pickle.dumps(value, pickle.HIGHEST_PROTOCOL), pure=False)

    def call(self, worker: int, method: Method, *arguments: Handle, returns: int = 1) -> list[Handle]:
        run = self.runs[worker]
        where = {"workers": [self._places[worker]], "allow_other_workers": True, "pure": False}
        shards = tuple(self._shards[run.start : run.stop])
        values = self._client.submit(_call, run.start, shards, method, *arguments, **where)
        self._begun[values] = worker
        return [self._client.submit(itemgetter(place), values, pure=False) for place in range(returns)]

    def add(self, term: Handle, left: Handle, right: Handle) -> Handle:
        return self._client.submit(_added, term, left, right, pure=False)

    def get(self, handles: Sequence[Handle]) -> list[Any]:
        if self._late(self._timeout):
            # Their tasks go to others.
            hanging = [place for place, tasks in self._client.processing().items() if tasks]
            self._client.restart_workers(hanging, timeout=RESTART_SECONDS, raise_for_error=False)
        for worker in self._late(self._timeout + RESTART_SECONDS):
            raise late_error(self.runs, worker, self._timeout)
        self._begun = {}
        return list(self._client.gather(handles))

    def _late(self, seconds: float) -> list[int]:
        """Wait for the calls that were begun, and name the workers of those that take longer."""
        try:
            with self._client.as_current():
                distributed.wait(list(self._begun), timeout=seconds)
        except TimeoutError:
            return sorted({worker for call, worker in self._begun.items() if not call.done()})
        return []

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
def _worker(first: int, shards: tuple[FileShard, ...]) -> ShardWorker:
    """Kept between calls: opening a file reads it."""
    return ShardWorker(first, shards)


def _call(first: int, shards: tuple[FileShard, ...], method: Method, *arguments: Any) -> Any:
    return getattr(_worker(first, shards), method)(*map(_unpacked, arguments))


@contextmanager
def _own_cluster(workers: int | None) -> Iterator[distributed.Client]:
    """Processes on this machine alone, of which nothing is left in the end."""
    options = {
        "distributed.scheduler.allowed-failures": 1 << 30,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
    with own_folder("dask") as place, dask.config.set(options):

        def start() -> distributed.LocalCluster:
            return distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                local_directory=place,
                silence_logs=logging.ERROR,
            )

        with started(start) as cluster, cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client
