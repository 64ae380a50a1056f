"""Cross-entropy in plain calls: its gradient is made with the loss, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from softgrad._contracts import output_for
from softgrad._float_mode import in_ieee_mode
from softgrad._native import cross_entropy_if_plain
from softgrad.losses._cross_entropy import cross_entropy as core
from softgrad.torch._cross_entropy_operators import OPERATORS
from softgrad.torch._cross_entropy_terms import label_weights
from softgrad.torch._reduction import Reduction
from softgrad.torch._registration import is_plain
from softgrad.torch._tensors import array, overwritten, tensor
from softgrad.torch._threads import within_torch_threads

# In two bytes the gradient is made in the backward: what arrives from above, such as the scale of a loss, is needed
# before it is rounded.
FUSED = (torch.float32, torch.float64)

_value = within_torch_threads(core)
_value_and_grad = within_torch_threads(core.value_and_grad)
_grad = within_torch_threads(core.grad)
# The elements that the core works on in the calling thread alone, so that there is no number of threads to limit.
SMALL = 8192


def small_mean(x: Tensor, target: Tensor) -> Tensor | None:
    """The mean of rows of logits and class indices without an option; None where more has to be looked at."""
    if x.dtype not in FUSED or x.numel() > SMALL or x.dim() > 2 or not x.is_cpu or not target.is_cpu or x.is_neg():
        return None
    logits = x.detach().numpy()
    tracked = x.requires_grad and torch.is_grad_enabled()
    gradient = np.empty(logits.shape, logits.dtype) if tracked else None
    mean = cross_entropy_if_plain(logits, target.numpy(), gradient)
    if mean is None:
        return None
    loss = logits.dtype.type(mean)
    if gradient is None:
        return tensor(loss)
    return _loss(x, loss, gradient, _options_of_mean(x, target), MEAN)


MEAN = Reduction("mean", None, None)


def _options_of_mean(x: Tensor, target: Tensor) -> tuple[Any, ...]:
    return (target, None, None, None, [x.dim() - 1], None, 0.0, 1.0, None, 0.0)


def plain_loss(x: Tensor, rest: tuple[Any, ...], plan: Reduction, in_place: bool) -> Tensor:
    """The loss of a call that is plain; `rest` is what the operators take behind the logits."""
    logits, labels, options = array(x), array(rest[0]), OPERATORS.keywords(*rest) | plan.options
    if not (x.requires_grad and torch.is_grad_enabled()):
        return tensor(_value(logits, labels, **options))
    if in_place:
        if x.is_leaf:
            raise ValueError("inplace_backward writes the gradient over the input, which is a leaf: its value is lost")
        output_for(logits, logits)
        return _loss_in_place(x, _value(logits, labels, **options), rest, plan)
    if plan.reduction != "none" and x.dtype in FUSED:
        return _loss(x, *_value_and_grad(logits, labels, **options), rest, plan)
    return _loss(x, _value(logits, labels, **options), None, rest, plan)


class _Loss(torch.autograd.Function):
    """A loss that has been worked out, and its gradient, where that has been."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, loss: Any, gradient: Any, rest: tuple[Any, ...], plan: Reduction) -> Tensor:
        _save(ctx, x, rest, plan, None if gradient is None else tensor(gradient))
        return tensor(loss)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        x, rest, gradient = _saved(ctx)
        if torch.is_grad_enabled() or not is_plain(upstream):
            gradient = _by_operators(x, rest, ctx.plan, upstream)
        elif gradient is None:
            gradient = tensor(_gradient(x, rest, ctx.plan, upstream))
        else:
            gradient = scaled(gradient, upstream)
        return gradient, None, None, None, None


class _LossInPlace(torch.autograd.Function):
    """A loss that has been worked out, whose gradient takes the place of the logits."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, loss: Any, rest: tuple[Any, ...], plan: Reduction) -> Tensor:
        _save(ctx, x, rest, plan, None)
        return tensor(loss)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        x, rest, _ = _saved(ctx)
        if torch.is_grad_enabled() or not is_plain(upstream):
            raise NotImplementedError("inplace_backward: the backward has no derivative, and is of one gradient")
        gradient = overwritten(x, lambda logits: _gradient(x, rest, ctx.plan, upstream, out=logits))
        return gradient, None, None, None


# Untyped in torch.
_loss: Callable[..., Tensor] = _Loss.apply
_loss_in_place: Callable[..., Tensor] = _LossInPlace.apply


def _save(ctx: Any, x: Tensor, rest: tuple[Any, ...], plan: Reduction, gradient: Tensor | None) -> None:
    ctx.save_for_backward(x, *rest[:4], gradient)
    ctx.numbers, ctx.plan = rest[4:], plan


def _saved(ctx: Any) -> tuple[Tensor, tuple[Any, ...], Tensor | None]:
    # Read once: the hooks of checkpointing allow no second look.
    x, *tensors, gradient = ctx.saved_tensors
    return x, (*tensors, *ctx.numbers), gradient


def _gradient(x: Tensor, rest: tuple[Any, ...], plan: Reduction, upstream: Tensor, out: Any = None) -> Any:
    options = OPERATORS.keywords(*rest) | plan.options
    return _grad(array(x), array(rest[0]), upstream=array(upstream), out=out, **options)


def scaled(gradient: Tensor, upstream: Tensor) -> Tensor:
    """A gradient that was made for an upstream of 1."""
    number = upstream.item()
    return gradient if number == 1.0 else _product(gradient, number)


# torch would flush subnormal results where the caller has set that.
_product = in_ieee_mode(lambda gradient, number: tensor(np.multiply(array(gradient), number)))


def _by_operators(x: Tensor, rest: tuple[Any, ...], plan: Reduction, upstream: Tensor) -> Tensor:
    """The gradient with derivatives."""
    rows = plan.upstream(upstream, lambda: label_weights(x, *rest[:6]), OPERATORS.row_shape(x, *rest))
    return OPERATORS.gradients(x, rows, *rest)
