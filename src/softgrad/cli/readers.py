"""Who passes over the shards of a training before its fit: this process, or the workers of a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from softgrad.cli.cluster import Cluster
from softgrad.cli.shard_learning import Counts, Learning, OfShard
from softgrad.cli.svmlight import SvmlightFiles
from softgrad.cli.tables import Table

Source = TypeVar("Source", Table, SvmlightFiles)
Result = TypeVar("Result")


class Readers(ABC):
    """They pass over the shards of a source."""

    @abstractmethod
    def of_shards(self, source: Source, function: Callable[[Source, int], Result]) -> Iterable[Result]:
        """What a function gives of each shard, in their order; it is called when its result is asked for, or before.

        Of several shards where it raises UserError the first one counts.
        """

    def learnt(self, source: Source, learning: Learning[Source, OfShard]) -> OfShard:
        """What is learnt of all shards; raises as `Learning.learn`."""
        shards = iter(self._learnt(source, learning))
        whole = next(shards)
        for other in shards:
            whole.merge(other)
        return whole

    @abstractmethod
    def _learnt(self, source: Source, learning: Learning[Source, OfShard]) -> Iterable[OfShard]: ...


@contextmanager
def readers_of(source: Table | SvmlightFiles, cluster: Cluster | None) -> Iterator[Readers]:
    """Raises as `Cluster.engine`."""
    if cluster is None:
        yield Here()
        return
    # Most trainings have no cluster.
    from softgrad.cli.far_readers import FarReaders
    from softgrad.cli.far_shards import Numbered, far_files

    with cluster.engine([Numbered(number, file) for number, file in enumerate(far_files(source))]) as engine:
        yield FarReaders(engine)


class Here(Readers):
    """This process: it passes over the shards one after the other, and so knows what those before one count."""

    def of_shards(self, source: Source, function: Callable[[Source, int], Result]) -> Iterator[Result]:
        return (function(source, number) for number in range(source.n_shards))

    def _learnt(self, source: Source, learning: Learning[Source, OfShard]) -> Iterator[OfShard]:
        before = Counts(0, {})
        for number in range(source.n_shards):
            of_shard = learning.learn(source, number, before)
            before = before.then(of_shard.counts)
            yield of_shard
