"""Cross-entropy over a linear head, of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypedDict, Unpack, overload

import torch
from torch import Tensor

from softgrad._contracts import Normalizer
from softgrad._contracts import Reduction as ReductionName
from softgrad.torch._cross_entropy_terms import label_weights
from softgrad.torch._linear_cross_entropy_operators import LOSSES
from softgrad.torch._linear_cross_entropy_plain import Call, plain_loss
from softgrad.torch._reduction import Reduction
from softgrad.torch._registration import is_plain
from softgrad.torch._rows import class_mask
from softgrad.torch._tensors import require_dense, require_floating, weights_of_core


class LinearCrossEntropyOutput(NamedTuple):
    """What `linear_cross_entropy` returns with predictions."""

    loss: Tensor
    predictions: Tensor
    """The class of the largest logit of each row; -1 for a row that does not count."""
    accuracy: Tensor
    """The share of the rows that count whose prediction is the label, or its likeliest class; 0 where none counts."""


class LinearCrossEntropyOptions(TypedDict, total=False):
    """The options of `linear_cross_entropy` that what it returns does not depend on, for type checkers."""

    class_weight: Tensor | None
    sample_weight: Tensor | None
    ignore_index: int
    label_smoothing: float
    temperature: float
    softcap: float | None
    z_loss: float
    where: Tensor | None
    reduction: ReductionName
    normalizer: Normalizer | None
    block_bytes: int | None
    compute_dtype: Literal["bfloat16"] | None
    progress: Callable[[int, int], object] | None
    accumulate_grad: bool


@overload
def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = ...,
    *,
    return_predictions: Literal[False] = ...,
    **options: Unpack[LinearCrossEntropyOptions],
) -> Tensor: ...
@overload
def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = ...,
    *,
    return_predictions: Literal[True],
    **options: Unpack[LinearCrossEntropyOptions],
) -> LinearCrossEntropyOutput: ...
@overload
def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = ...,
    *,
    return_predictions: bool,
    **options: Unpack[LinearCrossEntropyOptions],
) -> Tensor | LinearCrossEntropyOutput: ...
def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    bias: Tensor | None = None,
    *,
    class_weight: Tensor | None = None,
    sample_weight: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    where: Tensor | None = None,
    reduction: ReductionName = "mean",
    normalizer: Normalizer | None = None,
    block_bytes: int | None = None,
    compute_dtype: Literal["bfloat16"] | None = None,
    progress: Callable[[int, int], object] | None = None,
    return_predictions: bool = False,
    accumulate_grad: bool = False,
) -> Tensor | LinearCrossEntropyOutput:
    """Cross-entropy of the logits hidden @ weight.T + bias, which are never all held.

    Parameters
    ----------
    hidden : Tensor, shape (..., D)
        float64, float32, float16 or bfloat16.
    weight : Tensor, shape (V, D), dtype of `hidden`
    labels : Tensor
        Of an integer dtype: class indices, the shape of `hidden` without its last dimension. Of a floating dtype:
        target probabilities, shape (..., V).
    bias : Tensor, shape (V,), dtype of `hidden`, optional
    class_weight : Tensor, shape (V,), optional
    sample_weight : Tensor, shape of the class indices, optional
    ignore_index : int, default -100
        Rows with this label are ignored. Probabilities have no labels to be ignored: for them it stays the default.
    where : Tensor of bool, broadcasting to (..., V), optional
    label_smoothing, temperature, softcap, z_loss, block_bytes, compute_dtype, progress
        As in `softgrad.linear_cross_entropy`.
    reduction : {"mean", "sum", "none"}, default "mean"
    normalizer : {"weights", "count"} or float, optional
        What "mean" divides by, as in `softgrad.torch.cross_entropy`.
    return_predictions : bool, default False
        Also return the class of the largest logit of each row, and how many of them are right, from the same pass.
    accumulate_grad : bool, default False
        In the backward add the gradients by `weight` and `bias` to their `.grad`, where they have one, without another
        array for them. Both are leaves then, without hooks. The backward makes the logits again.

    Returns
    -------
    Tensor, of no dimensions, or the shape of the class indices for reduction "none"
        In the dtype of `hidden`, float32 for those of two bytes. Derivatives of any order by hidden, weight and bias,
        and by probabilities and their class weights.
    LinearCrossEntropyOutput
        With `return_predictions`: the loss, the predictions and the accuracy.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.linear_cross_entropy`; also for a tensor that is on another device, or not dense.
    NotImplementedError
        A derivative is asked for by the class weights of labels, or by sample weights; `progress` or `accumulate_grad`
        in a call with transforms, tracing or modes; `accumulate_grad`, and torch.autograd.grad by a leaf or a
        derivative of the backward.

    Notes
    -----
    In float32 and float64 the gradients are made with a reduced loss, and the backward multiplies them by what arrives.
    Where that is not 1, it holds each of them twice: `normalizer=` divides without. With reduction "none", in two
    bytes, and in calls with transforms, tracing or modes the backward makes the logits again, a third more work.

    Derivatives of the gradients along a vector, and of the loss, hold no logits either. What goes beyond holds them:
    third derivatives, forward mode twice, and derivatives by probabilities and class weights.

    Under `torch.autocast` the operands are converted to its dtype, as for `torch.nn.functional.linear`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> hidden, weight = torch.eye(2, requires_grad=True), torch.eye(2)
    >>> loss, predictions, accuracy = sgt.linear_cross_entropy(
    ...     hidden, weight, torch.tensor([0, 0]), return_predictions=True
    ... )
    >>> predictions, accuracy
    (tensor([0, 1]), tensor(0.5000))
    >>> loss.backward()
    >>> hidden.grad
    tensor([[-0.1345,  0.1345],
            [-0.3655,  0.3655]])
    """
    constants = (labels, class_weight, sample_weight, where)
    plain = is_plain(hidden, weight, bias, *constants) and not any(
        each is not None and each.requires_grad for each in constants
    )
    require_floating(hidden=hidden, weight=weight)
    require_dense(bias=bias, labels=labels, class_weight=class_weight, sample_weight=sample_weight, where=where)
    hidden, weight, bias = _autocast(hidden), _autocast(weight), None if bias is None else _autocast(bias)
    if hidden.dim() < 1:
        raise ValueError("hidden has no dimensions; it must be (..., D)")
    size = hidden.shape[-1]
    if weight.dim() != 2 or weight.shape[1] != size:
        shapes = (tuple(each.shape) for each in (weight, hidden))
        raise ValueError("weight has shape {}; with hidden {} it must be (V, {})".format(*shapes, size))
    batch, soft = hidden.shape[:-1], labels.is_floating_point()
    _require_shape(labels, "labels", (*batch, *weight.shape[:1]) if soft else batch)
    if sample_weight is not None:
        _require_shape(sample_weight, "sample_weight", batch)
    rows = batch.numel()
    mask = class_mask(where, hidden.new_empty(()).expand(*batch, *weight.shape[:1]))
    operands = (hidden.reshape(rows, hidden.shape[-1]), weight, bias)
    rest = (
        labels.reshape(rows, *weight.shape[:1]) if soft else labels.reshape(rows),
        None if class_weight is None else weights_of_core(class_weight),
        None if sample_weight is None else weights_of_core(sample_weight).reshape(rows),
        None if mask is None else mask.reshape(rows, *weight.shape[:1]),
        None if soft and ignore_index == -100 else ignore_index,
        label_smoothing,
        temperature,
        softcap,
        z_loss,
        block_bytes,
        compute_dtype,
    )
    plan = Reduction(reduction, normalizer, rows if soft else None)
    if plain:
        predictions = hidden.new_empty(rows, dtype=torch.int64) if return_predictions else None
        loss = plain_loss(operands, rest, Call(plan, progress, accumulate_grad), predictions)
    else:
        for name, given in (("progress", progress is not None), ("accumulate_grad", accumulate_grad)):
            if given:
                raise NotImplementedError(
                    f"{name} is for the gradients by hidden, weight and bias, in calls without transforms, tracing and "
                    "modes"
                )
        losses, predictions = LOSSES(*operands, *rest, return_predictions)
        loss = plan.result(losses, lambda: label_weights(rest[0], *rest[:4], [1], rest[4]))
    if reduction == "none":
        loss = loss.reshape(batch)
    if not return_predictions:
        return loss
    assert predictions is not None
    return LinearCrossEntropyOutput(loss, predictions.reshape(batch), _accuracy(predictions, rest[0]))


def _autocast(operand: Tensor) -> Tensor:
    if not torch.is_autocast_enabled("cpu") or operand.dtype is torch.float64:
        return operand
    return operand.to(torch.get_autocast_dtype("cpu"))


def _require_shape(given: Tensor, name: str, shape: tuple[int, ...]) -> None:
    if tuple(given.shape) != tuple(shape):
        raise ValueError(f"{name} has shape {tuple(given.shape)}; it must be {tuple(shape)}")


def _accuracy(predictions: Tensor, labels: Tensor) -> Tensor:
    right = predictions == (labels.argmax(1) if labels.is_floating_point() else labels)
    counts = predictions >= 0
    return (right & counts).sum() / counts.sum().clamp(min=1)
