"""Losses in plain calls: the gradient is made with the loss, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from softgrad._contracts import output_for
from softgrad._float_mode import in_ieee_mode
from softgrad.torch._loss_operators import LossOperators
from softgrad.torch._reduction import Reduction
from softgrad.torch._registration import is_plain
from softgrad.torch._tensors import array, overwritten, tensor
from softgrad.torch._threads import within_torch_threads

# In two bytes the gradient is made in the backward: what arrives from above, such as the scale of a loss, is needed
# before it is rounded.
FUSED = (torch.float32, torch.float64)


# Not frozen: that takes a microsecond of every call.
@dataclass(slots=True)
class Call:
    """What a loss is asked for beside the logits."""

    operators: LossOperators
    rest: tuple[Any, ...]
    """What the operators take behind the logits."""
    plan: Reduction


def is_plain_loss(x: Tensor, *others: Tensor | None) -> bool:
    """Whether a call is plain, and has a gradient by the logits alone."""
    if not is_plain(x, *others):
        return False
    # A generator would be felt in a small call.
    for each in others:  # noqa: SIM110
        if each is not None and each.requires_grad:
            return False
    return True


def loss_of(x: Tensor, call: Call) -> Tensor:
    """The loss, whatever the call is."""
    if is_plain_loss(x, *call.rest[: len(call.operators.tensors)]):
        return plain_loss(x, call)
    return call.operators.reduced(x, call.rest, call.plan)


def plain_loss(x: Tensor, call: Call, in_place: bool = False) -> Tensor:
    """The loss of a call that is plain; its gradient may take the place of the logits."""
    given, options = _arguments(x, call)
    core = call.operators.loss
    if not (x.requires_grad and torch.is_grad_enabled()):
        return tensor(_run(core, *given, **options))
    if in_place:
        if x.is_leaf:
            raise ValueError("inplace_backward writes the gradient over the input, which is a leaf: its value is lost")
        output_for(given[0], given[0])
        return _loss_in_place(x, _run(core, *given, **options), call)
    if call.plan.reduction != "none" and x.dtype in FUSED:
        return made_loss(x, *_run(core.value_and_grad, *given, **options), call)
    return made_loss(x, _run(core, *given, **options), None, call)


@within_torch_threads
def _run(verb: Callable[..., Any], /, *arguments: Any, **options: Any) -> Any:
    return verb(*arguments, **options)


def _arguments(x: Tensor, call: Call) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """What the verbs of the core take."""
    return (array(x), array(call.rest[0])), call.operators.keywords(*call.rest) | call.plan.options


class _Loss(torch.autograd.Function):
    """A loss that has been worked out, and its gradient, where that has been."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, loss: Any, gradient: Any, call: Call) -> Tensor:
        _save(ctx, x, call, None if gradient is None else tensor(gradient))
        return tensor(loss)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        x, call, gradient = _saved(ctx)
        if torch.is_grad_enabled() or not is_plain(upstream):
            gradient = call.operators.reduced_gradient(x, upstream, call.rest, call.plan)
        elif gradient is None:
            gradient = tensor(_gradient(x, call, upstream))
        else:
            gradient = scaled(gradient, upstream)
        return gradient, None, None, None


class _LossInPlace(torch.autograd.Function):
    """A loss that has been worked out, whose gradient takes the place of the logits."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, loss: Any, call: Call) -> Tensor:
        _save(ctx, x, call, None)
        return tensor(loss)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        x, call, _ = _saved(ctx)
        if torch.is_grad_enabled() or not is_plain(upstream):
            raise NotImplementedError("inplace_backward: the backward has no derivative, and is of one gradient")
        return overwritten(x, lambda logits: _gradient(x, call, upstream, out=logits)), None, None


# Untyped in torch.
made_loss: Callable[..., Tensor] = _Loss.apply
_loss_in_place: Callable[..., Tensor] = _LossInPlace.apply


def _save(ctx: Any, x: Tensor, call: Call, gradient: Tensor | None) -> None:
    tensors = len(call.operators.tensors)
    ctx.save_for_backward(x, gradient, *call.rest[:tensors])
    ctx.operators, ctx.numbers, ctx.plan = call.operators, call.rest[tensors:], call.plan


def _saved(ctx: Any) -> tuple[Tensor, Call, Tensor | None]:
    # Read once: the hooks of checkpointing allow no second look.
    x, gradient, *tensors = ctx.saved_tensors
    return x, Call(ctx.operators, (*tensors, *ctx.numbers), ctx.plan), gradient


def _gradient(x: Tensor, call: Call, upstream: Tensor, out: Any = None) -> Any:
    given, options = _arguments(x, call)
    return _run(call.operators.loss.grad, *given, upstream=array(upstream), out=out, **options)


def scaled(gradient: Tensor, upstream: Tensor) -> Tensor:
    """A gradient that was made for an upstream of 1."""
    number = upstream.item()
    return gradient if number == 1.0 else _product(gradient, number)


# torch would flush subnormal results where the caller has set that.
_product = in_ieee_mode(lambda gradient, number: tensor(np.multiply(array(gradient), number)))
