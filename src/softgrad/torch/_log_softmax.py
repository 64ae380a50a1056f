"""log_softmax of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad.functional import log_softmax as core
from softgrad.torch._registration import Operator
from softgrad.torch._rows import like, row_arguments, row_kernel, total, with_batch_in_front
from softgrad.torch._softmax import softmax_vjp


def log_softmax(
    input: Tensor,
    dim: int | tuple[int, ...] | None = -1,
    *,
    where: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Logarithm of softmax of each row, in the place of `torch.log_softmax`.

    Parameters
    ----------
    input, dim, where, temperature
        As in `softmax`. Classes that do not take part give -inf.

    Returns
    -------
    Tensor, shape and dtype of `input`
        Derivatives of any order by `input`.

    Raises
    ------
    TypeError, ValueError
        As in `softmax`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.log_softmax(torch.tensor([0.0, 40.0]))
    tensor([-4.0000e+01, -4.2484e-18])
    """
    x, mask, dims = row_arguments(input, dim, where)
    result = log_softmax_of(x, mask, dims, temperature)
    return result if input.dim() else result.squeeze(0)


log_softmax_of: Operator[Tensor] = Operator(
    "log_softmax(Tensor x, Tensor? where, int[] dim, float temperature) -> Tensor",
    cpu=row_kernel(core),
    fake=like,
    vmap=with_batch_in_front(lambda: log_softmax_of),
    backward=lambda a, _, g: (log_softmax_vjp(a[0], a[1], g, *a[2:]),),
    jvp=lambda a, t: log_softmax_jvp(a[0], a[1], t[0], *a[2:]),
)


def _sum(x: Tensor, where: Tensor | None, dims: list[int]) -> Tensor:
    return (x if where is None else torch.where(where, x, 0.0)).sum(dims, keepdim=True)


def _second(
    x: Tensor,
    where: Tensor | None,
    g: Tensor,
    v: Tensor,
    dims: list[int],
    temperature: float,
) -> Tensor:
    """The Hessian of <g, log_softmax(x)> times v."""
    return -_sum(g, where, dims) * softmax_vjp(x, where, v, dims, temperature) / temperature


def _vjp_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    x, where, g, *options = a
    by_x = _second(x, where, g, u, *options) if needs[0] else None
    return by_x, None, log_softmax_jvp(x, where, u, *options) if needs[2] else None


def _vjp_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    x, where, g, *options = a
    return total(
        None if t[0] is None else _second(x, where, g, t[0], *options),
        None if t[2] is None else log_softmax_vjp(x, where, t[2], *options),
    )


log_softmax_vjp: Operator[Tensor] = Operator(
    "log_softmax_vjp(Tensor x, Tensor? where, Tensor g, int[] dim, float temperature) -> Tensor",
    cpu=row_kernel(core.vjp),
    fake=like,
    vmap=with_batch_in_front(lambda: log_softmax_vjp),
    backward=_vjp_backward,
    jvp=_vjp_jvp,
)


def _jvp_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    x, where, v, *options = a
    by_x = _second(x, where, u, v, *options) if needs[0] else None
    return by_x, None, log_softmax_vjp(x, where, u, *options) if needs[2] else None


def _jvp_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    x, where, v, dims, temperature = a
    bent = None
    if t[0] is not None:
        # -<D p, v>, the same for each class that takes part.
        change = softmax_vjp(x, where, t[0], dims, temperature)
        bent = -_sum(change * v, where, dims).expand(x.shape) / temperature
        bent = bent if where is None else torch.where(where, bent, 0.0)
    return total(bent, None if t[2] is None else log_softmax_jvp(x, where, t[2], dims, temperature))


log_softmax_jvp: Operator[Tensor] = Operator(
    "log_softmax_jvp(Tensor x, Tensor? where, Tensor v, int[] dim, float temperature) -> Tensor",
    cpu=row_kernel(core.jvp),
    fake=like,
    vmap=with_batch_in_front(lambda: log_softmax_jvp),
    backward=_jvp_backward,
    jvp=_jvp_jvp,
)
