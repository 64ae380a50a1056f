"""The operators of cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad.losses._cross_entropy import cross_entropy as core
from softgrad.torch._cross_entropy_terms import Terms, label_weights
from softgrad.torch._loss_operators import LossOperators, TensorDerivatives, no_derivative
from softgrad.torch._tensors import LOSS_DTYPES, optional_array

TENSORS = ("Tensor target", "Tensor? weight", "Tensor? sample_weight", "Tensor? where")


class ByTarget(TensorDerivatives):
    """By probabilities and their class weights, as in torch."""

    def gradients(
        self, needs: Sequence[bool], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any
    ) -> Sequence[Tensor | None]:
        _require_probabilities(needs, rest)
        terms = Terms(x, *rest)
        surprise = terms.surprise(vectors) * terms.scale(upstream)
        by_weight = None
        if needs[1]:
            others = [dim for dim in range(x.dim()) if dim not in rest[4]]
            product = surprise * terms.smoothed(terms.one_hot)
            by_weight = (product.sum(others) if others else product).to(rest[1].dtype)
        by_target = ((1.0 - terms.smoothing) * terms.weighted(surprise)).to(rest[0].dtype) if needs[0] else None
        return by_target, by_weight

    def rates(self, tangents: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], *rest: Any) -> Tensor:
        terms = Terms(x, *rest)
        product = terms.surprise(vectors) * self._change(tangents, terms, rest)
        rates = product.sum(rest[4], dtype=LOSS_DTYPES[x.dtype])
        return rates if rest[2] is None else rates * rest[2].to(rates.dtype)

    def gradients_of_rates(
        self, tangents: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any
    ) -> Tensor:
        terms = Terms(x, *rest)
        return terms.gradient_of(self._change(tangents, terms, rest), vectors) * terms.scale(upstream)

    def _change(self, tangents: Sequence[Tensor | None], terms: Terms, rest: Sequence[Any]) -> Tensor:
        """The tangent of what the target is with smoothing and class weights."""
        _require_probabilities([each is not None for each in tangents], rest)
        by_target, by_weight = tangents[:2]
        change = torch.zeros_like(terms.x)
        if by_target is not None:
            change = change + terms.weighted((1.0 - terms.smoothing) * by_target)
        if by_weight is not None:
            change = change + terms.smoothed(terms.one_hot) * by_weight.reshape(terms.class_shape)
        return change


def _require_probabilities(needs: Sequence[bool], rest: Sequence[Any]) -> None:
    if needs[2] or needs[3] or (needs[1] and not rest[0].is_floating_point()):
        raise no_derivative(core.name, needs, TENSORS)


class CrossEntropyOperators(LossOperators):
    """The mask of the classes is in the shape of the logits."""

    loss = core
    tensors = TENSORS
    by_tensors = ByTarget()
    shared = ("Tensor? weight",)
    numbers = "int[] dim, int? ignore_index, float label_smoothing, float temperature, float? softcap, float z_loss"

    def keywords(self, *rest: Any) -> dict[str, Any]:
        _, weight, sample_weight, where, dims, ignore_index, smoothing, temperature, softcap, z_loss = rest
        return {
            "class_weight": optional_array(weight),
            "sample_weight": optional_array(sample_weight),
            "where": optional_array(where),
            "axis": tuple(dims),
            "ignore_index": ignore_index,
            "label_smoothing": smoothing,
            "temperature": temperature,
            "softcap": softcap,
            "z_loss": z_loss,
        }

    def dims(self, *rest: Any) -> list[int]:
        dims: list[int] = rest[4]
        return dims

    def in_batch(self, *numbers: Any) -> tuple[Any, ...]:
        dims, *others = numbers
        return [dim + 1 for dim in dims], *others

    def label_weights(self, x: Tensor, *rest: Any) -> Tensor:
        return label_weights(x, *rest[:6])

    def third(self, x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any) -> Tensor:
        terms = Terms(x, *rest)
        return terms.third(*vectors) * terms.scale(upstream)


OPERATORS = CrossEntropyOperators()
