"""The logits of a linear head, held, for the derivatives that the core has not: third ones, and those by targets.

What follows from logits is made of the operators of cross-entropy, and so has derivatives of every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad.torch._cross_entropy_operators import OPERATORS
from softgrad.torch._rows import total
from softgrad.torch._tensors import LOSS_DTYPES

# Something for each of hidden, weight and bias, as a gradient; None for nothing.
Triple = Sequence[Tensor | None]


class HeldLogits:
    """hidden @ weight.T + bias, in the dtype of the losses.

    `rest` is what the operators of the linear head take behind the operands.
    """

    def __init__(self, hidden: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> None:
        self.dtype = LOSS_DTYPES[hidden.dtype]
        labels, class_weight, sample_weight, where, ignore_index, *numbers, _, _ = rest
        self.hidden, self.weight = hidden.to(self.dtype), weight.to(self.dtype)
        # A row that does not count may hold NaN, which multiplying by 0 does not remove.
        if ignore_index is not None:
            self.hidden = torch.where((labels == ignore_index)[:, None], 0.0, self.hidden)
        if sample_weight is not None:
            self.hidden = torch.where((sample_weight == 0)[:, None], 0.0, self.hidden)
        logits = self.hidden @ self.weight.T
        self.logits = logits if bias is None else logits + bias.to(self.dtype)
        # The dimensions of the classes are an argument there; how blocks are made is none.
        self.rest = (labels, class_weight, sample_weight, where, [1], ignore_index, *numbers)
        self.ones = OPERATORS.losses_like(self.logits, *self.rest).fill_(1.0)

    def moved(self, along: Triple) -> Tensor:
        """The derivative of the logits along a change of the operands, one at least."""
        hidden, weight, bias = (None if each is None else each.to(self.dtype) for each in along)
        return total(
            None if hidden is None else hidden @ self.weight.T,
            None if weight is None else self.hidden @ weight.T,
            None if bias is None else bias.expand(self.logits.shape),
        )

    def moved_twice(self, along: Triple, other: Triple) -> Tensor | None:
        """The second derivative of the logits along two changes; None for 0."""
        parts = [
            each[0].to(self.dtype) @ each[1].to(self.dtype).T
            for each in ((along[0], other[1]), (other[0], along[1]))
            if each[0] is not None and each[1] is not None
        ]
        return total(*parts) if parts else None

    def by_operands(self, gradient: Tensor) -> Triple:
        """The gradients by the operands, given one by the logits."""
        # Weights of another dtype may have made it one of theirs.
        gradient = gradient.to(self.dtype)
        return gradient @ self.weight, gradient.T @ self.hidden, gradient.sum(0)

    def by_moved_operands(self, gradient: Tensor, along: Triple) -> Triple:
        """What `by_operands` gains along a change of the operands."""
        gradient = gradient.to(self.dtype)
        hidden, weight, _ = (None if each is None else each.to(self.dtype) for each in along)
        return (
            None if weight is None else gradient @ weight,
            None if hidden is None else gradient.T @ hidden,
            None,
        )

    def gradients(self, upstream: Tensor) -> Tensor:
        """The gradients of the losses by the logits; the methods below derive them."""
        return OPERATORS.gradients(self.logits, upstream, *self.rest)

    def products(self, v: Tensor, upstream: Tensor) -> Tensor:
        return OPERATORS.products(self.logits, v, upstream, *self.rest)

    def third(self, u: Tensor, v: Tensor, upstream: Tensor) -> Tensor:
        return OPERATORS.third(self.logits, (u, v), upstream, *self.rest)

    def rates(self, v: Tensor) -> Tensor:
        return OPERATORS.rates(self.logits, v, *self.rest)

    def second_rates(self, u: Tensor, v: Tensor) -> Tensor:
        """The second derivatives of the losses along two changes of the logits."""
        return (u * self.products(v, self.ones)).sum(1)

    def gradients_by_tensors(
        self, needs: Sequence[bool], vectors: Sequence[Tensor], upstream: Tensor
    ) -> Sequence[Tensor | None]:
        """The gradients, by the labels and what follows them, of the losses or of their rates along vectors."""
        return OPERATORS.by_tensors.gradients(needs, self.logits, vectors, upstream, *self.rest)

    def rates_of_tensors(self, tangents: Sequence[Tensor | None], vectors: Sequence[Tensor]) -> Tensor:
        return OPERATORS.by_tensors.rates(tangents, self.logits, vectors, *self.rest)

    def gradients_of_tensor_rates(
        self, tangents: Sequence[Tensor | None], vectors: Sequence[Tensor], upstream: Tensor
    ) -> Tensor:
        return OPERATORS.by_tensors.gradients_of_rates(tangents, self.logits, vectors, upstream, *self.rest)


def sums(*triples: Triple) -> Triple:
    """The sum of gradients by hidden, by weight and by bias, of those that there are."""
    hidden, weight, bias = ([part for part in parts if part is not None] for parts in zip(*triples, strict=True))
    return total(*hidden) if hidden else None, total(*weight) if weight else None, total(*bias) if bias else None
