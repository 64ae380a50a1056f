"""The passes of a training over its rows, made by this process or by the workers of a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from softgrad.cli.cluster import Cluster
from softgrad.cli.model import Model, Scores
from softgrad.cli.training_rows import Rows, Shard, TrainingBatches
from softgrad.linear_model._data._streams import LocalStream, Stream

if TYPE_CHECKING:
    from softgrad.cli.far_shards import FarShard
    from softgrad.distributed._engine import Engine

# Of the rows for the training and of those for the test, where there are any.
ScoresOfParts = Mapping[str, Scores]


class Passes(ABC):
    """`stream` is what a fit takes."""

    stream: Stream

    def scores(self, model: Model) -> ScoresOfParts:
        """How a model does on all rows."""
        shards = self._scores_of_shards(model)
        names = [name for name in ("training", "test") if any(name in shard for shard in shards)]
        return {name: Scores.total([shard[name] for shard in shards if name in shard]) for name in names}

    @abstractmethod
    def _scores_of_shards(self, model: Model) -> Sequence[ScoresOfParts]: ...


@contextmanager
def passes_over(rows: Rows, cluster: Cluster | None) -> Iterator[Passes]:
    """Raises as `Cluster.engine`."""
    if cluster is None:
        yield _Here(rows)
        return
    # Most trainings have no cluster.
    from softgrad.cli.far_shards import far_shard

    with cluster.engine([far_shard(shard) for shard in _trained(rows)]) as engine:
        yield _OnCluster(rows, engine)


class _Here(Passes):
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.stream = LocalStream([TrainingBatches(shard, rows.classes) for shard in _trained(rows)])

    def _scores_of_shards(self, model: Model) -> Sequence[ScoresOfParts]:
        return [_scores(model, shard) for shard in _used(self._rows)]


class _OnCluster(Passes):
    def __init__(self, rows: Rows, engine: Engine) -> None:
        from softgrad.distributed._pooled_stream import PooledStream

        self._rows, self._engine = rows, engine
        self.stream = PooledStream(engine)

    def _scores_of_shards(self, model: Model) -> Sequence[ScoresOfParts]:
        from softgrad.cli.far_results import results

        far = iter(results(self._engine, partial(_far_scores, model)))
        # The others, whose rows are for the test alone, are few and small.
        return [next(far) if shard.divided.train_rows else _scores(model, shard) for shard in _used(self._rows)]


def _used(rows: Rows) -> Sequence[Shard]:
    """The shards with rows for the training or the test."""
    return [shard for shard in rows.shards if shard.divided.train_rows or shard.divided.test_rows]


def _trained(rows: Rows) -> Sequence[Shard]:
    """The shards with rows for the training: a stream has no others."""
    return [shard for shard in rows.shards if shard.divided.train_rows]


def _far_scores(model: Model, shard: FarShard) -> ScoresOfParts:
    return _scores(model, shard.here())


def _scores(model: Model, shard: Shard) -> ScoresOfParts:
    parts: dict[str, list[Scores]] = {"training": [], "test": []}
    for piece in shard.pieces(test=True):
        of_piece = model.score(piece.features, piece.targets, shard.origin, piece.rows)
        parts["test" if piece.is_test else "training"].append(of_piece)
    return {name: Scores.total(of_part) for name, of_part in parts.items() if of_part}
