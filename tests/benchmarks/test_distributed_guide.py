"""The figures of the guide to clusters are those of the file they are written from, beside what the model says."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
from benchmarks._distributed_guide import BEGIN, END, GUIDE, figures
from benchmarks._distributed_model import Cluster, Machine, Pass, parameter_bytes, seconds_of
from benchmarks._marked import with_written
from benchmarks._results import Report, Row, Spread
from benchmarks.distributed import ALONE, CALL, ONE_THREAD, PIECE, Work, clusters, machine

EPS = np.finfo(float).eps
COSTS = Cluster(2e-3, 1e-3, 1e-9)
MACHINE = Machine(5e-9, 1e-10)


def exactly(value: float) -> Spread:
    return Spread(value, value, value, 1)


def row(workers: int, shape: tuple[int, int, int], files: int, floors: dict[str, float]) -> Row:
    """What a pass takes that is as the model says."""
    nbytes = parameter_bytes(*shape[1:])
    seconds = seconds_of(Pass(floors.get(ONE_THREAD, floors[ALONE]), files, nbytes), workers, COSTS)
    work = Work("Ray", workers, *shape, files)
    return Row(str(work), exactly(seconds), {name: exactly(value) for name, value in floors.items()}, {})


def report(*rows: Row) -> Report:
    return Report(
        {"processor": "some processor"}, {"softgrad": "0.1.0"}, [], False, {"distributed": 7}, {"distributed": rows}
    )


TINY = [
    Row("Ray, 64 calls", exactly(0.005 + 63 * COSTS.a_call), {CALL: exactly(0.005)}, {}),
    *(row(workers, (40, features, 10), 4, {ALONE: 0.004}) for features in (131, 13107) for workers in (1, 2, 4)),
]
MEMORY = Row("memory of Ray, 1 worker", exactly(20 * 2**20), {PIECE: exactly(4 * 2**20)}, {}, unit="B")
PARQUET = [
    row(workers, shape, 8, {ALONE: MACHINE.seconds(*shape) / 2, ONE_THREAD: MACHINE.seconds(*shape)})
    for shape in ((800_000, 30, 5), (160_000, 100, 100))
    for workers in (1, 2)
]


def cells(words: str, first: str) -> list[str]:
    """What stands behind the first cell in the first line that begins with it."""
    lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in words.splitlines())
    return next(line[1:] for line in lines if line[0] == first)


def test_the_costs_are_those_of_the_rows() -> None:
    assert cells(figures(report(*TINY, *PARQUET)), "Ray") == ["2.00 ms", "1.00 ms", "1.05 ms"]
    (costs,) = clusters(TINY).values()
    np.testing.assert_allclose(astuple(costs), astuple(COSTS), rtol=1024 * EPS)
    np.testing.assert_allclose(astuple(machine(PARQUET)), astuple(MACHINE), rtol=1024 * EPS)


def test_measured_and_modelled() -> None:
    words = figures(report(*TINY, *PARQUET, MEMORY))
    assert "some processor, softgrad 0.1.0, seed 7" in words
    # 4 ms, 2 ms, a call, and 10,560 bytes there and back.
    assert cells(words, TINY[1].work) == ["7.02 ms", "7.02 ms", "4.00 ms", "3.02 ms", "-"]
    # 132 ms of work, and 3 or 4 ms.
    assert cells(words, PARQUET[0].work) == ["135 ms", "5.93", "5.93", "12.1", "6.06"]
    assert cells(words, PARQUET[1].work) == ["70.0 ms", "11.4", "11.4", "12.1", "6.06"]
    assert "| Ray    | 1,000,000,000 x 10,000 x 1,000 |" in words
    assert cells(words, MEMORY.work) == ["20.0 MiB", "4.00 MiB"]


def test_what_is_slower_than_the_model_and_the_goal() -> None:
    slow = replace(TINY[-1], softgrad=exactly(0.02), within=0.014)
    measured, model, _, beyond, met = cells(figures(report(*TINY[:-1], slow)), slow.work)
    assert (measured, beyond, met) == ("20.0 ms", "16.0 ms", "**missed**: <= 14.0 ms")
    assert 15.4 < float(model.removesuffix(" ms")) < 20.0


def test_they_stand_between_the_marks_of_the_guide() -> None:
    words = figures(report(*TINY, *PARQUET))
    assert words in with_written(GUIDE.read_text(encoding="utf-8"), BEGIN, END, words)
