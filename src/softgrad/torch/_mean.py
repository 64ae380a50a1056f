"""The operator of a mean: Dynamo does not trace forward mode over forward mode through a quotient of torch's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad.torch._batches import in_front
from softgrad.torch._registration import Operator
from softgrad.torch._rows import beside_classes, total


def _quotient(losses: Tensor, divisor: Tensor, batch: int) -> Tensor:
    rows = losses.reshape(*losses.shape[:batch], -1)
    return (rows.sum(-1, dtype=torch.float64) / divisor).to(losses.dtype)


def _of_batch(size: int, in_dims: Sequence[Any], *arguments: Any) -> tuple[Tensor, int]:
    losses, divisor, batch = in_front(size, in_dims, arguments)
    return mean_of(losses, divisor, batch + 1), 0


def _backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    losses, divisor, batch = a
    share = u.to(torch.float64) / divisor
    spread = beside_classes(share.to(losses.dtype), list(range(batch, losses.dim()))).expand(losses.shape)
    return spread if needs[0] else None, -share * mean_of(losses, divisor, batch) if needs[1] else None


def _jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    losses, divisor, batch = a
    return total(
        None if t[0] is None else mean_of(t[0], divisor, batch),
        None if t[1] is None else (-mean_of(losses, divisor, batch) * t[1] / divisor).to(losses.dtype),
    )


mean_of: Operator[Tensor] = Operator(
    "mean(Tensor losses, Tensor divisor, int batch) -> Tensor",
    cpu=_quotient,
    fake=_quotient,
    vmap=_of_batch,
    backward=_backward,
    jvp=_jvp,
)
"""The sum of losses over a divisor, both float64 in between, for each element of their first `batch` dimensions."""
