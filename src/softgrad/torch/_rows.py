"""What the operators of rows have in common.

Their arguments are x, vectors, the mask of the classes that take part or None, the dimensions of the classes, and the
temperature, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad.torch._batches import in_front
from softgrad.torch._tensors import array, class_dims, optional_array, require_dense, require_floating, tensor


def like(x: Tensor, *_: Any) -> Tensor:
    """What the core returns for `x`: of its shape and dtype, contiguous."""
    return x.new_empty(x.shape)


def row_kernel(verb: Callable[..., Any], vectors: int = 0) -> Callable[..., Tensor]:
    """The kernel that is a verb of the core with so many vectors."""

    def kernel(x: Tensor, *rest: Any) -> Tensor:
        where, dims, *temperature = rest[vectors:]
        along = map(array, rest[:vectors])
        if where is None and dims == [x.dim() - 1] and temperature in ([], [1.0]):
            # Without an option the core has less to look at.
            return tensor(verb(array(x), *along))
        options = dict(zip(("temperature",), temperature, strict=False))
        return tensor(verb(array(x), *along, axis=tuple(dims), where=optional_array(where), **options))

    return kernel


def with_batch_in_front(operator: Callable[[], Callable[..., Any]]) -> Callable[..., tuple[Any, int]]:
    """The rule of vmap of an operator: a batch is one more dimension without classes."""

    def rule(batch_size: int, in_dims: Sequence[Any], *arguments: Any) -> tuple[Any, int]:
        batched = in_front(batch_size, in_dims, arguments)
        return operator()(*([dim + 1 for dim in each] if isinstance(each, list) else each for each in batched)), 0

    return rule


def beside_classes(rows: Tensor, dims: list[int]) -> Tensor:
    """Numbers of the rows in a shape that broadcasts to that of the logits."""
    for dim in sorted(dims):
        rows = rows.unsqueeze(dim)
    return rows


def total(*parts: Tensor | None) -> Tensor:
    """The sum of those parts of a tangent that there are."""
    first, *others = (part for part in parts if part is not None)
    for part in others:
        first = first + part
    return first


def row_arguments(
    input: Tensor, dim: int | tuple[int, ...] | None, where: Tensor | None
) -> tuple[Tensor, Tensor | None, list[int]]:
    """The logits, the classes that take part in their shape, and the dimensions of the classes.

    As torch does, a tensor without dimensions is a row of one class.
    """
    require_floating(input=input)
    x = input if input.dim() else input.unsqueeze(0)
    return x, class_mask(where, x), class_dims(dim, x.dim())


def default_dim(input: Tensor) -> int:
    """The dimension of the classes where none is named, as torch's losses have it."""
    return 0 if input.dim() == 1 else 1


def class_mask(where: Tensor | None, x: Tensor) -> Tensor | None:
    """`where` in the shape of the logits."""
    if where is None:
        return None
    require_dense(where=where)
    if where.dtype is not torch.bool:
        raise TypeError(f"where has dtype {where.dtype}; it must be torch.bool")
    return broadcast(where, "where", x)


def broadcast(given: Tensor, name: str, x: Tensor) -> Tensor:
    """A tensor in the shape of the logits, which a batch of vmap keeps apart from theirs."""
    try:
        return given.broadcast_to(x.shape)
    except RuntimeError:
        raise ValueError(
            f"{name} has shape {tuple(given.shape)}; it must broadcast to input, which has shape {tuple(x.shape)}"
        ) from None
