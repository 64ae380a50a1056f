"""softmax of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad.functional import softmax as core
from softgrad.torch._registration import Operator
from softgrad.torch._rows import like, row_arguments, row_kernel, total, with_batch_in_front


def softmax(
    input: Tensor,
    dim: int | tuple[int, ...] | None = -1,
    *,
    where: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Softmax of each row, in the place of `torch.softmax`.

    Parameters
    ----------
    input : Tensor, any shape
        Logits: float64, float32, float16 or bfloat16, of any strides.
    dim : int, tuple of int or None, default -1
        The dimensions of the classes; None takes the whole tensor as one row.
    where : Tensor of bool, broadcast to `input`, optional
        Classes that take part; the others give 0, whatever they hold.
    temperature : float, default 1
        Divides the logits; positive and finite.

    Returns
    -------
    Tensor, shape and dtype of `input`
        Derivatives of any order by `input`.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.softmax`; also for a tensor that is on another device, or not dense.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.softmax(torch.tensor([0.0, 0.0]))
    tensor([0.5000, 0.5000])
    """
    x, mask, dims = row_arguments(input, dim, where)
    result = softmax_of(x, mask, dims, temperature)
    return result if input.dim() else result.squeeze(0)


def _third(
    x: Tensor,
    where: Tensor | None,
    vectors: Sequence[Tensor],
    dims: list[int],
    temperature: float,
) -> Tensor:
    """The derivative of `softmax_hvp` by x, which is symmetric in three vectors: of torch's operations over softmax,
    so it has derivatives of any order."""
    p = softmax_of(x, where, dims, temperature)

    def mean(a: Tensor) -> Tensor:
        return (p * a).sum(dims, keepdim=True)

    if where is not None:
        vectors = [torch.where(where, each, 0.0) for each in vectors]
    a, b, c = (each - mean(each) for each in vectors)
    abc = a * b * c
    return p * (abc - mean(abc) - mean(a * b) * c - mean(b * c) * a - mean(c * a) * b) / temperature**3


softmax_of: Operator[Tensor] = Operator(
    "softmax(Tensor x, Tensor? where, int[] dim, float temperature) -> Tensor",
    cpu=row_kernel(core),
    fake=like,
    vmap=with_batch_in_front(lambda: softmax_of),
    backward=lambda a, _, g: (softmax_vjp(a[0], a[1], g, *a[2:]),),
    jvp=lambda a, t: softmax_vjp(a[0], a[1], t[0], *a[2:]),
)


def _vjp_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    x, where, g, *options = a
    by_x = softmax_hvp(x, where, g, u, *options) if needs[0] else None
    return by_x, None, softmax_vjp(x, where, u, *options) if needs[2] else None


def _vjp_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    x, where, g, *options = a
    return total(
        None if t[0] is None else softmax_hvp(x, where, g, t[0], *options),
        None if t[2] is None else softmax_vjp(x, where, t[2], *options),
    )


softmax_vjp: Operator[Tensor] = Operator(
    "softmax_vjp(Tensor x, Tensor? where, Tensor g, int[] dim, float temperature) -> Tensor",
    cpu=row_kernel(core.vjp),
    fake=like,
    vmap=with_batch_in_front(lambda: softmax_vjp),
    backward=_vjp_backward,
    jvp=_vjp_jvp,
)


def _hvp_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    x, where, g, v, *options = a
    return (
        _third(x, where, (g, v, u), *options) if needs[0] else None,
        None,
        softmax_hvp(x, where, u, v, *options) if needs[2] else None,
        softmax_hvp(x, where, g, u, *options) if needs[3] else None,
    )


def _hvp_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    x, where, g, v, *options = a
    return total(
        None if t[0] is None else _third(x, where, (g, v, t[0]), *options),
        None if t[2] is None else softmax_hvp(x, where, t[2], v, *options),
        None if t[3] is None else softmax_hvp(x, where, g, t[3], *options),
    )


softmax_hvp: Operator[Tensor] = Operator(
    "softmax_hvp(Tensor x, Tensor? where, Tensor g, Tensor v, int[] dim, float temperature) -> Tensor",
    cpu=row_kernel(core.hvp),
    fake=like,
    vmap=with_batch_in_front(lambda: softmax_hvp),
    backward=_hvp_backward,
    jvp=_hvp_jvp,
)
