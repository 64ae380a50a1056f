"""Cross-entropy with gradient for target probabilities

float32, in place; two arrays are read and one written, half as much again as the copy moves.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks._harness import Bench, Case, rotations
from benchmarks._inputs import logits, probabilities
from benchmarks._results import Row
from benchmarks.cross_entropy import value_and_grad


def _case(bench: Bench, rows: int, classes: int) -> Case:
    shape = (rows, classes)
    pairs = [(logits(bench.rng, shape), probabilities(bench.rng, shape)) for _ in range(rotations(4 * rows * classes))]
    return value_and_grad(bench, ", probabilities", pairs, ("PyTorch", "JAX"))


def rows(bench: Bench) -> Iterator[Row]:
    shapes = [(16, 50)] if bench.quick else [(65536, 10), (1024, 1000), (1024, 32000)]
    return bench.timed(_case(bench, *shape) for shape in shapes)
