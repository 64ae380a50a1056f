"""The mean cross-entropy of small logits without an option, which has no time for anything."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from softgrad._native import cross_entropy_if_plain
from softgrad.torch._cross_entropy_operators import OPERATORS
from softgrad.torch._plain_loss import FUSED, Call, made_loss
from softgrad.torch._reduction import Reduction
from softgrad.torch._tensors import tensor

# The elements that the core works on in the calling thread alone, so that there is no number of threads to limit.
SMALL = 8192
MEAN = Reduction("mean", None, None)


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
    rest = (target, None, None, None, [x.dim() - 1], None, 0.0, 1.0, None, 0.0)
    return made_loss(x, loss, gradient, Call(OPERATORS, rest, MEAN))
