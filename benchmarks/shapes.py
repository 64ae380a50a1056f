"""Every shape: from 2 to 32000 classes, in cache and in memory

float32, along the last axis, one row at least. Each library has a process of its own; they take turns, and of three
medians the least counts, or the first one where a call takes long. What can write into an array that is there does:
softgrad always, PyTorch except for the gradient of its loss, JAX never. "output" is the product with the derivative,
given what the function gave; PyTorch's is the operator that its own backward calls.

The goals: at least as fast as both, with the gradient 1.5 times as fast, a product at least as fast as PyTorch's.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from benchmarks._goals import FORWARD, PRODUCTS, WITH_GRADIENT
from benchmarks._harness import Bench
from benchmarks._library_process import started
from benchmarks._machine import keep_to_two_cores
from benchmarks._peers import load
from benchmarks._results import Row
from benchmarks._shapes_point import Point
from benchmarks._shapes_tables import tables
from benchmarks._shapes_work import rows_of
from benchmarks._worker_process import WorkerProcess, all_asked, timed_in_turns

SIZES = {"64 KB": 16_000, "1 MB": 250_000, "12 MB": 3_000_000, "500 MB": 125_000_000}
# Below, at and above the length up to which rows are worked on across lanes, and the powers of two and ten.
CLASSES = (2, 3, 10, 21, 32, 64, 65, 100, 150, 256, 512, 1000, 4096, 32000)
GOALS: Mapping[str, Mapping[str, float]] = {
    "softmax": FORWARD,
    "log_softmax": FORWARD,
    "logsumexp": FORWARD,
    "cross_entropy": FORWARD,
    "cross_entropy.value_and_grad": WITH_GRADIENT,
    "softmax.vjp, output": PRODUCTS,
    "log_softmax.vjp, output": PRODUCTS,
}
_QUICK_SIZES, _QUICK_CLASSES = {"4 KB": 1000}, (3, 65)
_PEERS = ("PyTorch", "JAX")


def _row(processes: Mapping[str, WorkerProcess], function: str, size: tuple[str, int], classes: int, seed: int) -> Row:
    words, entries = size
    all_asked(processes, "prepare", function, entries, classes, seed)
    peers = timed_in_turns(processes)
    work = Point(function, rows_of(entries, classes), classes, words).work
    row = Row(work, peers.pop("softgrad"), {}, peers, at_least=GOALS[function])
    ahead = [name for name in row.at_least if row.beats(name) is False]
    errors = {name: processes[name].asked("error") for name in ("softgrad", *ahead)} if ahead else {}
    return replace(row, errors=errors)


def measured(
    sizes: Mapping[str, int], classes: Collection[int], functions: Collection[str], peers: Collection[str], seed: int
) -> Iterator[Row]:
    """The rows of these functions at each size, in entries, and number of classes."""
    with started(["softgrad", *(name for name in _PEERS if name in peers)]) as processes:
        for size in sizes.items():
            for count in classes:
                for function in functions:
                    yield _row(processes, function, size, count, seed)


def rows(bench: Bench) -> Iterator[Row]:
    sizes, classes = (_QUICK_SIZES, _QUICK_CLASSES) if bench.quick else (SIZES, CLASSES)
    return measured(sizes, classes, GOALS, bench.peers, int(bench.rng.integers(2**32)))


def main() -> None:
    """Measure a part of the question and keep nothing, as while a kernel is tuned."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shapes", description=main.__doc__)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--classes", nargs="+", type=int, default=CLASSES)
    parser.add_argument("--functions", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    arguments = parser.parse_args()
    # For the processes of the libraries, which inherit them.
    keep_to_two_cores()
    print(f"seed: {arguments.seed}")
    sizes = {size: SIZES[size] for size in arguments.sizes}
    found = measured(sizes, arguments.classes, arguments.functions, load()[0], arguments.seed)
    print(tables(list(found)), end="")


if __name__ == "__main__":
    main()
