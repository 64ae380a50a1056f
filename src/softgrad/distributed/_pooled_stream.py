"""Rows that the workers of an engine read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from softgrad.distributed._engine import Engine, Handle
from softgrad.distributed._shard_worker import Found
from softgrad.linear_model._data._rows import Array, Rows, RowSource
from softgrad.linear_model._data._streams import Encoding, Stream
from softgrad.linear_model._data._survey import Survey
from softgrad.linear_model._data._terms import Term
from softgrad.linear_model._data._tree_sum import Node, TreeSum, whole_nodes
from softgrad.linear_model._data._workers import Workers

Total = TypeVar("Total")

# Larger values are added by the workers that have them: all of them would go through the one machine that asks.
_MOST_GATHERED_BYTES = 1 << 23


class PooledStream(Stream):
    """Rows in shards, which workers of a cluster read; `SoftmaxRegression.fit_stream` takes it.

    As a context manager it ends the workers, and a cluster that was started for them; so does `close`, and the end of
    the process.

    Parameters
    ----------
    engine : Engine
        The cluster; `ray_rows` and `dask_rows` make one.

    Attributes
    ----------
    n_workers : int
        How many workers share the rows.
    n_shards : int
        How many parts the rows have, each read by one worker.

    See Also
    --------
    softgrad.distributed.ray_rows, softgrad.distributed.dask_rows

    Notes
    -----
    Sums over the rows are added shard by shard in one binary tree: each worker adds the nodes that it has whole, the
    calling process the rest; of sums above 8 MB the workers add all. So the bits do not depend on the workers. Those
    that differ in their versions, instruction sets or BLAS kernels are refused by a RuntimeError before the first pass.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.n_workers, self.n_shards = len(engine.runs), engine.runs[-1].stop

    def survey(self, *, digest: bool) -> Survey:
        self._engine.check_workers()
        return Survey(self._engine.of_shards("survey", digest))

    def rows(self, survey: Survey, class_weights: Array) -> RowSource:
        return PooledRows(self._engine, survey, Encoding.of(survey, class_weights))

    def close(self) -> None:
        """End the workers, and a cluster that was started for them."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PooledRows(RowSource):
    """The rows as the objective takes them."""

    resident = False

    def __init__(self, engine: Engine, survey: Survey, encoding: Encoding) -> None:
        self.dtype, self.is_sparse = survey.dtype, survey.is_sparse
        self.n_rows, self.n_features = survey.n_rows, survey.n_features
        self.total_weight = encoding.total_weight
        self._engine = engine
        # Of wide tables the names would be most of what is sent.
        shards = [shard._replace(names=None, labels=[], totals=shard.totals[:0]) for shard in survey.shards]
        found = (Found(shards[run.start : run.stop], encoding) for run in engine.runs)
        self._found = [engine.put(of_run) for of_run in found]

    def total(self, term: Term[Rows, Total], workers: Workers, length: int) -> Total:  # noqa: ARG002
        engine = self._engine
        sent = engine.put(term)
        nodes: list[Node[Handle]] = []
        for worker, (run, found) in enumerate(zip(engine.runs, self._found, strict=True)):
            parts = whole_nodes(run.start, run.stop)
            values = engine.call(worker, "totals", found, sent, length, returns=len(parts))
            levels = (len(part).bit_length() - 1 for part in parts)
            nodes += map(Node, levels, values)
        if _bytes_of(term.start()) > _MOST_GATHERED_BYTES:
            nodes = [Node(0, _sum_of(nodes, partial(engine.add, sent)))]
        values = engine.get([node.value for node in nodes])
        # What came may be read-only.
        own = (term.add(term.start(), value) for value in values)
        return _sum_of([Node(level, value) for (level, _), value in zip(nodes, own, strict=True)], term.add)


def _sum_of(nodes: Sequence[Node[Total]], add: Any) -> Total:
    tree: TreeSum[Total] = TreeSum(add)
    for node in nodes:
        tree.append(node)
    return tree.total()


def _bytes_of(total: object) -> int:
    if isinstance(total, tuple):
        return sum(map(_bytes_of, total))
    return total.nbytes if isinstance(total, np.ndarray) else 0
