"""How linear_cross_entropy grows with the classes, the rows and the features

N x D x V, float32, value and gradients, as above. Time is that of the three products and little else, so it grows as
they do; their share of it is the inverse of "/ three products". PyTorch's chunked path is left out: it takes minutes.
The second half is memory beyond inputs and results, in processes of their own (D is 1024 there): a block of logits and
scratch, where the logits grow on and on. `python -m benchmarks._linear_head_guide` draws both and writes the guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks._harness import Bench
from benchmarks._results import Row
from benchmarks.linear_head import case
from benchmarks.memory import memory_row

_WORK = "linear_cross_entropy.value_and_grad"
# Of N, D, V; each of them grows while the others stay.
SIZES = [
    *((512, 256, classes) for classes in (16_384, 65_536, 262_144)),
    *((rows, 256, 32_768) for rows in (128, 512, 2048)),
    *((512, width, 32_768) for width in (64, 256, 1024)),
]
MEMORY = [*((1024, classes) for classes in (16_384, 65_536, 262_144)), *((rows, 32_768) for rows in (512, 2048, 8192))]


def rows(bench: Bench) -> Iterator[Row]:
    sizes = [(16, 8, 50)] if bench.quick else list(dict.fromkeys(SIZES))
    yield from bench.timed(case(bench, *size, chunked=False) for size in sizes)
    for shape in [(16, 50)] if bench.quick else MEMORY:
        # The goal is for the size of `linear_head`.
        yield replace(memory_row(bench, _WORK, *shape), at_least={})
