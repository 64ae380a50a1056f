"""From the losses of the rows to the result, made of torch's operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from softgrad._contracts import normalizer_value, reduction_name
from softgrad.torch._mean import mean_of


class Reduction:
    """What becomes of the losses of the rows.

    Parameters
    ----------
    reduction, normalizer
        As the user gave them.
    rows : int
        What the mean divides by where no normalizer is given and the labels are probabilities, as in torch.
    """

    def __init__(self, reduction: str, normalizer: str | float | None, rows: int | None) -> None:
        self.reduction = reduction_name(reduction)
        self.normalizer: str | float = "weights"
        if normalizer is not None:
            self.normalizer = normalizer_value(normalizer)
            if self.reduction != "mean" and self.normalizer != "weights":
                raise ValueError(
                    f"normalizer={normalizer!r} is for reduction='mean'; reduction={reduction!r} divides by nothing"
                )
        elif self.reduction == "mean" and rows is not None:
            self.normalizer = max(rows, 1)

    @property
    def options(self) -> dict[str, str | float]:
        """Keywords of the verbs of the core."""
        return {"reduction": self.reduction, "normalizer": self.normalizer}

    def result(self, losses: Tensor, label_weights: Callable[[], Tensor]) -> Tensor:
        """The reduced losses."""
        if self.reduction == "none":
            return losses
        if self.reduction == "sum":
            return losses.sum(dtype=torch.float64).to(losses.dtype)
        divisor = self._divisor(label_weights)
        if isinstance(divisor, Tensor):
            return mean_of(losses, divisor, 0)
        # Divided before they are summed: behind a sum, Dynamo does not trace jacrev over jacfwd.
        return (losses.to(torch.float64) / divisor).sum().to(losses.dtype)

    def upstream(self, upstream: Tensor, label_weights: Callable[[], Tensor], shape: Sequence[int]) -> Tensor:
        """What arrives from above for the loss of each row, given what arrives for the result."""
        if self.reduction == "none":
            return upstream
        given = upstream if self.reduction == "sum" else upstream.to(torch.float64) / self._divisor(label_weights)
        return given.to(upstream.dtype).expand(shape)

    def _divisor(self, label_weights: Callable[[], Tensor]) -> Tensor | float:
        if not isinstance(self.normalizer, str):
            return self.normalizer
        weights = label_weights()
        divisor = (weights != 0 if self.normalizer == "count" else weights).sum(dtype=torch.float64)
        # No row counts: the sum of their losses is 0, and so is the mean.
        return torch.where(divisor == 0, 1.0, divisor)
