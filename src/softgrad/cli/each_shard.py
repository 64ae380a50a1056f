"""A function of each shard of the rows that a model is applied to, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from softgrad.cli.applied import AppliedRows, AppliedShard
from softgrad.cli.cluster import Cluster
from softgrad.cli.model import Model
from softgrad.cli.reading import Unseen

if TYPE_CHECKING:
    from softgrad.cli.far_shards import Numbered

Result = TypeVar("Result")
# Of the number of a shard, and of this.
Function = Callable[[int, AppliedShard], Result]


def each_shard(rows: AppliedRows, function: Function[Result], cluster: Cluster | None) -> list[Result]:
    """What a function gives of each shard, in their order; for a cluster it must be one that can be pickled."""
    if cluster is None:
        return [function(number, shard) for number, shard in enumerate(rows.shards)]
    # Most commands have no cluster.
    from softgrad.cli.far_results import results
    from softgrad.cli.far_shards import Numbered, far_file

    shards = [Numbered(number, far_file(shard)) for number, shard in enumerate(rows.shards)]
    with cluster.engine(shards) as engine:
        return results(engine, partial(_of_far, rows.model, rows.unseen, function))


def _of_far(model: Model, unseen: Unseen, function: Function[Result], shard: Numbered) -> Result:
    return function(shard.number, shard.file.applied(model, unseen))
