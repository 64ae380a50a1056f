"""The focal loss of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad._contracts import Normalizer
from softgrad._contracts import Reduction as ReductionName
from softgrad.losses._focal import focal as core
from softgrad.torch._cross_entropy_operators import OPERATORS as CROSS_ENTROPY
from softgrad.torch._cross_entropy_terms import Terms, label_weights
from softgrad.torch._loss_operators import LossOperators
from softgrad.torch._plain_loss import Call, loss_of
from softgrad.torch._reduction import Reduction
from softgrad.torch._rows import beside_classes, default_dim, row_arguments
from softgrad.torch._tensors import optional_array, require_dense, weights_of_core


def focal(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    gamma: float = 2.0,
    dim: int | tuple[int, ...] | None = None,
    ignore_index: int = -100,
    sample_weight: Tensor | None = None,
    reduction: ReductionName = "mean",
    normalizer: Normalizer = "weights",
) -> Tensor:
    """Focal loss of logits and class indices: (1 - p_t)^gamma times the cross-entropy -log p_t.

    Parameters
    ----------
    input, weight, dim, ignore_index
        As in `cross_entropy`.
    target : Tensor of integers, shape of `input` without `dim`
        Class indices.
    gamma, sample_weight, reduction, normalizer
        As in `softgrad.focal`.

    Returns
    -------
    Tensor, of no dimensions, or the shape of `input` without `dim` for reduction "none"
        In the dtype of `input`, float32 for those of two bytes. Derivatives of any order by `input`.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.focal`; also for a tensor that is on another device, or not dense.
    NotImplementedError
        A derivative is asked for by weights.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.focal(torch.tensor([0.0, 0.0]), torch.tensor(0), gamma=1.0)
    tensor(0.3466)
    """
    x, _, dims = row_arguments(input, default_dim(input) if dim is None else dim, None)
    require_dense(target=target, weight=weight, sample_weight=sample_weight)
    rest = (
        target,
        None if weight is None else weights_of_core(weight),
        None if sample_weight is None else weights_of_core(sample_weight),
        dims,
        ignore_index,
        gamma,
    )
    return loss_of(x, Call(OPERATORS, rest, Reduction(reduction, normalizer, None)))


class FocalOperators(LossOperators):
    """Functions of the cross-entropies of the rows."""

    loss = core
    tensors = ("Tensor target", "Tensor? weight", "Tensor? sample_weight")
    shared = ("Tensor? weight",)
    numbers = "int[] dim, int? ignore_index, float gamma"

    def keywords(self, *rest: Any) -> dict[str, Any]:
        _, weight, sample_weight, dims, ignore_index, gamma = rest
        return {
            "class_weight": optional_array(weight),
            "sample_weight": optional_array(sample_weight),
            "axis": tuple(dims),
            "ignore_index": ignore_index,
            "gamma": gamma,
        }

    def dims(self, *rest: Any) -> list[int]:
        dims: list[int] = rest[3]
        return dims

    def in_batch(self, *numbers: Any) -> tuple[Any, ...]:
        dims, *others = numbers
        return [dim + 1 for dim in dims], *others

    def label_weights(self, x: Tensor, *rest: Any) -> Tensor:
        target, weight, sample_weight, dims, ignore_index, _ = rest
        return label_weights(x, target, weight, sample_weight, None, dims, ignore_index)

    def third(self, x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any) -> Tensor:
        target, weight, sample_weight, dims, ignore_index, gamma = rest
        terms = Terms(x, target, weight, sample_weight, None, dims, ignore_index, 0.0, 1.0, None, 0.0)
        u, v = (torch.where(terms.counts, each, 0.0) for each in vectors)
        plain = (target, None, None, None, dims, ignore_index, 0.0, 1.0, None, 0.0)
        entropy = CROSS_ENTROPY.losses(terms.logits, *plain)
        one = torch.ones_like(entropy)
        slope = CROSS_ENTROPY.gradients(terms.logits, one, *plain)
        along = [CROSS_ENTROPY.products(terms.logits, each, one, *plain) for each in (u, v)]
        first, second, third = (beside_classes(each, dims) for each in _derivatives(entropy, gamma))
        by_u, by_v = terms.sum(slope * u), terms.sum(slope * v)
        product = first * CROSS_ENTROPY.third(terms.logits, (u, v), one, *plain)
        product = product + second * (along[0] * by_v + along[1] * by_u + slope * terms.sum(u * along[1]))
        product = product + third * slope * by_u * by_v
        weights = self.label_weights(x, *rest)
        scale = beside_classes((upstream * weights).to(x.dtype), dims)
        return torch.where(terms.rows, product * scale, 0.0).to(x.dtype)


def _derivatives(entropy: Tensor, gamma: float) -> tuple[Tensor, Tensor, Tensor]:
    """The first three derivatives of (1 - exp(-l))^gamma l by the cross-entropy l of a row."""
    p, miss = torch.exp(-entropy), -torch.expm1(-entropy)
    one, two, three = (
        factor * miss ** (gamma - power) * p**power
        for power, factor in enumerate((gamma, gamma * (gamma - 1.0), gamma * (gamma - 1.0) * (gamma - 2.0)), 1)
    )
    first = miss**gamma + one * entropy
    second = one * (2.0 - entropy) + two * entropy
    third = one * (entropy - 3.0) + 3.0 * two * (1.0 - entropy) + three * entropy
    return first, second, third


OPERATORS = FocalOperators()
