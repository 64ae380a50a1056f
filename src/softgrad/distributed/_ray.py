"""Ray's actors as workers."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants

from softgrad.distributed._engine import Handle, Method, Shard, runs_of
from softgrad.distributed._own_place import own_folder, started
from softgrad.distributed._shard_worker import ShardWorker, added
from softgrad.distributed._timed_engine import RESTART_SECONDS, TimedEngine

# Of a cluster that is asked whether it is there.
_ANSWER_SECONDS = 10.0
# Of the files of a cluster of our own, which take some 20 KiB a worker at first.
_ROOM_BYTES = 1 << 24


class RayEngine(TimedEngine):
    """Actors, one for each run of the shards, each on one CPU.

    Parameters
    ----------
    address : str
        Of a cluster; "local" starts one on this machine.
    workers : int or None
        None: as many as there are CPUs.
    timeout : float
        Seconds that a call may take, and that the workers wait for CPUs.
    shards : sequence of Shard
    """

    def __init__(self, address: str, workers: int | None, timeout: float, shards: Sequence[Shard]) -> None:
        with ExitStack() as stack:
            stack.enter_context(cluster(address, workers))
            cpus = int(ray.cluster_resources().get("CPU", 0))
            if cpus < (workers or 1):
                raise ValueError(f"workers is {workers}; {_cluster_and_its(cpus)}")
            super().__init__(runs_of(shards, workers or cpus), timeout)
            # A worker that dies is started again, from its paths alone, and its call is repeated.
            actor = ray.remote(max_restarts=-1, max_task_retries=-1, num_cpus=1)(_Actor)
            self._actors = [actor.remote(run.start, shards[run.start : run.stop]) for run in self.runs]
            stack.callback(self._end_actors)
            started = [actor.__ray_ready__.remote() for actor in self._actors]
            seconds = timeout + RESTART_SECONDS
            _, waiting = ray.wait(started, num_returns=len(started), timeout=seconds, fetch_local=False)
            if waiting:
                free = ray.available_resources().get("CPU", 0)
                raise TimeoutError(
                    f"{len(waiting)} of {len(started)} workers did not start in {seconds:g} seconds; "
                    f"{_cluster_and_its(cpus)}, {free:g} of them free: wait until others give theirs back, ask for "
                    f"fewer workers, or raise timeout"
                )
            self._cluster = stack.pop_all()

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

    def _unfinished(self, handles: Sequence[Handle], seconds: float) -> Iterable[Handle]:
        waiting: list[Handle] = ray.wait(handles, num_returns=len(handles), timeout=seconds, fetch_local=False)[1]
        return waiting

    def _end_hanging(self, workers: Sequence[int]) -> None:
        for worker in workers:
            ray.kill(self._actors[worker], no_restart=False)

    def _values(self, handles: Sequence[Handle]) -> list[Any]:
        try:
            values: list[Any] = ray.get(list(handles))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        return values

    def close(self) -> None:
        self._cluster.close()

    def _end_actors(self) -> None:
        if ray.is_initialized():
            for actor in self._actors:
                ray.kill(actor)


class _Actor:
    """A `ShardWorker` whose single values are no lists."""

    def __init__(self, first: int, shards: Sequence[Shard]) -> None:
        self._worker = ShardWorker(first, shards)

    def call(self, method: Method, *arguments: Any) -> Any:
        values = getattr(self._worker, method)(*arguments)
        return values[0] if len(values) == 1 else tuple(values)

    def add(self, term: Any, left: Any, right: Any) -> Any:
        return added(term, left, right)


def _cluster_and_its(cpus: int) -> str:
    # Not the address that was asked for: "auto" says little, and a cluster that was there before is at another one.
    return f"the Ray cluster at {ray.get_runtime_context().gcs_address} has {cpus} CPUs"


@contextmanager
def cluster(address: str, workers: int | None) -> Iterator[None]:
    """The cluster that this process uses: that of an outer block or of `ray.init`, or else one for this block."""
    if ray.is_initialized():
        yield
        return
    with _own_cluster(workers) if address == "local" else _connected(address):
        yield


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
def _on_this_machine_alone() -> Iterator[None]:
    """A cluster that is started here listens on the loopback address alone.

    Ray replaces 127.0.0.1 by an address of a network, unless it believes that it cannot have clusters of several
    machines, as on Windows and macOS; then it takes it, and none of its processes listens elsewhere.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _own_cluster(workers: int | None) -> Iterator[None]:
    """A cluster on this machine alone, of which nothing is left in the end.

    Ray by itself would leave its token in the home directory, and send a report of use.
    """
    with own_folder("ray") as place:
        if shutil.disk_usage(place).free < _ROOM_BYTES:
            # Its processes end where they can write no logs, and Ray would start others for ever.
            needed = f"{os.strerror(errno.ENOSPC)} for a Ray cluster, which needs {_ROOM_BYTES >> 20} MiB"
            raise OSError(errno.ENOSPC, needed, place)
        # Only the owner can enter the folder.
        token = Path(place, "token")
        token.write_text(_token())

        def start() -> None:
            os.environ.update(RAY_AUTH_TOKEN_PATH=str(token), RAY_USAGE_STATS_ENABLED="0")
            with _on_this_machine_alone():
                ray.init(
                    "local",
                    num_cpus=workers,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="error",
                    _temp_dir=place,
                )

        with started(start):
            try:
                yield
            finally:
                ray.shutdown()
