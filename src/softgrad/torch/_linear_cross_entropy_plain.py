"""Cross-entropy over a linear head in plain calls: its gradients are made with the loss, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from softgrad.losses._linear_cross_entropy import LinearGradients
from softgrad.losses._linear_cross_entropy import linear_cross_entropy as core
from softgrad.torch._accumulation import places_of_gradients, require_leaf, returned
from softgrad.torch._cross_entropy_terms import label_weights
from softgrad.torch._linear_cross_entropy_kernels import NAMES, arguments, keywords, names
from softgrad.torch._linear_cross_entropy_operators import GRADIENTS
from softgrad.torch._plain_loss import FUSED, scaled
from softgrad.torch._reduction import Reduction
from softgrad.torch._registration import is_plain
from softgrad.torch._tensors import array, optional_array, tensor
from softgrad.torch._threads import within_torch_threads

_value = within_torch_threads(core)
_value_and_grad = within_torch_threads(core.value_and_grad)
_grad = within_torch_threads(core.grad)

Operands = tuple[Tensor, Tensor, Tensor | None]


@dataclass(frozen=True)
class Call:
    """What a plain call is asked for beside its tensors."""

    plan: Reduction
    progress: Callable[[int, int], object] | None
    accumulate_grad: bool


def plain_loss(operands: Operands, rest: tuple[Any, ...], call: Call, predictions: Tensor | None) -> Tensor:
    """The loss; `rest` is what the operators take behind the operands. The predictions go to their place."""
    options = _options(rest, call)
    options["predictions"] = None if predictions is None else array(predictions)
    given = arguments(*operands, rest[0])
    wrt = [torch.is_grad_enabled() and each is not None and each.requires_grad for each in operands]
    if not any(wrt):
        return tensor(_value(*given, **options))
    if call.accumulate_grad:
        for name, operand, wanted in zip(NAMES[1:], operands[1:], wrt[1:], strict=True):
            if operand is not None and wanted:
                require_leaf(operand, name)
    elif call.plan.reduction != "none" and operands[0].dtype in FUSED:
        loss, found = _value_and_grad(*given, wrt=names(wrt), **options)
        return _loss(*operands, loss, found, rest, call)
    return _loss(*operands, _value(*given, **options), None, rest, call)


class _Loss(torch.autograd.Function):
    """A loss that has been worked out, and its gradients, where they have been."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        loss: Any,
        gradients: Sequence[Any] | None,
        rest: tuple[Any, ...],
        call: Call,
    ) -> Tensor:
        made = [None if each is None else tensor(each) for each in gradients or ()]
        ctx.save_for_backward(hidden, weight, bias, *rest[:4], *made)
        ctx.numbers, ctx.call = rest[4:], call
        return tensor(loss)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        # Read once: the hooks of checkpointing allow no second look.
        hidden, weight, bias, labels, class_weight, sample_weight, where, *made = ctx.saved_tensors
        operands, rest = (hidden, weight, bias), (labels, class_weight, sample_weight, where, *ctx.numbers)
        wrt = ctx.needs_input_grad[:3]
        plain = not torch.is_grad_enabled() and is_plain(upstream)
        gradients: Sequence[Tensor | None]
        if ctx.call.accumulate_grad:
            if not plain:
                raise NotImplementedError("accumulate_grad: the backward has no derivative, and is of one gradient")
            gradients = _accumulated(operands, upstream, wrt, rest, ctx.call)
        elif not plain:
            gradients = _by_operators(operands, upstream, wrt, rest, ctx.call.plan)
        elif made:
            gradients = [None if each is None else scaled(each, upstream) for each in made]
        else:
            found = _gradients(operands, upstream, wrt, rest, ctx.call)
            gradients = [None if each is None else tensor(each) for each in found]
        asked = (each if wanted else None for each, wanted in zip(gradients, wrt, strict=True))
        return *asked, None, None, None, None


# Untyped in torch.
_loss: Callable[..., Tensor] = _Loss.apply


def _options(rest: tuple[Any, ...], call: Call) -> dict[str, Any]:
    return keywords(*rest[1:]) | call.plan.options | {"progress": call.progress}


def _gradients(
    operands: Operands, upstream: Tensor, wrt: Sequence[bool], rest: tuple[Any, ...], call: Call, **places: Any
) -> LinearGradients:
    options = _options(rest, call) | places
    return _grad(*arguments(*operands, rest[0]), wrt=names(wrt), upstream=array(upstream), **options)


def _accumulated(
    operands: Operands, upstream: Tensor, wrt: Sequence[bool], rest: tuple[Any, ...], call: Call
) -> Sequence[Tensor | None]:
    """The gradients of those that have none yet; the others are added to what there is."""
    places = places_of_gradients(operands, wrt)
    wanted = [place is not None for place in places]
    out = tuple(optional_array(place) for place in places)
    _gradients(operands, upstream, wanted, rest, call, out=out, accumulate=True)
    return returned(operands, places)


def _by_operators(
    operands: Operands, upstream: Tensor, wrt: Sequence[bool], rest: tuple[Any, ...], plan: Reduction
) -> Sequence[Tensor]:
    """The gradients with derivatives."""
    labels, class_weight, sample_weight, where, ignore_index, *_ = rest
    rows = plan.upstream(
        upstream,
        lambda: label_weights(labels, labels, class_weight, sample_weight, where, [1], ignore_index),
        operands[0].shape[:1],
    )
    return GRADIENTS(*operands, rows, *rest, *wrt)
