"""Tensors as the core reads them, and arrays as tensors: views, never copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
# The dtypes of the core, and those of their losses.
LOSS_DTYPES = {
    torch.float64: torch.float64,
    torch.float32: torch.float32,
    torch.float16: torch.float32,
    torch.bfloat16: torch.float32,
}


def array(tensor: Tensor) -> NDArray[Any]:
    """The memory of a tensor."""
    plain = tensor.detach() if tensor.requires_grad else tensor
    if plain.is_neg():
        plain = plain.resolve_neg()
    if plain.dtype is torch.bfloat16:
        bits: NDArray[Any] = plain.view(torch.uint16).numpy()
        return bits.view(BFLOAT16)
    return plain.numpy()


def optional_array(tensor: Tensor | None) -> NDArray[Any] | None:
    return None if tensor is None else array(tensor)


def tensor(values: Any) -> Tensor:
    """The memory of an array; a tensor of no dimensions for a NumPy scalar."""
    given = np.asarray(values)
    if given.dtype == BFLOAT16:
        return torch.from_numpy(given.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(given)


def overwritten(given: Tensor, write: Callable[[NDArray[Any]], object]) -> Tensor:
    """The memory of a tensor after `write`, which whoever saved the tensor is refused from then on."""
    write(array(given))
    torch.autograd.graph.increment_version(given)
    return given.detach()


def require_dense(**tensors: Tensor | None) -> None:
    """Refuse what is no dense tensor in the memory of the CPU."""
    for name, given in tensors.items():
        if given is not None:
            _require_dense(name, given)


def _require_dense(name: str, given: Tensor) -> None:
    if not isinstance(given, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(given).__name__}")
    if not given.is_cpu:
        raise ValueError(f"{name} is on the device {given.device}; softgrad.torch works on tensors on the cpu")
    if given.layout is not torch.strided:
        raise TypeError(f"{name} has the layout {given.layout}; it must be torch.strided")


def require_floating(**tensors: Tensor) -> None:
    """Refuse what has none of the dtypes of the core, besides what `require_dense` refuses."""
    for name, given in tensors.items():
        _require_dense(name, given)
        if given.dtype not in LOSS_DTYPES:
            names = ", ".join(str(each).removeprefix("torch.") for each in LOSS_DTYPES)
            raise TypeError(f"{name} has dtype {given.dtype}; it must be {names}")


def class_dims(dim: int | tuple[int, ...] | None, ndim: int) -> list[int]:
    """The dimensions of the classes, counted from the front; None is all of them."""
    # torch.compile may have symbols for the dimensions, which it does not sort: each picks a number.
    every = list(range(ndim))
    if dim is None:
        return every
    if isinstance(dim, int) and -ndim <= dim < ndim:
        return [every[dim]]
    given = (dim,) if isinstance(dim, int) else tuple(dim)
    for each in given:
        if not -ndim <= each < ndim:
            raise ValueError(f"dim is {dim}; input has {ndim} dimensions ({-ndim} to {ndim - 1})")
    dims = sorted(every[each] for each in given)
    if len(set(dims)) < len(dims):
        raise ValueError(f"dim is {dim}, which names a dimension twice; input has {ndim} dimensions")
    return dims


def weights_of_core(weights: Tensor) -> Tensor:
    """Weights in a dtype that the core has for them: float16 is, bfloat16 is not."""
    return weights.to(torch.float32) if weights.dtype is torch.bfloat16 else weights
