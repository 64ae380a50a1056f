"""What a cluster has to offer: workers that are called by number, and values that stay with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Literal, Protocol

from softgrad.distributed._environment import check_same

# A value that is somewhere on the cluster; what it is, only the engine knows.
Handle = Any

Method = Literal["environment", "survey", "totals", "results"]

# A run has so many or more: where it ends is off by a sixteenth of it at most.
_NODES_OF_RUN = 8


class Shard(Protocol):
    """Rows that stay together, of which a worker knows what to make; it can be pickled."""

    @property
    def size(self) -> int:
        """How many bytes there are to read, about."""


class Engine(ABC):
    """Workers, each a `ShardWorker` in a process of its own.

    A call that a worker did not survive is repeated by another process in its place: each is a function of the shards
    and of its arguments alone.

    `runs` are the numbers of the shards that each worker has.
    """

    runs: Sequence[range]

    @abstractmethod
    def put(self, value: object) -> Handle:
        """Hand a value to the cluster, for several calls.

        Its arrays may be read-only there, and are aligned: of others matrix products have other bits.
        """

    @abstractmethod
    def call(self, worker: int, method: Method, *arguments: Handle, returns: int = 1) -> list[Handle]:
        """Begin a call; its result is a sequence of so many values, which stay where they are."""

    @abstractmethod
    def add(self, term: Handle, left: Handle, right: Handle) -> Handle:
        """Begin the sum of two values, where one of them is."""

    @abstractmethod
    def get(self, handles: Sequence[Handle]) -> list[Any]:
        """Wait for values; arrays may be read-only."""

    def check_workers(self) -> None:
        """Raises DifferentWorkersError, a RuntimeError, where two would make other bits of the same rows."""
        check_same(self._of_each("environment"))

    def of_shards(self, method: Literal["survey", "results"], *arguments: Handle) -> list[Any]:
        """What a method gives of each shard, in their order."""
        return [of_shard for of_run in self._of_each(method, *arguments) for of_shard in of_run]

    def _of_each(self, method: Method, *arguments: Handle) -> list[Any]:
        calls = [self.call(worker, method, *arguments) for worker in range(len(self.runs))]
        return self.get([handle for (handle,) in calls])

    @abstractmethod
    def close(self) -> None:
        """End the workers, and a cluster that was started for them."""


def runs_of(shards: Sequence[Shard], n_workers: int) -> list[range]:
    """Neighbouring shards for each worker, of about as many bytes; at most as many workers as shards."""
    n_workers = min(n_workers, len(shards))
    ends = list(accumulate(shard.size for shard in shards))
    # Where there are many, runs end where nodes of the tree over the shards do: a worker hands over few of these.
    node = 1 << max((len(shards) // (_NODES_OF_RUN * n_workers)).bit_length() - 1, 0)
    cuts = [0]
    for worker in range(1, n_workers):
        cut = round(bisect_right(ends, ends[-1] * worker / n_workers) / node) * node
        # Each has one at least.
        cuts.append(min(max(cut, cuts[-1] + 1), len(shards) - n_workers + worker))
    return [range(*run) for run in pairwise([*cuts, len(shards)])]
