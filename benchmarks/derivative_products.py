"""Products with derivatives: softmax.vjp and cross_entropy.hvp

float32. Two arrays must be read and one written, half as much again as a copy moves. softgrad writes into an array that
is there (`out=`), as the copy does; the peers have no such way and make a new one. PyTorch's vjp is `torch.softmax` and
its backward, JAX's is `jax.vjp` and its hvp `jax.jvp` of `jax.grad`, both compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import softgrad as sg
from benchmarks._contender import Contender
from benchmarks._copy import copies
from benchmarks._harness import Bench, Case, rotations
from benchmarks._inputs import assert_close, check_rows, logits, some_rows
from benchmarks._peers import Array
from benchmarks._results import Row
from benchmarks.cross_entropy import rows_and_labels
from softgrad import reference


def _case(
    bench: Bench,
    name: str,
    function: Callable[..., Array],
    inputs: Sequence[tuple[Array, ...]],
    check: Callable[[Any], None],
) -> Case:
    xs = [arrays[0] for arrays in inputs]
    out = np.zeros_like(xs[0])
    return Case(
        f"{name} {' x '.join(map(str, xs[0].shape))}",
        Contender([partial(function, *arrays, out=out) for arrays in inputs]),
        check,
        floors={"copy": copies(xs, [np.empty_like(x) for x in xs], bench.peers)},
        peers=bench.contenders(name, inputs, axis=-1),
        bytes_needed=3 * xs[0].nbytes,
        bytes_copied=2 * xs[0].nbytes,
    )


def _vjp(bench: Bench, shape: tuple[int, int]) -> Case:
    inputs = [(logits(bench.rng, shape), logits(bench.rng, shape)) for _ in range(rotations(4 * shape[0] * shape[1]))]
    check = check_rows("softmax.vjp", reference.softmax_vjp, inputs[0])
    return _case(bench, "softmax.vjp", sg.softmax.vjp, inputs, check)


def _hvp(bench: Bench, shape: tuple[int, int]) -> Case:
    inputs = [(x, labels, logits(bench.rng, shape)) for x, labels in rows_and_labels(bench, *shape)]
    x, labels, vector = inputs[0]
    chosen = some_rows(len(x))
    expected = reference.cross_entropy_hvp(x[chosen], labels[chosen], vector[chosen], reduction="sum") / len(x)

    def check(result: Array) -> None:
        assert_close("cross_entropy.hvp", result[chosen], expected, x.dtype)

    return _case(bench, "cross_entropy.hvp", sg.cross_entropy.hvp, inputs, check)


def rows(bench: Bench) -> Iterator[Row]:
    shapes = [(16, 50)] if bench.quick else [(65536, 10), (1024, 1000), (1024, 32000)]
    return bench.timed(make(bench, shape) for make in (_vjp, _hvp) for shape in shapes)
