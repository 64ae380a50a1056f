"""A linear head with its loss as a module, in the place of that of torch.nn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor, nn

from softgrad._contracts import Normalizer
from softgrad.torch._linear_cross_entropy import LinearCrossEntropyOutput, linear_cross_entropy


class LinearCrossEntropyLoss(nn.LinearCrossEntropyLoss):
    """`linear_cross_entropy` in the place of `torch.nn.LinearCrossEntropyLoss`.

    Parameters
    ----------
    in_features, num_classes, bias, device, dtype, reduction, weight, ignore_index, label_smoothing
        As in `torch.nn.LinearCrossEntropyLoss`; an `ignore_index` of None is -100. The head is the attribute `linear`.
    temperature, softcap, z_loss, normalizer, block_bytes, compute_dtype, progress, return_predictions, accumulate_grad
        As in `linear_cross_entropy`.

    Raises
    ------
    NotImplementedError
        For `out_features` and `options` of torch: there are no losses over further dimensions, and blocks are chosen by
        `block_bytes`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> criterion = sgt.LinearCrossEntropyLoss(2, 3)
    >>> _ = torch.nn.init.zeros_(criterion.linear.weight)
    >>> criterion(torch.ones(4, 2), torch.tensor([0, 1, 2, 0])).detach()
    tensor(1.0986)
    """

    def __init__(
        self,
        *args: Any,
        temperature: float = 1.0,
        softcap: float | None = None,
        z_loss: float = 0.0,
        normalizer: Normalizer | None = None,
        block_bytes: int | None = None,
        compute_dtype: Literal["bfloat16"] | None = None,
        progress: Callable[[int, int], object] | None = None,
        return_predictions: bool = False,
        accumulate_grad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name in ("out_features", "options"):
            if getattr(self, name):
                raise NotImplementedError(f"{name} of torch.nn.LinearCrossEntropyLoss is not supported")
        self.temperature, self.softcap, self.z_loss = temperature, softcap, z_loss
        self.normalizer, self.block_bytes, self.compute_dtype = normalizer, block_bytes, compute_dtype
        self.progress, self.return_predictions, self.accumulate_grad = progress, return_predictions, accumulate_grad

    def forward(self, input: Tensor, target: Tensor) -> Tensor | LinearCrossEntropyOutput:  # type: ignore[override]
        reduction: Any = self.reduction
        return linear_cross_entropy(
            input,
            self.linear.weight,
            target,
            self.linear.bias,
            class_weight=self.weight,
            ignore_index=-100 if self.ignore_index is None else self.ignore_index,
            label_smoothing=self.label_smoothing,
            temperature=self.temperature,
            softcap=self.softcap,
            z_loss=self.z_loss,
            reduction=reduction,
            normalizer=self.normalizer,
            block_bytes=self.block_bytes,
            compute_dtype=self.compute_dtype,
            progress=self.progress,
            return_predictions=self.return_predictions,
            accumulate_grad=self.accumulate_grad,
        )
