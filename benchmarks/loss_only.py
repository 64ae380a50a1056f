"""Cross-entropy without its gradient

float32: the logits are read once and next to nothing is written, half of what a copy moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import softgrad as sg
from benchmarks._contender import Contender
from benchmarks._copy import copies
from benchmarks._goals import FORWARD
from benchmarks._harness import Bench, Case
from benchmarks._inputs import assert_close
from benchmarks._results import Row
from benchmarks.cross_entropy import mean_loss, rows_and_labels


def _case(bench: Bench, rows: int, classes: int) -> Case:
    pairs = rows_and_labels(bench, rows, classes)
    xs = [x for x, _ in pairs]
    expected = mean_loss(*pairs[0])

    def check(result: Any) -> None:
        assert_close("the loss", result, expected, np.float32)

    return Case(
        f"cross_entropy {rows} x {classes}",
        Contender([partial(sg.cross_entropy, *pair) for pair in pairs]),
        check,
        floors={"copy": copies(xs, [np.empty_like(x) for x in xs], bench.peers)},
        peers=bench.contenders("cross_entropy", pairs, axis=-1),
        bytes_needed=xs[0].nbytes,
        bytes_copied=2 * xs[0].nbytes,
        at_least=FORWARD,
    )


def rows(bench: Bench) -> Iterator[Row]:
    shapes = [(16, 50)] if bench.quick else [(65536, 10), (1024, 1000), (1024, 32000), (1024, 128256)]
    return bench.timed(_case(bench, *shape) for shape in shapes)
