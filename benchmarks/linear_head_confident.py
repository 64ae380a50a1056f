"""Confident logits: linear_cross_entropy where most gradients are too small to matter

N x D x V, float32, value and gradients, as in the linear head; the spread of the logits is their standard deviation.
"spread 1" is the same call of softgrad on logits of that spread, none of whose gradients is small. A processor may take
a hundred times as long for subnormal numbers: at spread 16 and 64 many gradients by the logits would be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks._harness import Bench, Case
from benchmarks._results import Row
from benchmarks.linear_head import case

SPREADS = (4.0, 16.0, 64.0)


def rows(bench: Bench) -> Iterator[Row]:
    size = (16, 8, 50) if bench.quick else (256, 256, 8000)

    def of_spread(spread: float) -> Case:
        drawn = case(bench, *size, spread=spread, chunked=False, at_least={"PyTorch": 1.0})
        return replace(drawn, work=f"{drawn.work}, logits of spread {spread:g}")

    calm = of_spread(1.0)
    beside = [
        replace(each, floors={**each.floors, "spread 1": calm.softgrad}, at_most={"spread 1": 1.1})
        for each in map(of_spread, SPREADS)
    ]
    return bench.timed([calm, *beside])
