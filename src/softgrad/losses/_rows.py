"""The rows of a loss that is worked out in NumPy: from a number or a vector for each of them to what is returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad._contracts import (
    Float64,
    Floating,
    class_rows,
    from_class_rows,
    loss_dtype,
    round_to,
    same_shape,
    shape_without,
)
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad.losses._reduction import ReductionPlan


@dataclass(frozen=True)
class Rows:
    """The array a loss is differentiated by, which of its rows count, and what their derivatives are multiplied by.

    What a row that does not count holds, or is given, may be NaN: it is replaced by 0, not multiplied by it.
    """

    array: Floating
    name: str
    axes: tuple[int, ...]
    weights: Float64 | None
    """(*batch,), 0 for a row that does not count. None: 1 for all."""
    plan: ReductionPlan

    @property
    def batch(self) -> tuple[int, ...]:
        return shape_without(self.array.shape, self.axes)

    def vectors(self, value: ArrayLike, name: str) -> Float64:
        """A tangent, of the shape of the array, as (*batch, K)."""
        return self.counting(class_rows(same_shape(value, name, self.array, self.name), self.axes))

    def counting(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows, those that do not count set to 0 in place."""
        if self.weights is not None:
            rows[self.weights == 0.0] = 0.0
        return rows

    def loss(self, values: NDArray[Any]) -> Any:
        """A number for each row, (*batch,), weighted and reduced."""
        weighted = _times(values, self.weights)
        return self.plan.result(weighted.reshape(-1), self.batch, loss_dtype(self.array))

    def derivative(self, rows: NDArray[Any]) -> Floating:
        """A derivative of each row's loss by the row, (*batch, K), as that of the reduced loss by the array."""
        return round_to(from_class_rows(self.scaled(rows), self.array.shape, self.axes), self.array.dtype)

    def scaled(self, values: NDArray[Any]) -> Float64:
        """Derivatives of each row's loss, (*batch, ...), as those of the reduced loss."""
        factor = self.factor
        if factor is not None:
            factor = factor.reshape(self.batch + (1,) * (values.ndim - len(self.batch)))
        return _times(values * self.plan.scale, factor)

    @property
    def factor(self) -> Float64 | None:
        """What a derivative of each row's loss is multiplied by, flat, but for `plan.scale`. None: 1 for all."""
        return self.plan.row_factor([None if self.weights is None else self.weights.reshape(-1)])

    def diagonal_hessian(self, diagonal: NDArray[Any]) -> DiagonalPlusRankOne:
        """That of the reduced loss by each row, where that of the row's loss is diagonal."""
        scaled = self.scaled(diagonal)
        return DiagonalPlusRankOne(scaled, np.zeros_like(scaled), np.zeros(self.batch), scaled, self.array.dtype)


def centred(vectors: Float64, logits: Float64) -> Float64:
    """v - v_k with k the most probable class.

    A gradient of a function of probabilities sums to 0 over its row: its product with v stays the same, and loses no
    digits where p_k is near 1.
    """
    at_largest: Float64 = np.take_along_axis(vectors, logits.argmax(axis=-1)[..., None], axis=-1)
    return vectors - at_largest


def _times(values: NDArray[Any], factor: Float64 | None) -> Float64:
    """The product; 0 where the factor is, whatever stands there."""
    if factor is None:
        return values.astype(np.float64, copy=False)
    product: Float64 = np.multiply(values, factor, out=np.zeros(values.shape), where=factor != 0.0)
    return product
