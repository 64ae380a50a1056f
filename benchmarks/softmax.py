"""softmax, log_softmax and logsumexp

float32, along the last axis. softgrad, NumPy and PyTorch write into an array that is there (`out=`), SciPy and JAX make
a new one; "new" is softgrad and PyTorch making a new one too. logsumexp reads, and writes next to nothing: it may be
faster than the roofline of a copy, since memory is often read faster than it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

import softgrad as sg
from benchmarks._contender import Contender
from benchmarks._copy import copies
from benchmarks._goals import FORWARD
from benchmarks._harness import Bench, Case, rotations
from benchmarks._inputs import check_rows, logits
from benchmarks._peers import Array
from benchmarks._results import Row
from softgrad import reference

FUNCTIONS = ("softmax", "log_softmax", "logsumexp")


def array_function(bench: Bench, name: str, inputs: list[Array], axis: int, *, new: bool = False) -> Case:
    """One of `FUNCTIONS` on these inputs, its result a new array if `new`."""
    function = getattr(sg, name)
    targets = [np.empty_like(x) for x in inputs]
    if name == "logsumexp":
        calls = [partial(function, x, axis=axis) for x in inputs]
        outs: list[Array | None] = [None for _ in inputs]
    else:
        outs = [None if new else target for target in targets]
        calls = [partial(function, x, axis=axis, out=out) for x, out in zip(inputs, outs, strict=True)]
    x = inputs[0]
    size = " x ".join(map(str, x.shape))
    along = "" if axis == -1 else f", axis {axis}"
    peers = bench.contenders(name, list(zip(inputs, outs, strict=True)), *(("PyTorch",) if new else ()), axis=axis)
    return Case(
        f"{name} {size}{along}{', new' if new else ''}",
        Contender(calls),
        check_rows(name, getattr(reference, name), (x,), axis),
        floors={"copy": copies(inputs, targets, bench.peers)},
        peers=peers,
        bytes_needed=x.nbytes if name == "logsumexp" else 2 * x.nbytes,
        bytes_copied=2 * x.nbytes,
        at_least={"PyTorch": FORWARD["PyTorch"]} if new else FORWARD,
    )


def _case(bench: Bench, name: str, rows: int, classes: int, new: bool) -> Case:
    inputs = [logits(bench.rng, (rows, classes)) for _ in range(rotations(4 * rows * classes))]
    return array_function(bench, name, inputs, -1, new=new)


def rows(bench: Bench) -> Iterator[Row]:
    shapes = [(64, 1000), (4096, 10), (65536, 10), (1024, 1000), (1024, 32000), (1024, 128256)]
    grid = [(name, *shape, False) for name in FUNCTIONS for shape in ([(16, 50)] if bench.quick else shapes)]
    if not bench.quick:
        grid.append(("softmax", 1024, 32000, True))
    return bench.timed(_case(bench, *point) for point in grid)
