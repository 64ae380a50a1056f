"""The workers of a cluster, as they pass over the shards of a training before its fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from softgrad.cli.classes import MOST_CLASSES
from softgrad.cli.errors import UserError
from softgrad.cli.far_results import attempts, results
from softgrad.cli.far_shards import Numbered
from softgrad.cli.readers import Readers, Result, Source
from softgrad.cli.shard_learning import Counts, Learning, OfShard
from softgrad.distributed._engine import Engine


class FarReaders(Readers):
    """Each shard is read by the worker that has it.

    What is learnt of it depends on what those before it count, so that all are counted before.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of_shards(self, source: Source, function: Callable[[Source, int], Result]) -> list[Result]:
        del source
        return results(self._engine, partial(_of_far, function))

    def _learnt(self, source: Source, learning: Learning[Source, OfShard]) -> list[OfShard]:
        before, wrong = [Counts(0, {})], None
        for number, counted in enumerate(attempts(self._engine, partial(_counts, learning))):
            if isinstance(counted, UserError):
                wrong = counted
                break
            source.passed(number, counted.rows)
            before.append(before[-1].then(counted))
            if len(before[-1].labels) > MOST_CLASSES:
                break
        # Up to the first that is wrong: one before it may be so, too, in what was not read to count it.
        learnt = results(self._engine, partial(_learnt, learning, before))
        if wrong is not None:
            raise wrong
        return [of_shard for of_shard in learnt if of_shard is not None]


def _of_far(function: Callable[[Any, int], Result], shard: Numbered) -> Result:
    return function(shard.file.opened(), 0)


def _counts(learning: Learning[Any, OfShard], shard: Numbered) -> Counts:
    return learning.counts(shard.file.opened(columns=learning.counted), 0)


def _learnt(learning: Learning[Any, OfShard], before: Sequence[Counts], shard: Numbered) -> OfShard | None:
    """Of a shard; None of one that cannot be learnt, as one before it cannot be counted."""
    if shard.number >= len(before):
        return None
    of_those = before[shard.number]
    return learning.learn(shard.file.opened(before=of_those.rows), 0, of_those)
