"""softgrad.torch in the place of PyTorch's own loss

float32: `sgt.cross_entropy` and its backward beside `F.cross_entropy` and its backward, both by autograd, on one thread
and on two. "core" is `sg.cross_entropy.value_and_grad` with the same numbers as NumPy arrays, on as many threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

import softgrad as sg
import softgrad.torch as sgt
from benchmarks._contender import Contender
from benchmarks._harness import Bench, Case, rotations
from benchmarks._inputs import logits
from benchmarks._results import Row
from benchmarks.cross_entropy import check_value_and_grad

# Rows, classes, threads, and how many times softgrad's time PyTorch is to take.
_GOALS = ((8, 10, 1, 1 / 1.5), (1024, 1000, 1, 2.5), (1024, 1000, 2, 2.0), (4096, 50257, 1, 4.0), (4096, 50257, 2, 4.0))
_QUICK = ((8, 10, 1, 1 / 1.5), (64, 100, 2, 2.0))


def _forward_and_backward(loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    value = loss(x, y)
    (gradient,) = torch.autograd.grad(value, x)
    return value.detach(), gradient


def _read(result: tuple[Tensor, Tensor]) -> tuple[Any, Any]:
    value, gradient = result
    return value.numpy(), gradient.numpy()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with sg.num_threads(count):
            yield
    finally:
        torch.set_num_threads(before)


def _case(bench: Bench, rows: int, classes: int, threads: int, goal: float) -> Case:
    arrays = [
        (logits(bench.rng, (rows, classes)), bench.rng.integers(classes, size=rows))
        for _ in range(rotations(4 * rows * classes))
    ]
    tensors = [(torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)) for x, y in arrays]
    during = partial(_threads, threads)

    def contender(loss: Callable[[Tensor, Tensor], Tensor]) -> Contender:
        calls = [partial(_forward_and_backward, loss, *pair) for pair in tensors]
        return Contender(calls, during=during, read=_read)

    core = Contender([partial(sg.cross_entropy.value_and_grad, *pair) for pair in arrays], during=during)
    return Case(
        f"{rows} x {classes}, {threads} thread{'s' if threads > 1 else ''}",
        contender(sgt.cross_entropy),
        check_value_and_grad(*arrays[0], -1),
        floors={"core": core},
        peers={"PyTorch": contender(torch.nn.functional.cross_entropy)},
        at_least={"PyTorch": goal},
    )


def rows(bench: Bench) -> Iterator[Row]:
    return bench.timed(_case(bench, *goal) for goal in (_QUICK if bench.quick else _GOALS))
