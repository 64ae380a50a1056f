"""Cross-entropy of tensors."""

from __future__ import annotations

from math import prod

from torch import Tensor

from softgrad._contracts import Normalizer
from softgrad._contracts import Reduction as ReductionName
from softgrad.torch._cross_entropy_operators import OPERATORS
from softgrad.torch._plain_loss import Call, is_plain_loss, plain_loss
from softgrad.torch._reduction import Reduction
from softgrad.torch._rows import default_dim, row_arguments
from softgrad.torch._small_mean import small_mean
from softgrad.torch._tensors import require_dense, weights_of_core


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    dim: int | tuple[int, ...] | None = None,
    ignore_index: int = -100,
    reduction: ReductionName = "mean",
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    where: Tensor | None = None,
    normalizer: Normalizer | None = None,
    inplace_backward: bool = False,
) -> Tensor:
    """Cross-entropy between the softmax of logits and a target, in the place of `torch.nn.functional.cross_entropy`.

    Parameters
    ----------
    input : Tensor, any shape
        Logits: float64, float32, float16 or bfloat16, of any strides.
    target : Tensor
        Of an integer dtype: class indices, the shape of `input` without `dim`. Of a floating dtype: target
        probabilities, the shape of `input`.
    weight : Tensor, shape of the dimensions of the classes, optional
        Multiplies the target of each class; finite and not negative.
    dim : int or tuple of int, optional
        The dimensions of the classes: by default 1, or 0 where `input` has one dimension.
    ignore_index : int, default -100
        Rows with this label are ignored. Probabilities have no labels to be ignored: for them it stays the default.
    reduction : {"mean", "sum", "none"}, default "mean"
    label_smoothing, sample_weight, temperature, softcap, z_loss, where
        As in `softgrad.cross_entropy`.
    normalizer : {"weights", "count"} or float, optional
        What "mean" divides by: as in `softgrad.cross_entropy`. By default as torch does, by the sum of the label
        weights, or by the number of rows where the target is probabilities.
    inplace_backward : bool, default False
        Write the gradient over the memory of `input` during the backward. Whoever else needs the logits then gets
        torch's error, as does a second backward.

    Returns
    -------
    Tensor, of no dimensions, or the shape of `input` without `dim` for reduction "none"
        In the dtype of `input`, float32 for those of two bytes. Derivatives of any order by `input`; by a target of
        probabilities and its class weights too.

    Raises
    ------
    TypeError, ValueError
        As in `softgrad.cross_entropy`; also for a tensor that is on another device, or not dense.
    NotImplementedError
        A derivative is asked for by the weights of labels, or by sample weights.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> logits = torch.tensor([[2.0, 3.0, 4.0]], requires_grad=True)
    >>> sgt.cross_entropy(logits, torch.tensor([1])).backward()
    >>> logits.grad
    tensor([[ 0.0900, -0.7553,  0.6652]])
    """
    plain = is_plain_loss(input, target, weight, sample_weight, where)
    if (
        plain
        and reduction == "mean"
        and weight is None
        and sample_weight is None
        and where is None
        and dim is None
        and softcap is None
        and normalizer is None
        and not inplace_backward
        and label_smoothing == 0.0
        and temperature == 1.0
        and z_loss == 0.0
        and ignore_index < 0
    ):
        loss = small_mean(input, target)
        if loss is not None:
            return loss
    x, mask, dims = row_arguments(input, default_dim(input) if dim is None else dim, where)
    require_dense(target=target, weight=weight, sample_weight=sample_weight)
    soft = target.is_floating_point()
    rest = (
        target,
        None if weight is None else weights_of_core(weight),
        None if sample_weight is None else weights_of_core(sample_weight),
        mask,
        dims,
        None if soft and ignore_index == -100 else ignore_index,
        label_smoothing,
        temperature,
        softcap,
        z_loss,
    )
    plan = Reduction(reduction, normalizer, prod(OPERATORS.row_shape(x, *rest)) if soft else None)
    if plain:
        return plain_loss(x, Call(OPERATORS, rest, plan), inplace_backward)
    if inplace_backward:
        raise NotImplementedError(
            "inplace_backward is for the gradient by input alone, in calls without transforms, tracing and modes"
        )
    return OPERATORS.reduced(x, rest, plan)
