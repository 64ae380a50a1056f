"""The linear head: linear_cross_entropy with the gradients of hidden and weight

float32. "three products" are what no implementation can leave out, hidden @ weight.T, G @ weight and G.T @ hidden,
with NumPy into arrays that are there; they hold all logits, softgrad one block of them. softgrad too writes the
gradients into arrays that are there (`out=`), as in a training: to touch new pages is no small part of the time.
PyTorch has a plain path, which holds the logits too, and a chunked one, which does not; JAX, jitted, holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import softgrad as sg
from benchmarks._contender import Contender
from benchmarks._harness import Bench, Case
from benchmarks._inputs import assert_close, logits
from benchmarks._peers import Array
from benchmarks._results import Row
from softgrad import reference

_VALUE_AND_GRAD = "linear_cross_entropy.value_and_grad"
_CHUNKED = f"{_VALUE_AND_GRAD}, chunked"
# What is right is made in float64, some rows of logits at a time.
_CHECKED_ROWS = 128


def _products(hidden: Array, weight: Array) -> Callable[[], None]:
    scores = np.empty((len(hidden), len(weight)), hidden.dtype)
    by_hidden, by_weight = np.empty_like(hidden), np.empty_like(weight)

    def products() -> None:
        np.matmul(hidden, weight.T, out=scores)
        np.matmul(scores, weight, out=by_hidden)
        np.matmul(scores.T, hidden, out=by_weight)

    return products


def _check(hidden: Array, weight: Array, labels: Array, spread: float) -> Callable[[Any], None]:
    rows = len(hidden)
    loss, by_hidden, by_weight = 0.0, np.empty(hidden.shape), np.zeros(weight.shape)
    wide = weight.astype(np.float64)
    for start in range(0, rows, _CHECKED_ROWS):
        part = slice(start, start + _CHECKED_ROWS)
        scores = hidden[part].astype(np.float64) @ wide.T
        loss += float(reference.cross_entropy(scores, labels[part], normalizer=rows))
        gradient = reference.cross_entropy_grad(scores, labels[part], normalizer=rows)
        by_hidden[part] = gradient @ wide
        by_weight += gradient.T @ hidden[part]

    def check(result: tuple[Any, Array, Array]) -> None:
        for what, actual, expected in zip(
            ("the loss", "the gradient of hidden", "the gradient of weight"),
            result,
            (loss, by_hidden, by_weight),
            strict=True,
        ):
            # The products of matrices add up in float32, over as many as there are classes; the roundings of the
            # logits, which grow with them, count in their exponentials.
            assert_close(what, actual, expected, np.float32, eps=max(64.0, len(weight) ** 0.5, 8.0 * spread))

    return check


def case(
    bench: Bench, rows: int, width: int, classes: int, *, spread: float = 3.0, chunked: bool = True, **goals: Any
) -> Case:
    """One size, with PyTorch's chunked path or without; `goals` are fields of `Case`.

    `spread`: the standard deviation of the logits.
    """
    hidden = logits(bench.rng, (rows, width))
    weight = logits(bench.rng, (classes, width)) * np.float32(spread / (9.0 * np.sqrt(width)))
    labels = bench.rng.integers(classes, size=rows)
    out = (np.zeros_like(hidden), np.zeros_like(weight), None)

    def flat(result: tuple[Any, Any]) -> tuple[Any, Array, Array]:
        return result[0], result[1].hidden, result[1].weight

    inputs = [(hidden, weight, labels)]
    slow = bench.contenders(_CHUNKED, inputs) if chunked else {}
    return Case(
        f"{_VALUE_AND_GRAD} {rows} x {width} x {classes}",
        Contender([partial(sg.linear_cross_entropy.value_and_grad, hidden, weight, labels, out=out)], read=flat),
        _check(hidden, weight, labels, spread),
        floors={"three products": Contender([_products(hidden, weight)])},
        peers=bench.contenders(_VALUE_AND_GRAD, inputs)
        | {f"{name}, chunked": contender for name, contender in slow.items()},
        **goals,
    )


def rows(bench: Bench) -> Iterator[Row]:
    size = (64, 16, 50) if bench.quick else (2048, 1024, 32000)
    goals = {"three products": 1.15}, {"PyTorch": 1.0, "PyTorch, chunked": 3.0}
    return bench.timed([case(bench, *size, at_most=goals[0], at_least=goals[1])])
