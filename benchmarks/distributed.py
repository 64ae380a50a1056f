"""Workers of a cluster: what a pass costs beyond its work, and how many rows it takes a second

A pass is the loss and its gradient over all rows, as `fit_stream` makes them; its bits are those of one process, which
is checked. The clusters are of this machine: the driver and all workers, one thread each and one that reads ahead,
share two cores. "Alone" is one process over the same files, with two threads. First 4 files of 10 sparse rows, whose
work is next to nothing: what a pass takes beyond it is to be at most 10 ms where the parameters have 1 MB. Then 8
Parquet files of float64 features; the rates are millions of rows a second. "Model" is what
`benchmarks/_distributed_model.py` works out: with the work of one thread, a call as one of 64 without work that are
begun together, and the costs of a pass and of a byte that come nearest to the first table. Then what the model says of
larger clusters: a machine, and a shard, for each worker; these costs, but no line faster than 10 Gbit/s. Last, by how
much the resident memory of a worker rises with the rows. `python -m benchmarks._distributed_guide` writes the tables
into the guide.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import ray

from benchmarks._contender import Contender
from benchmarks._distributed_model import Cluster, Machine, Pass, best_workers, parameter_bytes, seconds_of
from benchmarks._harness import Bench, Case
from benchmarks._out_of_core import kibibytes
from benchmarks._results import Row, Spread, digits, quantity, spread
from benchmarks._tables import aligned, verdict
from softgrad.distributed import _dask, _ray, dask_rows, ray_rows
from softgrad.distributed._pooled_stream import PooledStream
from softgrad.linear_model import ReadOptions
from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._pieces import _PIECE_BYTES
from softgrad.linear_model._data._streams import LocalStream, Stream
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._model._objective import SoftmaxObjective

ALONE = "alone"
# Floors that only the rows of one table have.
ONE_THREAD, CALL, PIECE = "one thread", "one call", "a piece"
_MOST_WORKERS = 4
# Beyond the work, where the parameters have a megabyte.
_GOAL_SECONDS, _GOAL_BYTES = 0.01, 10**6
_TINY_CLASSES, _TINY_FILES, _TINY_FEATURES = 10, 4, (131, 13107)
# Rows of a file, features and classes of the Parquet files.
_PARQUET, _PARQUET_FILES = ((100_000, 30, 5), (20_000, 100, 100)), 8
# Rows, features and classes of the table of larger clusters.
_LARGE = ((10**7, 30, 5), (10**9, 30, 5), (10**9, 1000, 100), (10**9, 10_000, 1000))
# Begun together.
_CALLS = 64
_LARGE_WORKERS = (1, 16, 128, 1024)
_MOST = max(_LARGE_WORKERS)
# A byte on a line of 10 Gbit/s.
_LINE_SECONDS = 8 / 10e9

RowsOf = Callable[..., PooledStream]


@dataclass(frozen=True)
class Work:
    """What a row of the tables is about."""

    engine: str
    workers: int
    rows: int
    features: int
    classes: int
    files: int

    def __str__(self) -> str:
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return f"{self.engine}, {workers}, {self.rows} x {self.features} x {self.classes}, {self.files} files"

    @classmethod
    def of(cls, row: Row) -> Self:
        engine, *numbers = re.findall(r"^\w+|\d+", row.work)
        return cls(engine, *map(int, numbers))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.rows, self.features, self.classes

    def model(self, seconds: float) -> Pass:
        """Of so many seconds of work."""
        return Pass(seconds, self.files, parameter_bytes(*self.shape[1:]))


@dataclass(frozen=True)
class Data:
    """Files, and what one process makes of them."""

    folder: Path
    target: str | None
    theta: Any
    expected: Any
    floors: Mapping[str, Contender]

    @classmethod
    def of(cls, rng: np.random.Generator, folder: Path, target: str | None) -> Self:
        """Without a target the rows are next to no work."""
        shards = file_shards(folder, target, None, ReadOptions())
        threads = {ALONE: Workers()} | ({} if target is None else {ONE_THREAD: Workers(1)})
        objectives = {
            name: objective(LocalStream([shard.open() for shard in shards]), workers)
            for name, workers in threads.items()
        }
        theta = 0.01 * rng.standard_normal(objectives[ALONE].shape)
        floors = {name: contender(objectives[name], theta, workers) for name, workers in threads.items()}
        return cls(folder, target, theta, floors[ALONE].result(), floors)

    def case(self, engine: str, stream: PooledStream) -> Case:
        workers = Workers(1)
        pooled = objective(stream, workers)
        source = pooled.source
        work = Work(engine, stream.n_workers, source.n_rows, source.n_features, pooled.n_classes, stream.n_shards)
        return Case(str(work), contender(pooled, self.theta, workers), self._check, floors=self.floors)

    def _check(self, result: Any) -> None:
        assert result[0] == self.expected[0]
        np.testing.assert_array_equal(result[1], self.expected[1])


def objective(stream: Stream, workers: Workers) -> SoftmaxObjective:
    survey = stream.survey(digest=False)
    source = stream.rows(survey, np.ones(len(survey.classes)))
    with workers:
        return SoftmaxObjective(source, n_classes=len(survey.classes), C=1.0, fit_intercept=True, workers=workers)


def contender(of: SoftmaxObjective, theta: Any, workers: Workers) -> Contender:
    return Contender([partial(of.value_and_gradient, theta)], during=lambda: workers)


class Engine(NamedTuple):
    """A cluster of this machine; how workers of it begin so many calls without work, and give their zeros."""

    cluster: Callable[[], AbstractContextManager[RowsOf]]
    calls: Callable[[PooledStream, int], list[int]]


@contextmanager
def _on_ray() -> Iterator[RowsOf]:
    with _ray._own_cluster(_MOST_WORKERS):
        yield ray_rows


def _calls_on_ray(stream: PooledStream, count: int) -> list[int]:
    (actor,) = stream._engine._actors
    return ray.get([actor.__ray_call__.remote(lambda _: 0) for _ in range(count)])


@contextmanager
def _on_dask() -> Iterator[RowsOf]:
    with _dask._own_cluster(_MOST_WORKERS) as client:
        yield partial(dask_rows, address=client.scheduler.address)


def _calls_on_dask(stream: PooledStream, count: int) -> list[int]:
    # Each is two tasks, as a call of the engine is.
    submit = partial(stream._engine._client.submit, pure=False)
    return stream._engine._client.gather([submit(itemgetter(0), submit(tuple, (0,))) for _ in range(count)])


ENGINES: Mapping[str, Engine] = {"Ray": Engine(_on_ray, _calls_on_ray), "Dask": Engine(_on_dask, _calls_on_dask)}


def _tiny(folder: Path, features: int) -> Path:
    """Rows of two features, the last of all and another: the parameters are of their number, the work is not."""
    folder.mkdir()
    for number in range(_TINY_FILES):
        lines = [f"{label} {1 + _TINY_CLASSES * number + label}:1 {features}:1\n" for label in range(_TINY_CLASSES)]
        (folder / f"{number}.svmlight").write_text("".join(lines), encoding="ascii")
    return folder


def _parquet(folder: Path, rng: np.random.Generator, rows: int, features: int, classes: int) -> Path:
    folder.mkdir()
    truth = rng.standard_normal((classes, features)) / np.sqrt(features)
    for number in range(_PARQUET_FILES):
        X = rng.standard_normal((features, rows))
        # Each class is there, in a quick run too.
        y = (truth @ X + rng.gumbel(size=(classes, rows))).argmax(axis=0)
        y[:classes] = np.arange(classes)
        table = pa.table({**{f"x{i}": column for i, column in enumerate(X)}, "label": y})
        pa.parquet.write_table(table, folder / f"{number}.parquet", use_dictionary=["label"], compression="none")
    return folder


def _calls(engine: str, begin: Callable[[int], list[int]]) -> Case:
    def check(results: list[int]) -> None:
        assert results == [0] * _CALLS

    one = Contender([partial(begin, 1)])
    return Case(f"{engine}, {_CALLS} calls", Contender([partial(begin, _CALLS)]), check, floors={CALL: one})


def _cases(bench: Bench, sets: Sequence[Data]) -> Iterator[Case]:
    for engine, (cluster, calls) in ENGINES.items():
        with cluster() as rows_of:
            with rows_of(sets[0].folder, sets[0].target, workers=1) as stream:
                yield _calls(engine, partial(calls, stream))
            for data in sets:
                counts = (1, 2) if bench.quick or data.target is not None else (1, 2, _MOST_WORKERS)
                for workers in counts:
                    with rows_of(data.folder, data.target, workers=workers) as stream:
                        yield data.case(engine, stream)


def _peak(folder: Path) -> int:
    """The most resident bytes of a worker that has all shards."""
    with ray_rows(folder, "label", workers=1) as stream:
        (process,) = ray.get([actor.__ray_call__.remote(lambda _: os.getpid()) for actor in stream._engine._actors])
        fit = objective(stream, Workers(1))
        fit.value_and_gradient(fit.start())
        return 1024 * kibibytes("VmHWM", process)


def _memory(folder: Path, almost_empty: Path, shape: tuple[int, int, int]) -> Row:
    with _ray._own_cluster(1):
        before, peak = _peak(almost_empty), _peak(folder)
    # Resident memory is counted in pages.
    beyond = max(peak - before, mmap.PAGESIZE)
    work = Work("Ray", 1, _PARQUET_FILES * shape[0], *shape[1:], _PARQUET_FILES)
    return Row(f"memory of {work}", _single(beyond), {PIECE: _single(_PIECE_BYTES)}, {}, unit="B")


def _single(value: float) -> Spread:
    return Spread(value, value, value, 1)


def _with_goal(row: Row) -> Row:
    if not is_fixed_cost(row) or Work.of(row).model(0.0).nbytes < _GOAL_BYTES:
        return row
    return replace(row, within=row.floors[ALONE].median + _GOAL_SECONDS)


def rows(bench: Bench) -> Iterator[Row]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        sets = [Data.of(bench.rng, _tiny(folder / str(features), features), None) for features in _TINY_FEATURES]
        for rows_of_a_file, features, classes in _PARQUET:
            shape = 1000 if bench.quick else rows_of_a_file, features, classes
            files = _parquet(folder / f"{features}.parquet", bench.rng, *shape)
            sets.append(Data.of(bench.rng, files, "label"))
        yield from map(_with_goal, bench.timed(_cases(bench, sets)))
        almost_empty = _parquet(folder / "almost_empty.parquet", bench.rng, classes, features, classes)
        yield _memory(files, almost_empty, shape)


def is_fixed_cost(row: Row) -> bool:
    return set(row.floors) == {ALONE}


def of_kind(rows: Sequence[Row], floor: str) -> list[Row]:
    """The rows of the one table that has the floor."""
    return [row for row in rows if floor in row.floors]


def clusters(rows: Sequence[Row]) -> dict[str, Cluster]:
    """The costs of each engine, by its calls and the passes that are no work."""
    measured: dict[str, list[tuple[Pass, int, float]]] = {}
    for row in filter(is_fixed_cost, rows):
        work = Work.of(row)
        of = work.model(row.floors[ALONE].median)
        measured.setdefault(work.engine, []).append((of, work.workers, row.softgrad.median))
    calls = {
        row.work.partition(",")[0]: max(row.softgrad.median - row.floors[CALL].median, 0.0) / (_CALLS - 1)
        for row in of_kind(rows, CALL)
    }
    return {engine: Cluster.fitted(calls[engine], passes) for engine, passes in measured.items()}


def machine(rows: Sequence[Row]) -> Machine:
    """What the work of one thread is made of."""
    seconds = {Work.of(row).shape: row.floors[ONE_THREAD].median for row in of_kind(rows, ONE_THREAD)}
    return Machine.fitted(list(seconds.items()))


def _fixed_costs(rows: Sequence[Row], costs: Mapping[str, Cluster]) -> str:
    lines = []
    for row in rows:
        work, alone = Work.of(row), row.floors[ALONE].median
        model = seconds_of(work.model(alone), work.workers, costs[work.engine])
        beyond = max(row.softgrad.median - alone, 0.0)
        figures = (quantity(seconds, "s") for seconds in (model, alone, beyond))
        lines.append([row.work, spread(row.softgrad, "s"), *figures, verdict(row)])
    return aligned(["work", "a pass", "model", ALONE, "beyond it", "met or missed"], lines)


def _rates(rows: Sequence[Row], costs: Mapping[str, Cluster]) -> str:
    lines = []
    for row in rows:
        work, alone, one_thread = Work.of(row), row.floors[ALONE].median, row.floors[ONE_THREAD].median
        model = seconds_of(work.model(one_thread), work.workers, costs[work.engine])
        rates = (work.rows / seconds / 1e6 for seconds in (row.softgrad.median, model, alone, one_thread))
        lines.append([row.work, spread(row.softgrad, "s"), *map(digits, rates)])
    return aligned(["work", "a pass", "rate", "model", ALONE, ONE_THREAD], lines)


def _costs(costs: Mapping[str, Cluster], work: Machine) -> str:
    lines = [
        [engine, quantity(found.a_pass, "s"), quantity(found.a_call, "s"), quantity(found.a_byte * 2**20, "s")]
        for engine, found in costs.items()
    ]
    table = aligned(["engine", "a pass", "a call", "a MiB"], lines)
    return f"{table}\nWork: {work.an_entry * 1e9:.2f} ns an entry, {work.a_product * 1e9:.3f} ns an entry and class.\n"


def _larger(costs: Mapping[str, Cluster], work: Machine) -> str:
    lines = []
    for engine, found in costs.items():
        cluster = replace(found, a_byte=max(found.a_byte, _LINE_SECONDS))
        for rows, features, classes in _LARGE:
            of = Pass(work.seconds(rows, features, classes), _MOST, parameter_bytes(features, classes))
            best = best_workers(of, cluster, _MOST)
            times = [quantity(seconds_of(of, workers, cluster), "s") for workers in (*_LARGE_WORKERS, best)]
            lines.append([engine, f"{rows:,} x {features:,} x {classes:,}", *times, str(best)])
    workers = (f"{count} worker{'s' if count > 1 else ''}" for count in _LARGE_WORKERS)
    return aligned(["engine", "rows x features x classes", *workers, "shortest", "with"], lines)


def _peaks(rows: Sequence[Row]) -> str:
    lines = [[row.work, quantity(row.softgrad.median, "B"), quantity(row.floors[PIECE].median, "B")] for row in rows]
    return aligned(["work", "memory beyond that of almost no rows", PIECE], lines)


def tables(rows: Sequence[Row]) -> str:
    costs = clusters(rows)
    parts = [_fixed_costs(list(filter(is_fixed_cost, rows)), costs)]
    if timed := of_kind(rows, ONE_THREAD):
        work = machine(rows)
        parts += [_rates(timed, costs), _costs(costs, work), _larger(costs, work)]
    if memory := of_kind(rows, PIECE):
        parts.append(_peaks(memory))
    return "\n".join(parts)
