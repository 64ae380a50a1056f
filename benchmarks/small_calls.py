"""One row of ten classes: what a call costs

float32, 1 x 10, all checks included. "empty" is `sg.get_num_threads()`, a function of the core without arguments: what
Python and nanobind take for any call.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import softgrad as sg
from benchmarks._contender import Contender
from benchmarks._goals import FORWARD, WITH_GRADIENT
from benchmarks._harness import Bench, Case
from benchmarks._inputs import check_rows, logits
from benchmarks._results import Row
from benchmarks.cross_entropy import check_value_and_grad
from benchmarks.softmax import FUNCTIONS
from softgrad import reference

_SHAPE = (1, 10)
_EMPTY = Contender([sg.get_num_threads])


def _array_function(bench: Bench, name: str) -> Case:
    inputs = [logits(bench.rng, _SHAPE) for _ in range(16)]
    return Case(
        f"{name} 1 x 10",
        Contender([partial(getattr(sg, name), x) for x in inputs]),
        check_rows(name, getattr(reference, name), (inputs[0],)),
        floors={"empty": _EMPTY},
        peers=bench.contenders(name, [(x, None) for x in inputs], axis=-1),
        within=1.5e-6 if name == "softmax" else None,
        at_least=FORWARD,
    )


def _cross_entropy(bench: Bench) -> Case:
    pairs = [(logits(bench.rng, _SHAPE), bench.rng.integers(10, size=1)) for _ in range(16)]
    return Case(
        "cross_entropy.value_and_grad 1 x 10",
        Contender([partial(sg.cross_entropy.value_and_grad, *pair) for pair in pairs]),
        check_value_and_grad(*pairs[0], -1),
        floors={"empty": _EMPTY},
        peers=bench.contenders("cross_entropy.value_and_grad", pairs, axis=-1),
        at_least=WITH_GRADIENT,
    )


def _cases(bench: Bench) -> Iterator[Case]:
    for name in FUNCTIONS:
        yield _array_function(bench, name)
    yield _cross_entropy(bench)


def rows(bench: Bench) -> Iterator[Row]:
    return bench.timed(_cases(bench))
