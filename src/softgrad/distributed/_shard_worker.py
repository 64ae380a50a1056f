"""What a worker does with its shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from softgrad.distributed._environment import Environment
from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._rows import Rows
from softgrad.linear_model._data._streams import Encoding, ShardRows, totals_of
from softgrad.linear_model._data._survey import ShardSurvey
from softgrad.linear_model._data._terms import Term
from softgrad.linear_model._data._tree_sum import Node, TreeSum, whole_nodes
from softgrad.linear_model._data._workers import Workers

Total = TypeVar("Total")


class Found(NamedTuple):
    """What the first pass found of the shards of a worker, and of all."""

    surveys: Sequence[ShardSurvey]
    encoding: Encoding


class ShardWorker:
    """Calls over a run of the shards; each is a function of these and its arguments alone, and may be repeated.

    Parameters
    ----------
    first : int
        The number of the first shard among all.
    shards : sequence of FileShard, or of what `results` is asked for
    """

    def __init__(self, first: int, shards: Sequence[Any]) -> None:
        self._first = first
        self._shards = shards
        self._opened: list[Batches] | None = None

    def environment(self) -> list[Environment]:
        return [Environment.here()]

    def survey(self, digest: bool) -> list[list[ShardSurvey]]:
        """Of each shard."""
        return [[ShardSurvey.of(batches, digest=digest) for batches in self._batches()]]

    def totals(self, found: Found, term: Term[Rows, Total], length: int) -> list[Total]:
        """The values of the `whole_nodes` of the shards."""
        surveys, encoding = found
        shards = zip(self._batches(), surveys, strict=True)
        rows = [ShardRows(*shard, encoding) for shard in shards]
        nodes = []
        with Workers(1) as workers:
            totals = totals_of(rows, term, workers, length)
            for node in whole_nodes(self._first, self._first + len(rows)):
                tree = TreeSum(term.add)
                for total in islice(totals, len(node)):
                    tree.append(Node(0, total))
                nodes.append(tree.total())
        return nodes

    def results(self, function: Callable[[Any], Any]) -> list[list[Any]]:
        """Of a function of each shard."""
        return [[function(shard) for shard in self._shards]]

    def _batches(self) -> list[Batches]:
        if self._opened is None:
            self._opened = [shard.open() for shard in self._shards]
        return self._opened


def added(term: Term[Rows, Total], left: Total, right: Total) -> Total:
    """The sum of two values that may be read-only, in memory of its own."""
    return term.add(term.add(term.start(), left), right)
