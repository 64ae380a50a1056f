"""What softgrad.torch works out, as a textbook would write it, of torch's own operations: the oracle of the tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def logits_of(x: Tensor, where: Tensor | None, temperature: float, softcap: float | None = None) -> Tensor:
    z = x if softcap is None else softcap * torch.tanh(x / softcap)
    z = z / temperature
    return z if where is None else z.masked_fill(~where, -torch.inf)


def softmax(x: Tensor, dim: Any = -1, *, where: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    z = logits_of(x, where, temperature)
    return torch.exp(z - z.logsumexp(dim, keepdim=True))


def log_softmax(x: Tensor, dim: Any = -1, *, where: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    z = logits_of(x, where, temperature)
    return z - z.logsumexp(dim, keepdim=True)


def logsumexp(x: Tensor, dim: Any = -1, keepdim: bool = False, *, where: Tensor | None = None) -> Tensor:
    return logits_of(x, where, 1.0).logsumexp(dim, keepdim=keepdim)


def cross_entropy(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    sample_weight: Tensor | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    where: Tensor | None = None,
    normalizer: str | float | None = None,
) -> Tensor:
    """Of rows of logits; each row that is not ignored counts."""
    classes = x.shape[1]
    z = logits_of(x, where, temperature, softcap)
    log_normalizer = z.logsumexp(1, keepdim=True)
    surprise = log_normalizer - z
    allowed = torch.ones(x.shape, dtype=torch.bool) if where is None else where.expand(x.shape)
    surprise = torch.where(allowed, surprise, torch.zeros_like(surprise))
    soft = target.is_floating_point()
    keep = torch.ones(x.shape[0], dtype=x.dtype) if soft else (target != ignore_index).to(x.dtype)
    y = target if soft else (torch.arange(classes) == target[:, None]).to(x.dtype)
    w = torch.ones(classes, dtype=x.dtype) if weight is None else weight
    s = keep if sample_weight is None else keep * sample_weight
    spread = allowed.to(x.dtype) / allowed.sum(1, keepdim=True)
    q = ((1.0 - label_smoothing) * y + label_smoothing * spread) * w
    losses = s * ((q * surprise).sum(1) + z_loss * log_normalizer[:, 0] ** 2)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    label_weights = s * (y * w).sum(1)
    if isinstance(normalizer, float):
        return losses.sum() / normalizer
    if normalizer == "count":
        return losses.sum() / (label_weights != 0).sum()
    if normalizer is None and soft:
        return losses.sum() / x.shape[0]
    return losses.sum() / label_weights.sum()


def sigmoid(x: Tensor) -> Tensor:
    return 1.0 / (1.0 + torch.exp(-x))


def log_sigmoid(x: Tensor) -> Tensor:
    return -torch.log1p(torch.exp(-x))


def binary_cross_entropy(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    pos_weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    normalizer: str | None = None,
) -> Tensor:
    y = (1.0 - label_smoothing) * target + 0.5 * label_smoothing
    positive = y if pos_weight is None else y * pos_weight
    w = torch.ones_like(x) if weight is None else weight.expand(x.shape)
    losses = -w * (positive * log_sigmoid(x) + (1.0 - y) * log_sigmoid(-x))
    if reduction == "none":
        return losses
    divisor = 1.0 if reduction == "sum" else w.sum() if normalizer == "weights" else float(x.numel())
    return losses.sum() / divisor


def kl_divergence(
    x: Tensor,
    target: Tensor,
    *,
    temperature: float = 1.0,
    where: Tensor | None = None,
    sample_weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Along the last dimension."""
    q = softmax(target, -1, where=where, temperature=temperature)
    log_q, log_p = (log_softmax(each, -1, where=where, temperature=temperature) for each in (target, x))
    allowed = torch.ones(x.shape, dtype=torch.bool) if where is None else where.expand(x.shape)
    terms = q * torch.where(allowed, log_q, 0.0) - q * torch.where(allowed, log_p, 0.0)
    losses = terms.sum(-1) if sample_weight is None else terms.sum(-1) * sample_weight
    if reduction == "none":
        return losses
    rows = float(losses.numel()) if sample_weight is None else sample_weight.sum()
    return losses.sum() / (rows if reduction == "mean" else 1.0)


def focal(x: Tensor, target: Tensor, weight: Tensor | None = None, *, gamma: float = 2.0, **options: Any) -> Tensor:
    reduction = options.pop("reduction", "mean")
    entropy = cross_entropy(x, target, reduction="none", ignore_index=options.get("ignore_index", -100))
    counts = cross_entropy(x.detach(), target, weight, reduction="none", **options)
    plain = cross_entropy(x.detach(), target, reduction="none")
    # A row that is ignored has the loss 0: its quotient is no weight.
    weights = torch.where(plain == 0, 0.0, counts / torch.where(plain == 0, 1.0, plain))
    entropy = torch.where(plain == 0, 1.0, entropy)
    losses = weights * (1.0 - torch.exp(-entropy)) ** gamma * entropy
    if reduction == "none":
        return losses
    return losses.sum() / (weights.sum() if reduction == "mean" else 1.0)


def logprob(x: Tensor, target: Tensor) -> Tensor:
    """Of the label of each row."""
    return log_softmax(x, -1).gather(-1, target[..., None])[..., 0]


def entropy(x: Tensor) -> Tensor:
    return -(softmax(x, -1) * log_softmax(x, -1)).sum(-1)
