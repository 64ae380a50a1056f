"""Binary cross-entropy of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softgrad._contracts import Normalizer
from softgrad._contracts import Reduction as ReductionName
from softgrad.losses._binary_cross_entropy import binary_cross_entropy as core
from softgrad.torch._loss_operators import LossOperators, TensorDerivatives, no_derivative
from softgrad.torch._plain_loss import Call, loss_of
from softgrad.torch._reduction import Reduction
from softgrad.torch._rows import broadcast
from softgrad.torch._sigmoid import log_sigmoid_of, sigmoid_of, sigmoid_vjp
from softgrad.torch._tensors import optional_array, require_dense, require_floating, weights_of_core


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    pos_weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    reduction: ReductionName = "mean",
    normalizer: Normalizer | None = None,
) -> Tensor:
    """Binary cross-entropy of logits, in the place of `torch.nn.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    input : Tensor, any shape
        Logits: float64, float32, float16 or bfloat16, of any strides.
    target : Tensor, shape of `input`
        Probabilities of the positive class, in [0, 1]: of any real dtype, or boolean.
    weight : Tensor, broadcast to `input`, optional
        Multiplies the loss of each element; finite and not negative.
    pos_weight : Tensor, broadcast to `input`, optional
        Multiplies the part of the positive class; finite and not negative.
    label_smoothing, reduction
        As in `softgrad.binary_cross_entropy`.
    normalizer : {"weights", "count"} or float, optional
        What "mean" divides by: as in `softgrad.binary_cross_entropy`. By default the number of elements, as in torch.

    Returns
    -------
    Tensor, of no dimensions, or the shape of `input` for reduction "none"
        In the dtype of `input`, float32 for those of two bytes. Derivatives of any order by `input` and `target`.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.binary_cross_entropy`; also for a tensor that is on another device, or not dense.
    NotImplementedError
        A derivative is asked for by weights.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.binary_cross_entropy(torch.tensor([0.0, 40.0]), torch.tensor([1.0, 1.0]), reduction="none")
    tensor([6.9315e-01, 4.2484e-18])
    """
    require_floating(input=input)
    require_dense(target=target, weight=weight, pos_weight=pos_weight)
    # One weight for all rows of a batch of vmap would be in no row of it.
    weights = None if weight is None else weights_of_core(broadcast(weight, "weight", input))
    positive = None if pos_weight is None else weights_of_core(broadcast(pos_weight, "pos_weight", input))
    rest = (target, weights, positive, label_smoothing)
    return loss_of(input, Call(OPERATORS, rest, Reduction(reduction, normalizer, input.numel())))


TENSORS = ("Tensor target", "Tensor? sample_weight", "Tensor? pos_weight")


class ByTarget(TensorDerivatives):
    """The loss is linear in the target, whose factor is log_sigmoid(-x) - w log_sigmoid(x)."""

    def gradients(
        self, needs: Sequence[bool], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any
    ) -> Sequence[Tensor | None]:
        if any(needs[1:]):
            raise no_derivative(core.name, needs, TENSORS)
        return ((self._factor(x, vectors, rest) * upstream).to(rest[0].dtype),)

    def rates(self, tangents: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], *rest: Any) -> Tensor:
        return (self._factor(x, vectors, rest) * self._change(tangents)).to(OPERATORS.losses_like(x, *rest).dtype)

    def gradients_of_rates(
        self, tangents: Sequence[Tensor | None], x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any
    ) -> Tensor:
        one = torch.ones_like(x)
        return self._factor(x, (*vectors, one), rest) * (self._change(tangents) * upstream).to(x.dtype)

    def _change(self, tangents: Sequence[Tensor | None]) -> Tensor:
        moved = [each is not None for each in tangents]
        if any(moved[1:]):
            raise no_derivative(core.name, moved, TENSORS)
        assert tangents[0] is not None
        return tangents[0]

    def _factor(self, x: Tensor, vectors: Sequence[Tensor], rest: Sequence[Any]) -> Tensor:
        _, weights, positive, smoothing = rest
        w = 1.0 if positive is None else positive
        if not vectors:
            factor = log_sigmoid_of(-x) - w * log_sigmoid_of(x)
        elif len(vectors) == 1:
            factor = -(w * sigmoid_of(-x) + sigmoid_of(x)) * vectors[0]
        else:
            factor = (w - 1.0) * sigmoid_vjp(x, vectors[0] * vectors[1])
        scale = 1.0 - smoothing if weights is None else (1.0 - smoothing) * weights
        result: Tensor = scale * factor
        return result


class BinaryCrossEntropyOperators(LossOperators):
    """Each element is a row."""

    loss = core
    tensors = TENSORS
    by_tensors = ByTarget()
    numbers = "float label_smoothing"

    def keywords(self, *rest: Any) -> dict[str, Any]:
        _, weights, positive, smoothing = rest
        return {
            "sample_weight": optional_array(weights),
            "pos_weight": optional_array(positive),
            "label_smoothing": smoothing,
        }

    def dims(self, *_: Any) -> list[int]:
        return []

    def in_batch(self, *numbers: Any) -> tuple[Any, ...]:
        return numbers

    def label_weights(self, x: Tensor, *rest: Any) -> Tensor:
        weights: Tensor | None = rest[1]
        return torch.ones_like(x, dtype=torch.float64) if weights is None else weights

    def third(self, x: Tensor, vectors: Sequence[Tensor], upstream: Tensor, *rest: Any) -> Tensor:
        target, weights, positive, smoothing = rest
        y = (1.0 - smoothing) * target.to(x.dtype) + 0.5 * smoothing
        total = 1.0 if positive is None else positive * y + (1.0 - y)
        scale = upstream if weights is None else upstream * weights
        return sigmoid_vjp(x, vectors[0] * vectors[1]) * (sigmoid_of(-x) - sigmoid_of(x)) * (total * scale).to(x.dtype)


OPERATORS = BinaryCrossEntropyOperators()
