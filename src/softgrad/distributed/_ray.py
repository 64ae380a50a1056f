"""Ray's actors as workers."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import ray

from softgrad.distributed._engine import RESTART_SECONDS, Engine, Handle, Method, late_error, runs_of
from softgrad.distributed._own_place import own_folder, started
from softgrad.distributed._shard_worker import ShardWorker, added
from softgrad.linear_model._data._file_shards import FileShard

# Of a cluster that is asked whether it is there.
_ANSWER_SECONDS = 10.0


class RayEngine(Engine):
    """Actors, one for each run of the shards, each on one CPU.

    Parameters
    ----------
    address : str
        Of a cluster; "local" starts one on this machine.
    workers : int or None
        None: as many as there are CPUs.
    timeout : float
        Seconds that a call may take.
    shards : sequence of FileShard
    """

    def __init__(self, address: str, workers: int | None, timeout: float, shards: Sequence[FileShard]) -> None:
        self._cluster = ExitStack()
        if not ray.is_initialized():
            self._cluster.enter_context(_own_cluster(workers) if address == "local" else _connected(address))
        self.runs = runs_of(shards, workers or int(ray.cluster_resources()["CPU"]))
        # A worker that dies is started again, from its paths alone, and its call is repeated.
        actor = ray.remote(max_restarts=-1, max_task_retries=-1, num_cpus=1)(_Actor)
        self._actors = [actor.remote(run.start, shards[run.start : run.stop]) for run in self.runs]
        self._timeout = timeout
        # The calls that nobody has waited for, and the worker of each.
        self._begun: dict[Handle, int] = {}

    def put(self, value: object) -> Handle:
        return ray.put(value)

    def call(self, worker: int, method: Method, *arguments: Handle, returns: int = 1) -> list[Handle]:
        called = self._actors[worker].call.options(num_returns=returns).remote(method, *arguments)
        handles = [called] if returns == 1 else called
        self._begun |= dict.fromkeys(handles, worker)
        return handles

    def add(self, term: Handle, left: Handle, right: Handle) -> Handle:
        worker = self._begun[left]
        handle = self._actors[worker].add.remote(term, left, right)
        self._begun[handle] = worker
        return handle

    def get(self, handles: Sequence[Handle]) -> list[Any]:
        for worker in self._late(self._timeout):
            # Its call is repeated.
            ray.kill(self._actors[worker], no_restart=False)
        for worker in self._late(self._timeout + RESTART_SECONDS):
            raise late_error(self.runs, worker, self._timeout)
        self._begun = {}
        try:
            values: list[Any] = ray.get(list(handles))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        return values

    def _late(self, seconds: float) -> list[int]:
        """Wait for the calls that were begun, and name the workers of those that take longer."""
        calls = list(self._begun)
        _, waiting = ray.wait(calls, num_returns=len(calls), timeout=seconds, fetch_local=False)
        return sorted({self._begun[call] for call in waiting})

    def close(self) -> None:
        if ray.is_initialized():
            for actor in self._actors:
                ray.kill(actor)
        self._actors = []
        self._cluster.close()


class _Actor:
    """A `ShardWorker` whose single values are no lists."""

    def __init__(self, first: int, shards: Sequence[FileShard]) -> None:
        self._worker = ShardWorker(first, shards)

    def call(self, method: Method, *arguments: Any) -> Any:
        values = getattr(self._worker, method)(*arguments)
        return values[0] if len(values) == 1 else tuple(values)

    def add(self, term: Any, left: Any, right: Any) -> Any:
        return added(term, left, right)


@contextmanager
def _connected(address: str) -> Iterator[None]:
    host, _, port = address.rpartition(":")
    if "://" not in host and port.isdigit():
        # Ray itself would try for ever.
        try:
            socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
        except OSError as error:
            raise ConnectionError(f"no Ray cluster answers at {address}: {error}") from None
    ray.init(address, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


@cache
def _token() -> str:
    """What the processes of a cluster know each other by; Ray reads it once in a process."""
    return secrets.token_hex(32)


@contextmanager
def _own_cluster(workers: int | None) -> Iterator[None]:
    """A cluster on this machine alone, of which nothing is left in the end.

    Ray by itself would leave its token in the home directory, and send a report of use.
    """
    with own_folder("ray") as place:
        # Only the owner can enter the folder.
        token = Path(place, "token")
        token.write_text(_token())

        def start() -> None:
            os.environ.update(RAY_AUTH_TOKEN_PATH=str(token), RAY_USAGE_STATS_ENABLED="0")
            ray.init(
                "local",
                num_cpus=workers,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
                _node_ip_address="127.0.0.1",
                _temp_dir=place,
            )

        with started(start):
            try:
                yield
            finally:
                ray.shutdown()
