"""logsumexp of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad.functional import logsumexp as core
from softgrad.torch._products import product
from softgrad.torch._registration import Operator
from softgrad.torch._rows import beside_classes, like, row_arguments, row_kernel, total, with_batch_in_front
from softgrad.torch._softmax_operators import softmax_hvp, softmax_of


def logsumexp(
    input: Tensor,
    dim: int | tuple[int, ...] | None = -1,
    keepdim: bool = False,
    *,
    where: Tensor | None = None,
) -> Tensor:
    """Logarithm of the sum of exponentials of each row, in the place of `torch.logsumexp`.

    Parameters
    ----------
    input, dim, where
        As in `softmax`. Classes that do not take part are left out.
    keepdim : bool, default False
        Keep the dimensions of the classes, with size 1.

    Returns
    -------
    Tensor, dtype of `input`, shape of `input` without the dimensions of the classes
        Derivatives of any order by `input`.

    Raises
    ------
    TypeError, ValueError
        As in `softmax`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.logsumexp(torch.tensor([1000.0, 1000.0]))
    tensor(1000.6932)
    """
    x, mask, dims = row_arguments(input, dim, where)
    result = logsumexp_of(x, mask, dims)
    return beside_classes(result, dims) if keepdim and input.dim() else result


def _row_like(x: Tensor, *rest: Any) -> Tensor:
    return x.new_empty([size for dim, size in enumerate(x.shape) if dim not in rest[-1]])


logsumexp_of: Operator[Tensor] = Operator(
    "logsumexp(Tensor x, Tensor? where, int[] dim) -> Tensor",
    cpu=row_kernel(core),
    fake=_row_like,
    vmap=with_batch_in_front(lambda: logsumexp_of),
    backward=lambda a, _, g: (logsumexp_vjp(a[0], g, *a[1:]),),
    jvp=lambda a, t: logsumexp_jvp(a[0], t[0], *a[1:]),
)
logsumexp_vjp: Operator[Tensor] = product(
    "logsumexp_vjp(Tensor x, Tensor g, Tensor? where, int[] dim) -> Tensor",
    row_kernel(core.vjp, 1),
    like,
    transposed=lambda: logsumexp_jvp,
    by_point=lambda x, g, u, *rest: logsumexp_hvp(x, g, u, *rest),
    along_point=lambda x, g, change, *rest: logsumexp_hvp(x, g, change, *rest),
)
logsumexp_jvp: Operator[Tensor] = product(
    "logsumexp_jvp(Tensor x, Tensor v, Tensor? where, int[] dim) -> Tensor",
    row_kernel(core.jvp, 1),
    _row_like,
    transposed=lambda: logsumexp_vjp,
    by_point=lambda x, v, u, *rest: logsumexp_hvp(x, u, v, *rest),
    along_point=lambda x, v, change, *rest: _rate(x, v, change, *rest),
)


def _rate(x: Tensor, u: Tensor, v: Tensor, where: Tensor | None, dims: list[int]) -> Tensor:
    """The second derivative along two vectors."""
    ones = torch.ones_like(_row_like(x, dims))
    terms = u * logsumexp_hvp(x, ones, v, where, dims)
    return (terms if where is None else torch.where(where, terms, 0.0)).sum(dims)


def _third(x: Tensor, g: Tensor, u: Tensor, v: Tensor, where: Tensor | None, dims: list[int]) -> Tensor:
    p = softmax_of(x, where, dims, 1.0)
    return beside_classes(g, dims) * softmax_hvp(p, u, v, where, dims, 1.0)


def _hvp_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    x, g, v, *rest = a
    return (
        _third(x, g, u, v, *rest) if needs[0] else None,
        _rate(x, u, v, *rest) if needs[1] else None,
        logsumexp_hvp(x, g, u, *rest) if needs[2] else None,
    )


def _hvp_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    x, g, v, *rest = a
    return total(
        None if t[0] is None else _third(x, g, t[0], v, *rest),
        None if t[1] is None else logsumexp_hvp(x, t[1], v, *rest),
        None if t[2] is None else logsumexp_hvp(x, g, t[2], *rest),
    )


logsumexp_hvp: Operator[Tensor] = Operator(
    "logsumexp_hvp(Tensor x, Tensor g, Tensor v, Tensor? where, int[] dim) -> Tensor",
    cpu=row_kernel(core.hvp, 2),
    fake=like,
    vmap=with_batch_in_front(lambda: logsumexp_hvp),
    backward=_hvp_backward,
    jvp=_hvp_jvp,
)
