"""The engines that there are, each with a package of its own."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from contextlib import AbstractContextManager

from softgrad.distributed._engine import Engine, Shard
from softgrad.distributed._extras import require


def ray_cluster(address: str, workers: int | None) -> AbstractContextManager[None]:
    """One for several engines; raises ImportError where Ray is not installed, and as `RayEngine`."""
    require("ray")
    from softgrad.distributed._ray import cluster

    return cluster(address, workers)


def ray_engine(address: str, workers: int | None, timeout: float, shards: Sequence[Shard]) -> Engine:
    """Raises ImportError where Ray is not installed, and as `RayEngine`."""
    require("ray")
    from softgrad.distributed._ray import RayEngine

    return RayEngine(address, workers, timeout, shards)


def dask_engine(address: str, workers: int | None, timeout: float, shards: Sequence[Shard]) -> Engine:
    """Raises ImportError where Dask is not installed, and as `DaskEngine`."""
    require("dask", "distributed")
    from softgrad.distributed._dask import DaskEngine

    return DaskEngine(address, workers, timeout, shards)


def checked_workers(workers: int | None) -> int | None:
    if workers is None:
        return None
    if not isinstance(workers, numbers.Integral):
        raise TypeError(f"workers is {workers!r}; it must be an integer")
    if workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    return int(workers)
