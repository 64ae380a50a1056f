"""How long a pass over the rows takes on a cluster, as worked out, and with how many workers it is shortest.

Each worker is taken for a machine of its own: its parameters come over the line of the driver, and its sums go back
over it, or up the tree from worker to worker where they are large. Shards are divided and added as softgrad does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from softgrad.distributed._engine import runs_of
from softgrad.distributed._pooled_stream import _MOST_GATHERED_BYTES
from softgrad.linear_model._data._file_shards import FileShard
from softgrad.linear_model._data._tree_sum import Node, TreeSum, whole_nodes

Array = NDArray[np.float64]
# Rows, features, classes.
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Machine:
    """Seconds of work: reading an entry of the features, and what it takes for each class."""

    an_entry: float
    a_product: float

    def seconds(self, rows: int, features: int, classes: int) -> float:
        return rows * features * (self.an_entry + classes * self.a_product)

    @classmethod
    def fitted(cls, measured: Sequence[tuple[Shape, float]]) -> Self:
        """What comes nearest to the seconds of passes over rows of such shapes."""
        entries = [np.array([rows * features, rows * features * classes]) for (rows, features, classes), _ in measured]
        return cls(*_nearest(entries, [seconds for _, seconds in measured], [seconds for _, seconds in measured]))


@dataclass(frozen=True)
class Pass:
    """`work` is what one worker takes for all shards, which are alike; the parameters, and each sum, have `nbytes`."""

    work: float
    shards: int
    nbytes: int


@dataclass(frozen=True)
class Cluster:
    """Seconds: what a pass costs, what each call costs the driver, what a byte takes over a line and to be added."""

    a_pass: float
    a_call: float
    a_byte: float

    @classmethod
    def fitted(cls, a_call: float, measured: Sequence[tuple[Pass, int, float]]) -> Self:
        """What comes nearest to the seconds of passes with so many workers, where it is known what a call costs."""
        paid, beyond = [], []
        for of, workers, seconds in measured:
            work, (passes, calls, nbytes) = _costs(of, workers)
            paid.append(np.array([passes, nbytes], np.float64))
            beyond.append(seconds - work - calls * a_call)
        a_pass, a_byte = _nearest(paid, beyond, [seconds for _, _, seconds in measured])
        return cls(a_pass, a_call, a_byte)


def parameter_bytes(features: int, classes: int) -> int:
    return 8 * classes * (features + 1)


def seconds_of(of: Pass, workers: int, cluster: Cluster) -> float:
    work, costs = _costs(of, workers)
    return work + float(np.dot(costs, astuple(cluster)))


def best_workers(of: Pass, cluster: Cluster, most: int) -> int:
    """Which power of 2, at most so large, is the number of workers with which the pass is shortest."""
    powers = [1 << exponent for exponent in range(most.bit_length())]
    return min(powers, key=lambda workers: seconds_of(of, workers, cluster))


def _costs(of: Pass, workers: int) -> tuple[float, tuple[int, int, int]]:
    """The seconds of the longest run, and how often each of the costs of a cluster is paid."""
    runs = runs_of(cast(Sequence[FileShard], [_Shard()] * of.shards), workers)
    parts = [part for run in runs for part in whole_nodes(run.start, run.stop)]
    work = of.work * max(map(len, runs)) / of.shards
    if of.nbytes <= _MOST_GATHERED_BYTES:
        return work, (1, len(runs), of.nbytes * (len(runs) + len(parts)))
    # The longest way up: an addition waits for the later of its values.
    tree: TreeSum[int] = TreeSum(lambda left, right: max(left, right) + 1)
    for part in parts:
        tree.append(Node(len(part).bit_length() - 1, 0))
    levels = tree.total()
    return work, (1, len(runs) + len(parts) - 1, of.nbytes * (len(runs) + levels + 1))


@dataclass(frozen=True)
class _Shard:
    size: int = 1


def _nearest(paid: Sequence[Array], beyond: Sequence[float], seconds: Sequence[float]) -> list[float]:
    """Costs, none negative, that differ least from what is paid beyond the work, as a share of all seconds."""
    shares = np.array(paid) / np.array(seconds)[:, None]
    # The cost of a byte is a millionth of that of a pass.
    scale = shares.max(axis=0)
    found, _ = nnls(shares / scale, np.array(beyond) / np.array(seconds))
    return [float(cost) for cost in found / scale]
