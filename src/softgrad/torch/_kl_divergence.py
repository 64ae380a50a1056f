"""Kullback-Leibler divergence of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad._contracts import Normalizer
from softgrad._contracts import Reduction as ReductionName
from softgrad.losses._kl_divergence import kl_divergence as core
from softgrad.torch._loss_operators import LossOperators, TensorDerivatives, no_derivative
from softgrad.torch._plain_loss import Call, loss_of
from softgrad.torch._reduction import Reduction
from softgrad.torch._rows import beside_classes, row_arguments
from softgrad.torch._softmax_operators import log_softmax_of, softmax_hvp, softmax_of, softmax_vjp
from softgrad.torch._tensors import LOSS_DTYPES, optional_array, require_floating, weights_of_core


def kl_divergence(
    input: Tensor,
    target: Tensor,
    *,
    dim: int | tuple[int, ...] | None = -1,
    temperature: float = 1.0,
    where: Tensor | None = None,
    sample_weight: Tensor | None = None,
    reduction: ReductionName = "mean",
    normalizer: Normalizer = "weights",
) -> Tensor:
    """Kullback-Leibler divergence of the softmax of logits from that of target logits.

    Parameters
    ----------
    input : Tensor, any shape
        Logits, or logarithms of probabilities: float64, float32, float16 or bfloat16, of any strides.
    target : Tensor, shape of `input`
        The same of the target.
    dim : int, tuple of int or None, default -1
        The dimensions of the classes; None takes the whole tensor as one row.
    temperature, where, sample_weight, reduction, normalizer
        As in `softgrad.kl_divergence`.

    Returns
    -------
    Tensor, of no dimensions, or the shape of `input` without `dim` for reduction "none"
        In the dtype of `input`, float32 for those of two bytes. Derivatives of any order by `input` and `target`.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.kl_divergence`; also for a tensor that is on another device, or not dense.
    NotImplementedError
        A derivative is asked for by sample weights.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.kl_divergence(torch.tensor([0.0, 1e-4]), torch.tensor([0.0, 0.0]))
    tensor(1.2500e-09)
    """
    x, mask, dims = row_arguments(input, dim, where)
    require_floating(target=target)
    weights = None if sample_weight is None else weights_of_core(sample_weight)
    rest = (target if input.dim() else target.unsqueeze(0), weights, mask, dims, temperature)
    return loss_of(x, Call(OPERATORS, rest, Reduction(reduction, normalizer, None)))


TENSORS = ("Tensor target", "Tensor? sample_weight", "Tensor? where")


class ByTarget(TensorDerivatives):
    """With q the softmax of the target and r = log q - log p, the gradient by the target is the one of softmax for r.

    The first derivative of r along v is -v / temperature but for what all classes have in common, the second is that
    alone: neither q nor its derivatives look at it.
    """

    def gradients(
        self, needs: Sequence[bool], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any
    ) -> Sequence[Tensor | None]:
        if any(needs[1:]):
            raise no_derivative(core.name, needs, TENSORS)
        return ((self._gradients(x, vectors, rest) * _scale(upstream, rest)).to(rest[0].dtype),)

    def rates(self, tangents: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], *rest: Any) -> Tensor:
        change = self._change(tangents)
        rates: Tensor = (self._gradients(x, vectors, rest) * change).sum(rest[3], dtype=LOSS_DTYPES[x.dtype])
        weights: Tensor | None = rest[1]
        return rates if weights is None else rates * weights.to(rates.dtype)

    def gradients_of_rates(
        self, tangents: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any
    ) -> Tensor:
        target, _, where, dims, temperature = rest
        change = self._change(tangents)
        if vectors:
            return torch.zeros_like(x)
        scale: Tensor = -_scale(upstream, rest) / temperature
        q = softmax_of(target, where, dims, temperature)
        return (softmax_vjp(q, change, where, dims, temperature) * scale).to(x.dtype)

    def _change(self, tangents: Sequence[Tensor | None]) -> Tensor:
        moved = [each is not None for each in tangents]
        if any(moved[1:]):
            raise no_derivative(core.name, moved, TENSORS)
        assert tangents[0] is not None
        return tangents[0]

    def _gradients(self, x: Tensor, vectors: Sequence[Tensor], rest: Sequence[Any]) -> Tensor:
        target, _, where, dims, temperature = rest
        if len(vectors) == 2:
            return torch.zeros_like(target)
        if vectors:
            along = -vectors[0] / temperature
        else:
            log_q, log_p = (log_softmax_of(each, where, dims, temperature) for each in (target, x))
            along = torch.where(torch.isneginf(log_q), 0.0, log_q - log_p)
        q = softmax_of(target, where, dims, temperature)
        return softmax_vjp(q, along.to(target.dtype), where, dims, temperature)


def _scale(upstream: Tensor, rest: Sequence[Any]) -> Tensor:
    """What arrives from above for each row, times its sample weight."""
    return beside_classes(upstream if rest[1] is None else upstream * rest[1], rest[3])


class KLDivergenceOperators(LossOperators):
    """The mask of the classes is in the shape of the logits."""

    loss = core
    tensors = TENSORS
    by_tensors = ByTarget()
    numbers = "int[] dim, float temperature"

    def keywords(self, *rest: Any) -> dict[str, Any]:
        _, weights, where, dims, temperature = rest
        return {
            "sample_weight": optional_array(weights),
            "where": optional_array(where),
            "axis": tuple(dims),
            "temperature": temperature,
        }

    def dims(self, *rest: Any) -> list[int]:
        dims: list[int] = rest[3]
        return dims

    def in_batch(self, *numbers: Any) -> tuple[Any, ...]:
        dims, temperature = numbers
        return [dim + 1 for dim in dims], temperature

    def label_weights(self, x: Tensor, *rest: Any) -> Tensor:
        _, weights, where, dims, _ = rest
        ones = torch.ones(self.row_shape(x, *rest), dtype=torch.float64)
        given = ones if weights is None else weights.to(torch.float64)
        return given if where is None else torch.where(where.any(dims), given, 0.0)

    def third(self, x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any) -> Tensor:
        _, _, where, dims, temperature = rest
        scale: Tensor = _scale(upstream, rest).to(x.dtype) / temperature
        p = softmax_of(x, where, dims, temperature)
        return softmax_hvp(p, vectors[0], vectors[1], where, dims, temperature) * scale


OPERATORS = KLDivergenceOperators()
