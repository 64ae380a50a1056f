"""The rows of a loss that is worked out in NumPy: from numbers or vectors of a block of them to what is returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad._blocks import Block, blocks, whole
from softgrad._contracts import (
    Float64,
    Floating,
    Normalizer,
    Reduction,
    loss_dtype,
    round_to,
    row_size,
    shape_without,
    upstream_for,
)
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad.losses._reduction import ReductionPlan, product
from softgrad.losses._total import Total


@dataclass(frozen=True)
class Rows:
    """The array a loss is differentiated by, which of its rows count, and what their derivatives are multiplied by.

    What a row that does not count holds, or is given, may be NaN: it is replaced by 0, not multiplied by it. A function
    `each` works out a block of rows: a number (*batch,) or a vector (*batch, K) of each, without its weight.
    """

    array: Floating
    axes: tuple[int, ...]
    weights: NDArray[Any] | None
    """(*batch,), 0 for a row that does not count. None: 1 for all."""
    upstream: NDArray[Any] | None
    """(*batch,), what arrives from above with reduction "none"."""
    plan: ReductionPlan
    temporaries: int = 1
    """How much smaller than usual the blocks of losses are: for many temporaries, or of extended precision."""

    @classmethod
    def of(
        cls,
        array: Floating,
        axes: tuple[int, ...],
        weights: NDArray[Any] | None,
        reduction: Reduction,
        normalizer: Normalizer,
        upstream: ArrayLike | None,
        temporaries: int = 1,
    ) -> Rows:
        batch = shape_without(array.shape, axes)
        plan = ReductionPlan.of(reduction, normalizer, None, batch, weights)
        factor, per_row = upstream_for(upstream, reduction, batch)
        return cls(array, axes, weights, per_row, replace(plan, scale=factor / plan.divisor), temporaries)

    @property
    def whole(self) -> Block:
        return whole(self.array.ndim, self.axes)

    def loss(self, each: Callable[[Block], NDArray[Any]]) -> Any:
        """The reduced loss from that of each row."""
        losses = self._losses()
        for block in self._blocks():
            losses.add(block, self._weighted(block, each(block)))
        return losses.result()

    def derivative(self, each: Callable[[Block], NDArray[Any]]) -> Floating:
        """The derivative of the reduced loss by the array from that of each row's loss by the row."""
        result = np.empty(self.array.shape, self.array.dtype)
        for block in blocks(self.array.shape, self.axes):
            block.write(self.scaled(block, each(block)), result)
        return result

    def loss_and_derivative(
        self, each: Callable[[Block], tuple[NDArray[Any], NDArray[Any]]], derivative: Floating
    ) -> Any:
        """Both; the derivative is written to its place, which may be the array."""
        losses = self._losses()
        for block in self._blocks():
            values, vectors = each(block)
            losses.add(block, self._weighted(block, values))
            block.write(self.scaled(block, vectors), derivative)
        return losses.result()

    def _blocks(self) -> Iterator[Block]:
        return blocks(self.array.shape, self.axes, self.temporaries * row_size(self.array.shape, self.axes))

    def _weighted(self, block: Block, values: NDArray[Any]) -> Float64:
        return _times(values, _float64(block, self.weights))

    def _losses(self) -> Losses:
        return Losses(self.plan, shape_without(self.array.shape, self.axes), loss_dtype(self.array))

    def counting(self, block: Block, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows of a block, those that do not count set to 0 in place."""
        if self.weights is not None:
            rows[block.numbers(self.weights) == 0.0] = 0.0
        return rows

    def scaled(self, block: Block, values: NDArray[Any]) -> Float64:
        """Derivatives of each row's loss, (*batch, ...), as those of the reduced loss."""
        factor = product([_float64(block, self.weights), _float64(block, self.upstream)])
        if factor is not None:
            factor = factor.reshape(factor.shape + (1,) * (values.ndim - factor.ndim))
        return _times(values * self.plan.scale, factor)

    def diagonal_hessian(self, diagonal: NDArray[Any]) -> DiagonalPlusRankOne:
        """That of the reduced loss by each row, where that of the row's loss is diagonal."""
        scaled = self.scaled(self.whole, diagonal)
        zeros = np.zeros(scaled.shape[:-1])
        return DiagonalPlusRankOne(scaled, np.zeros_like(scaled), zeros, scaled, self.array.dtype)


class Losses:
    """The weighted losses of the rows, block by block, on their way to the result."""

    def __init__(self, plan: ReductionPlan, batch: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._plan = plan
        self._dtype = dtype
        self._kept = np.empty(batch, dtype) if plan.reduction == "none" else None
        self._total = Total()

    def add(self, block: Block, losses: Float64) -> None:
        if self._kept is None:
            self._total.add(losses)
        else:
            place = block.numbers(self._kept)
            place[...] = round_to(losses, self._dtype).reshape(place.shape)

    def result(self) -> Any:
        if self._kept is None:
            return self._plan.of_sum(self._total.value(), self._dtype)
        return self._kept[()]


def centred(vectors: Float64, logits: Float64) -> Float64:
    """v - v_k with k the most probable class.

    A gradient of a function of probabilities sums to 0 over its row: its product with v stays the same, and loses no
    digits where p_k is near 1.
    """
    at_largest: Float64 = np.take_along_axis(vectors, logits.argmax(axis=-1)[..., None], axis=-1)
    return vectors - at_largest


def _float64(block: Block, numbers: NDArray[Any] | None) -> Float64 | None:
    return None if numbers is None else block.numbers(numbers).astype(np.float64, copy=False)


def _times(values: NDArray[Any], factor: Float64 | None) -> Float64:
    """The product; 0 where the factor is, whatever stands there; inf beyond the range of float64."""
    if factor is None:
        return round_to(values, np.dtype(np.float64))
    with np.errstate(over="ignore"):
        result: Float64 = np.multiply(values, factor, out=np.zeros(values.shape), where=factor != 0.0)
    return result
