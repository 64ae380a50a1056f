"""Cross-entropy: the loss and its gradient, in place

The logits are float32 and become their own gradient (`out=logits`); before each call they are written anew, untimed.
The copy reads as many bytes and writes as many. PyTorch: `F.cross_entropy` and autograd. JAX:
`jax.jit(jax.value_and_grad)` of Optax's loss. Both make a new gradient. NumPy: the formula, pass by pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import softgrad as sg
from benchmarks._contender import Contender
from benchmarks._copy import copies
from benchmarks._goals import WITH_GRADIENT
from benchmarks._harness import Bench, Case, rotations
from benchmarks._inputs import assert_close, logits, some_rows
from benchmarks._peers import Array
from benchmarks._results import Row
from softgrad import reference

_BLOCK = 1 << 22


def mean_loss(rows: Array, targets: Array) -> float:
    """The mean loss by the definition, in float64, a block of rows at a time."""
    size = max(1, _BLOCK // rows.shape[1])
    blocks = (slice(start, start + size) for start in range(0, len(rows), size))
    losses = [float(reference.cross_entropy(rows[block], targets[block], reduction="sum")) for block in blocks]
    return sum(losses) / len(rows)


def check_value_and_grad(x: Array, labels: Array, axis: int) -> Callable[[Any], None]:
    """Compare the mean over all rows and the gradient of some with the definition."""
    classes = x.shape[axis]
    rows = np.moveaxis(x, axis, -1).reshape(-1, classes)
    targets = labels.reshape(-1) if labels.dtype.kind in "iu" else np.moveaxis(labels, axis, -1).reshape(-1, classes)
    chosen = some_rows(len(rows))
    gradient = reference.cross_entropy_grad(rows[chosen], targets[chosen], reduction="sum") / len(rows)
    loss = mean_loss(rows, targets)

    def check(result: tuple[Any, Array]) -> None:
        value, slope = result
        assert_close("the loss", value, loss, x.dtype)
        assert_close("the gradient", np.moveaxis(slope, axis, -1).reshape(-1, classes)[chosen], gradient, x.dtype)

    return check


def value_and_grad(
    bench: Bench, kind: str, pairs: list[tuple[Array, Array]], peers: tuple[str, ...] = (), axis: int = -1, **goals: Any
) -> Case:
    """The case of these logits and labels, its name ending in `kind`.

    `peers` names those that take part, without names all do; `goals` are fields of `Case`.
    """
    buffers = [np.empty_like(x) for x, _ in pairs]
    x, labels = pairs[0]
    in_place = Contender(
        [
            partial(sg.cross_entropy.value_and_grad, buffer, labels, axis=axis, out=buffer)
            for buffer, (_, labels) in zip(buffers, pairs, strict=True)
        ],
        before=[partial(np.copyto, buffer, x) for buffer, (x, _) in zip(buffers, pairs, strict=True)],
    )
    return Case(
        f"cross_entropy.value_and_grad {' x '.join(map(str, x.shape))}{kind}",
        in_place,
        check_value_and_grad(x, labels, axis),
        floors={"copy": copies([x for x, _ in pairs], buffers, bench.peers)},
        peers=bench.contenders("cross_entropy.value_and_grad", pairs, *peers, axis=axis),
        bytes_needed=2 * x.nbytes + labels.nbytes,
        bytes_copied=2 * x.nbytes,
        **goals,
    )


def rows_and_labels(bench: Bench, rows: int, classes: int, dtype: Any = np.float32) -> list[tuple[Array, Array]]:
    return [
        (logits(bench.rng, (rows, classes), dtype), bench.rng.integers(classes, size=rows))
        for _ in range(rotations(rows * classes * np.dtype(dtype).itemsize))
    ]


def _case(bench: Bench, rows: int, classes: int) -> Case:
    return value_and_grad(bench, "", rows_and_labels(bench, rows, classes), at_least=WITH_GRADIENT)


def rows(bench: Bench) -> Iterator[Row]:
    shapes = [(16, 50)] if bench.quick else [(1024, 1000), (1024, 32000), (1024, 128256), (65536, 10)]
    return bench.timed(_case(bench, *shape) for shape in shapes)
