"""logsumexp of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad.functional import logsumexp as core
from softgrad.torch._registration import Operator
from softgrad.torch._rows import beside_classes, like, row_arguments, row_kernel, total, with_batch_in_front
from softgrad.torch._softmax import softmax_hvp


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
    backward=lambda a, _, g: (logsumexp_vjp(a[0], a[1], g, a[2]),),
    jvp=lambda a, t: logsumexp_jvp(a[0], a[1], t[0], a[2]),
)


def _vjp_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    x, where, g, dims = a
    by_x = logsumexp_hvp(x, where, g, u, dims) if needs[0] else None
    return by_x, None, logsumexp_jvp(x, where, u, dims) if needs[2] else None


def _vjp_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    x, where, g, dims = a
    return total(
        None if t[0] is None else logsumexp_hvp(x, where, g, t[0], dims),
        None if t[2] is None else logsumexp_vjp(x, where, t[2], dims),
    )


logsumexp_vjp: Operator[Tensor] = Operator(
    "logsumexp_vjp(Tensor x, Tensor? where, Tensor g, int[] dim) -> Tensor",
    cpu=row_kernel(core.vjp),
    fake=like,
    vmap=with_batch_in_front(lambda: logsumexp_vjp),
    backward=_vjp_backward,
    jvp=_vjp_jvp,
)


def _jvp_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    x, where, v, dims = a
    by_x = logsumexp_hvp(x, where, u, v, dims) if needs[0] else None
    return by_x, None, logsumexp_vjp(x, where, u, dims) if needs[2] else None


def _rate(x: Tensor, where: Tensor | None, u: Tensor, v: Tensor, dims: list[int]) -> Tensor:
    """The second derivative along two vectors."""
    ones = torch.ones_like(_row_like(x, dims))
    return _sums(u, logsumexp_hvp(x, where, ones, v, dims), where, dims)


def _sums(vector: Tensor, product: Tensor, where: Tensor | None, dims: list[int]) -> Tensor:
    terms = vector * product
    return (terms if where is None else torch.where(where, terms, 0.0)).sum(dims)


def _jvp_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    x, where, v, dims = a
    return total(
        None if t[0] is None else _rate(x, where, v, t[0], dims),
        None if t[2] is None else logsumexp_jvp(x, where, t[2], dims),
    )


logsumexp_jvp: Operator[Tensor] = Operator(
    "logsumexp_jvp(Tensor x, Tensor? where, Tensor v, int[] dim) -> Tensor",
    cpu=row_kernel(core.jvp),
    fake=_row_like,
    vmap=with_batch_in_front(lambda: logsumexp_jvp),
    backward=_jvp_backward,
    jvp=_jvp_jvp,
)


def _third(
    x: Tensor,
    where: Tensor | None,
    g: Tensor,
    u: Tensor,
    v: Tensor,
    dims: list[int],
) -> Tensor:
    return beside_classes(g, dims) * softmax_hvp(x, where, u, v, dims, 1.0)


def _hvp_backward(a: Sequence[Any], needs: Sequence[bool], u: Tensor) -> Sequence[Tensor | None]:
    x, where, g, v, dims = a
    return (
        _third(x, where, g, u, v, dims) if needs[0] else None,
        None,
        _rate(x, where, u, v, dims) if needs[2] else None,
        logsumexp_hvp(x, where, g, u, dims) if needs[3] else None,
    )


def _hvp_jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> Tensor:
    x, where, g, v, dims = a
    return total(
        None if t[0] is None else _third(x, where, g, t[0], v, dims),
        None if t[2] is None else logsumexp_hvp(x, where, t[2], v, dims),
        None if t[3] is None else logsumexp_hvp(x, where, g, t[3], dims),
    )


logsumexp_hvp: Operator[Tensor] = Operator(
    "logsumexp_hvp(Tensor x, Tensor? where, Tensor g, Tensor v, int[] dim) -> Tensor",
    cpu=row_kernel(core.hvp),
    fake=like,
    vmap=with_batch_in_front(lambda: logsumexp_hvp),
    backward=_hvp_backward,
    jvp=_hvp_jvp,
)
