"""What is asked of the tokens of a language model, of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from softgrad.losses._token_logprobs import token_logprobs as core
from softgrad.torch._batches import in_front
from softgrad.torch._cross_entropy_operators import OPERATORS as CROSS_ENTROPY
from softgrad.torch._registration import Operator
from softgrad.torch._rows import beside_classes, row_arguments, total
from softgrad.torch._softmax_operators import softmax_of, softmax_vjp
from softgrad.torch._tensors import LOSS_DTYPES, array, require_dense, tensor


class TokenStatistics(NamedTuple):
    """What `token_logprobs` returns, each of the shape of the labels."""

    logprob: Tensor
    entropy: Tensor
    rank: Tensor


def token_logprobs(input: Tensor, target: Tensor, *, dim: int | tuple[int, ...] | None = -1) -> TokenStatistics:
    """Log-probability and rank of the label of each row, and the entropy of the row, in one pass.

    Parameters
    ----------
    input : Tensor, any shape
        Logits: float64, float32, float16 or bfloat16, of any strides.
    target : Tensor of integers, shape of `input` without `dim`
        Class indices.
    dim : int, tuple of int or None, default -1
        The dimensions of the classes; None takes the whole tensor as one row.

    Returns
    -------
    TokenStatistics
        As in `softgrad.token_logprobs`; the log-probability and the entropy have derivatives of any order by `input`.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.token_logprobs`; also for a tensor that is on another device, or not dense.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.token_logprobs(torch.tensor([2.0, 3.0, 4.0]), torch.tensor(1))
    TokenStatistics(logprob=tensor(-1.4076), entropy=tensor(0.8324), rank=tensor(2))
    """
    x, _, dims = row_arguments(input, dim, None)
    require_dense(target=target)
    return TokenStatistics(*statistics_of(x, target, dims))


def _cpu(x: Tensor, target: Tensor, dims: list[int]) -> tuple[Tensor, ...]:
    return tuple(tensor(each) for each in core(array(x), array(target), axis=tuple(dims)))


def _fake(x: Tensor, _: Tensor, dims: list[int]) -> tuple[Tensor, ...]:
    rows = [size for dim, size in enumerate(x.shape) if dim not in dims]
    return tuple(x.new_empty(rows, dtype=dtype) for dtype in (*(LOSS_DTYPES[x.dtype],) * 2, torch.int64))


def _vmap(size: int, in_dims: Sequence[Any], *arguments: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    x, target, dims = in_front(size, in_dims, arguments)
    return statistics_of(x, target, [dim + 1 for dim in dims]), (0, 0, 0)


def _cross_entropy_arguments(target: Tensor, dims: list[int]) -> tuple[Any, ...]:
    return target, None, None, None, dims, None, 0.0, 1.0, None, 0.0


def _entropy_gradients(x: Tensor, dims: list[int]) -> Tensor:
    """-p (x - <p, x>): a class without probability adds 0."""
    p = softmax_of(x, None, dims, 1.0)
    return -softmax_vjp(p, torch.where(torch.isneginf(x), 0.0, x), None, dims, 1.0)


def _backward(a: Sequence[Any], _needs: Sequence[bool], *cotangents: Tensor | None) -> Sequence[Tensor | None]:
    x, target, dims = a
    by_logprob, by_entropy, _ = cotangents
    gradient = torch.zeros_like(x)
    if by_logprob is not None:
        gradient = gradient - CROSS_ENTROPY.gradients(x, by_logprob, *_cross_entropy_arguments(target, dims))
    if by_entropy is not None:
        gradient = gradient + (beside_classes(by_entropy, dims) * _entropy_gradients(x, dims)).to(x.dtype)
    return (gradient,)


def _jvp(a: Sequence[Any], t: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    x, target, dims = a
    v = total(t[0])
    rates = -CROSS_ENTROPY.rates(x, v, *_cross_entropy_arguments(target, dims))
    return rates, (_entropy_gradients(x, dims) * v).sum(dims, dtype=rates.dtype), None


statistics_of: Operator[tuple[Tensor, ...]] = Operator(
    "token_logprobs(Tensor x, Tensor target, int[] dim) -> (Tensor, Tensor, Tensor)",
    cpu=_cpu,
    fake=_fake,
    vmap=_vmap,
    backward=_backward,
    jvp=_jvp,
)
