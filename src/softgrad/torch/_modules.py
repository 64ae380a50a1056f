"""Losses as modules, in the place of those of torch.nn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from softgrad._contracts import Normalizer
from softgrad.torch._binary_cross_entropy import binary_cross_entropy
from softgrad.torch._cross_entropy import cross_entropy
from softgrad.torch._focal import focal
from softgrad.torch._kl_divergence import kl_divergence
from softgrad.torch._tensors import LOSS_DTYPES


class CrossEntropyLoss(nn.CrossEntropyLoss):
    """`cross_entropy` in the place of `torch.nn.CrossEntropyLoss`.

    Parameters
    ----------
    weight, ignore_index, reduction, label_smoothing
        As in `torch.nn.CrossEntropyLoss`; `size_average` and `reduce`, which torch has deprecated, are taken as well.
    temperature, softcap, z_loss, normalizer, inplace_backward
        As in `cross_entropy`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.CrossEntropyLoss()(torch.zeros(2, 3), torch.tensor([0, 2]))
    tensor(1.0986)
    """

    def __init__(
        self,
        *args: Any,
        temperature: float = 1.0,
        softcap: float | None = None,
        z_loss: float = 0.0,
        normalizer: Normalizer | None = None,
        inplace_backward: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.temperature, self.softcap, self.z_loss = temperature, softcap, z_loss
        self.normalizer, self.inplace_backward = normalizer, inplace_backward

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,  # type: ignore[arg-type]
            label_smoothing=self.label_smoothing,
            temperature=self.temperature,
            softcap=self.softcap,
            z_loss=self.z_loss,
            normalizer=self.normalizer,
            inplace_backward=self.inplace_backward,
        )


class BCEWithLogitsLoss(nn.BCEWithLogitsLoss):
    """`binary_cross_entropy` in the place of `torch.nn.BCEWithLogitsLoss`.

    Parameters
    ----------
    weight, reduction, pos_weight
        As in `torch.nn.BCEWithLogitsLoss`; `size_average` and `reduce`, which torch has deprecated, are taken as well.
    label_smoothing, normalizer
        As in `binary_cross_entropy`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.BCEWithLogitsLoss()(torch.zeros(2), torch.tensor([0.0, 1.0]))
    tensor(0.6931)
    """

    def __init__(
        self, *args: Any, label_smoothing: float = 0.0, normalizer: Normalizer | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.label_smoothing, self.normalizer = label_smoothing, normalizer

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return binary_cross_entropy(
            input,
            target,
            self.weight,
            pos_weight=self.pos_weight,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,  # type: ignore[arg-type]
            normalizer=self.normalizer,
        )


class KLDivLoss(nn.KLDivLoss):
    """`kl_divergence` in the place of `torch.nn.KLDivLoss`, for distributions.

    Parameters
    ----------
    reduction, log_target
        As in `torch.nn.KLDivLoss`: "batchmean" divides by the size of the first dimension, "mean" by the number of
        elements. "none" gives one number a row.
    dim : int, default -1
        The dimension of the classes.
    temperature
        As in `kl_divergence`.

    Notes
    -----
    Logits and logarithms of probabilities are the same to it: both are normalised over `dim`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.KLDivLoss(reduction="batchmean")(torch.zeros(1, 2), torch.tensor([[0.25, 0.75]]))
    tensor(0.1308)
    """

    def __init__(self, *args: Any, dim: int = -1, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dim, self.temperature = dim, temperature

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        divisor = {"mean": input.numel(), "batchmean": input.shape[0] if input.dim() else 1}.get(self.reduction)
        return kl_divergence(
            input,
            target if self.log_target else torch.log(target.to(LOSS_DTYPES.get(target.dtype, target.dtype))),
            dim=self.dim,
            temperature=self.temperature,
            reduction="mean" if divisor is not None else self.reduction,  # type: ignore[arg-type]
            normalizer="weights" if divisor is None else max(divisor, 1),
        )


class FocalLoss(nn.Module):
    """`focal` as a module.

    Parameters
    ----------
    weight, gamma, ignore_index, reduction, normalizer
        As in `focal`.

    Examples
    --------
    >>> import torch, softgrad.torch as sgt
    >>> sgt.FocalLoss(gamma=1.0)(torch.zeros(1, 2), torch.tensor([1]))
    tensor(0.3466)
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        gamma: float = 2.0,
        ignore_index: int = -100,
        reduction: Any = "mean",
        normalizer: Normalizer = "weights",
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.gamma, self.ignore_index, self.reduction, self.normalizer = gamma, ignore_index, reduction, normalizer

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return focal(
            input,
            target,
            self.weight,
            gamma=self.gamma,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            normalizer=self.normalizer,
        )
