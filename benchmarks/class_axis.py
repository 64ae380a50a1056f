"""The class axis not last

Logits of shape (N, C, H, W) with the classes along axis 1: the pixels of images for segmentation, and small maps of
many classes. PyTorch is at home there. The loss is with its gradient, in place.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks._goals import WITH_GRADIENT
from benchmarks._harness import Bench, Case, rotations
from benchmarks._inputs import logits
from benchmarks._results import Row
from benchmarks.cross_entropy import value_and_grad
from benchmarks.softmax import FUNCTIONS, array_function

Shape = tuple[int, int, int, int]


def _array_function(bench: Bench, name: str, shape: Shape) -> Case:
    size = shape[0] * shape[1] * shape[2] * shape[3]
    return array_function(bench, name, [logits(bench.rng, shape) for _ in range(rotations(4 * size))], 1)


def _cross_entropy(bench: Bench, shape: Shape) -> Case:
    images, classes, height, width = shape
    pairs = [
        (logits(bench.rng, shape), bench.rng.integers(classes, size=(images, height, width)))
        for _ in range(rotations(4 * images * classes * height * width))
    ]
    return value_and_grad(bench, ", axis 1", pairs, axis=1, at_least=WITH_GRADIENT)


def _cases(bench: Bench, shapes: list[Shape]) -> Iterator[Case]:
    for shape in shapes:
        for name in FUNCTIONS:
            yield _array_function(bench, name, shape)
        yield _cross_entropy(bench, shape)


def rows(bench: Bench) -> Iterator[Row]:
    return bench.timed(_cases(bench, [(2, 5, 4, 4)] if bench.quick else [(8, 21, 128, 128), (32, 1000, 7, 7)]))
