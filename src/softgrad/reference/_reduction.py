"""What every loss does after its rows: weigh them, leave out those that do not count, and reduce."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._rows import BoolArray, FloatArray

Reduction = Literal["mean", "sum", "none"]
Normalizer = Literal["weights", "count"] | float


def _divisor(label_weight: FloatArray, counts: BoolArray, reduction: Reduction, normalizer: Normalizer) -> float:
    """What the sum over the rows is divided by; 1 where no row counts, as the sum is 0 then."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {reduction!r}; it must be 'mean', 'sum' or 'none'")
    if reduction != "mean" or not np.any(counts):
        return 1.0
    if normalizer == "weights":
        return float(np.sum(label_weight, where=counts))
    if normalizer == "count":
        return float(np.count_nonzero(counts))
    if isinstance(normalizer, str):
        raise ValueError(f"normalizer is {normalizer!r}; it must be 'weights', 'count' or a number")
    return float(normalizer)


def reduce_loss(
    per_row: FloatArray,
    label_weight: FloatArray,
    counts: BoolArray,
    reduction: Reduction,
    normalizer: Normalizer,
) -> FloatArray:
    """Reduce per-row losses, shape (*batch,), that already carry their weights."""
    per_row = np.where(counts, per_row, 0.0)
    divisor = _divisor(label_weight, counts, reduction, normalizer)
    reduced: FloatArray = per_row if reduction == "none" else np.asarray(np.sum(per_row) / divisor)
    return reduced[()]


def reduce_gradient(
    rows: FloatArray,
    label_weight: FloatArray,
    counts: BoolArray,
    reduction: Reduction,
    normalizer: Normalizer,
    upstream: ArrayLike | None,
) -> FloatArray:
    """Turn gradients of the per-row losses, shape (*batch, K), into that of the reduced loss.

    Rows that do not count are replaced by 0, not multiplied by it: they may hold NaN.
    """
    divisor = _divisor(label_weight, counts, reduction, normalizer)
    factor = np.asarray(1.0 if upstream is None else upstream, dtype=np.float64) / divisor
    return np.where(counts[..., None], rows * np.broadcast_to(factor, counts.shape)[..., None], 0.0)


def row_weights(sample_weight: ArrayLike | None, batch: tuple[int, ...]) -> FloatArray:
    """Return sample_weight as an array of shape (*batch,); None weighs every row with 1."""
    weight = 1.0 if sample_weight is None else sample_weight
    return np.broadcast_to(np.asarray(weight, dtype=np.float64), batch)
