"""From one loss per row to the result: weights that count, what "mean" divides by, and the shape of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._blocks import Block
from softgrad._contracts import (
    Float64,
    Int64,
    Normalizer,
    Reduction,
    RowValues,
    normalizer_value,
    reduction_name,
    round_to,
    upstream_for,
)
from softgrad.losses._total import total


# Not frozen: that takes a microsecond of every call.
@dataclass(slots=True)
class ReductionPlan:
    """How the losses of the rows become one result, and what their gradients are multiplied by."""

    reduction: str
    divisor: float
    scale: float
    upstream: NDArray[Any] | None
    """What arrives from above for each row, with reduction "none"."""

    @classmethod
    def of(
        cls,
        reduction: Reduction,
        normalizer: Normalizer,
        upstream: ArrayLike | None,
        shape: tuple[int, ...],
        label_weights: NDArray[Any] | None,
    ) -> ReductionPlan:
        """`label_weights`: that of every row, 0 where it does not count; None is 1 for all."""
        name = reduction_name(reduction)
        divide_by = normalizer_value(normalizer)
        if name != "mean" and divide_by != "weights":
            raise ValueError(
                f"normalizer={normalizer!r} is for reduction='mean'; reduction={name!r} divides by nothing"
            )
        factor, per_row = (1.0, None) if upstream is None else upstream_for(upstream, name, shape)
        divisor = 1.0
        if name == "mean":
            if isinstance(divide_by, float):
                divisor = divide_by
            elif label_weights is None:
                divisor = float(prod(shape))
            elif divide_by == "weights":
                divisor = total(label_weights)
            else:
                divisor = float(np.count_nonzero(label_weights))
        # No row counts: their sum is 0 and so is the mean.
        divisor = divisor or 1.0
        return cls(name, divisor, factor / divisor, per_row)

    def rows(self, part: slice | Int64) -> ReductionPlan:
        """The plan for some of the rows."""
        return self if self.upstream is None else replace(self, upstream=self.upstream[part])

    def at(self, block: Block) -> ReductionPlan:
        """The plan for a block of the rows."""
        return self if self.upstream is None else replace(self, upstream=block.numbers(self.upstream))

    @property
    def flat_upstream(self) -> Float64 | None:
        """What arrives from above as the native core takes it."""
        return None if self.upstream is None else np.asarray(self.upstream, np.float64, order="C").reshape(-1)

    def result(self, losses: Float64, shape: tuple[int, ...], dtype: np.dtype[Any]) -> RowValues:
        """The losses of the rows, flat, reduced and rounded to `dtype`."""
        if self.reduction == "none":
            return round_to(losses.reshape(shape), dtype)[()]
        return self.of_sum(_native.sum(losses), dtype)

    def of_sum(self, losses: float, dtype: np.dtype[Any]) -> RowValues:
        """The sum of the losses, reduced and rounded to `dtype`."""
        loss = np.empty((), dtype)
        _native.store_rounded(losses / self.divisor, loss)
        return loss[()]


Planner = Callable[[tuple[int, ...], NDArray[Any] | None], ReductionPlan]


def planner(reduction: Reduction, normalizer: Normalizer, upstream: ArrayLike | None) -> Planner:
    """What makes the plan of the shape and the weights of the rows, once these are known."""
    return partial(ReductionPlan.of, reduction, normalizer, upstream)


def product(factors: list[Float64 | None]) -> Float64 | None:
    """The product of factors of the rows; 0 where any of them is, whatever the others hold. None is 1 for all."""
    present = [factor for factor in factors if factor is not None]
    if len(present) < 2:
        return present[0] if present else None
    counts = np.all([factor != 0.0 for factor in present], axis=0)
    return np.where(counts, np.prod(present, axis=0), 0.0)
