"""Rules of torch.vmap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def in_front(batch_size: int, in_dims: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """The arguments, each tensor with the batch as its first dimension."""
    return [
        each
        if not isinstance(each, Tensor)
        else each.expand(batch_size, *each.shape)
        if dim is None
        else each.movedim(dim, 0)
        for each, dim in zip(arguments, in_dims, strict=True)
    ]


def one_by_one(
    function: Callable[..., Any], batch_size: int, in_dims: Sequence[Any], *arguments: Any
) -> tuple[Any, Any]:
    """The results of the examples, each worked out alone."""
    results = []
    for i in range(batch_size):
        example = [
            each.select(dim, i) if isinstance(each, Tensor) and dim is not None else each
            for each, dim in zip(arguments, in_dims, strict=True)
        ]
        results.append(function(*example))
    if isinstance(results[0], tuple):
        return tuple(torch.stack(each) for each in zip(*results, strict=True)), (0,) * len(results[0])
    return torch.stack(results), 0
