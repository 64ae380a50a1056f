"""A loss with all that is given checked, and its verbs: from what it is for a block of rows to what is returned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from softgrad._blocks import Block, blocks, whole
from softgrad._contracts import Float64, Floating, RowValues, loss_dtype, round_to, row_size
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad.losses._reduction import ReductionPlan, product
from softgrad.losses._total import Total

Hessian = DiagonalPlusRankOne | Floating


# Not frozen: that takes a microsecond of every call.
@dataclass(slots=True)
class Problem(ABC):
    """The losses of the rows of an array x of a known shape, and what becomes of them."""

    axes: tuple[int, ...]
    batch: tuple[int, ...]
    weights: NDArray[Any] | None
    """(*batch,), 0 for a row that does not count. None: 1 for all."""
    plan: ReductionPlan

    @abstractmethod
    def loss(self, x: Floating, gradient: Floating | None = None) -> RowValues:
        """The reduced loss; its gradient, if there is a place for it, is written there. It may be x itself."""

    @abstractmethod
    def tangent(self, x: Floating, vector: Floating) -> RowValues:
        """The derivative of the reduced loss along a vector."""

    @abstractmethod
    def hvp(self, x: Floating, vector: Floating) -> Floating:
        """The Hessian of the reduced loss times a vector."""

    @abstractmethod
    def hessian(self, x: Floating) -> Hessian:
        """The diagonal block of each row in the Hessian of the reduced loss."""

    @abstractmethod
    def hessian_diagonal(self, x: Floating) -> Floating:
        """The diagonal of the Hessian of the reduced loss, in the shape of x."""


@dataclass(slots=True)
class BlockProblem(Problem):
    """A problem that is worked out a block of rows at a time.

    What a row that does not count holds, or is given, may be NaN: it is replaced by 0, not multiplied by it.
    """

    @abstractmethod
    def weighted_losses(self, x: Floating, block: Block, gradient: Floating | None) -> NDArray[Any]:
        """The losses of a block with their weights; the gradient of the reduced loss, if wanted, goes to `gradient`."""

    @abstractmethod
    def weighted_rates(self, x: Floating, block: Block, vector: Floating) -> NDArray[Any]:
        """The derivative of each loss of a block along a vector, with its weight."""

    @abstractmethod
    def curvatures(self, x: Floating, block: Block) -> NDArray[Any]:
        """The diagonal of the Hessian of each loss of a block, without its weight, (*batch, K)."""

    @abstractmethod
    def curved(self, x: Floating, block: Block, vectors: Float64) -> NDArray[Any]:
        """The Hessian of each loss of a block, without its weight, times a vector, (*batch, K)."""

    def loss(self, x: Floating, gradient: Floating | None = None) -> RowValues:
        return self._reduced(x, lambda block: self.weighted_losses(x, block, gradient))

    def tangent(self, x: Floating, vector: Floating) -> RowValues:
        return self._reduced(x, lambda block: self.weighted_rates(x, block, vector))

    def hvp(self, x: Floating, vector: Floating) -> Floating:
        return self._derivative(x, lambda block: self.curved(x, block, self.vectors(block, vector)))

    def hessian_diagonal(self, x: Floating) -> Floating:
        return self._derivative(x, lambda block: self.curvatures(x, block))

    def loss_blocks(self, x: Floating) -> Iterator[Block]:
        """The blocks that losses are worked out in."""
        return blocks(x.shape, self.axes)

    def every_row(self, x: Floating) -> Block:
        return whole(x.ndim, self.axes)

    def counting(self, block: Block, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows of a block, those that do not count set to 0 in place."""
        if self.weights is not None:
            rows[block.numbers(self.weights) == 0.0] = 0.0
        return rows

    def vectors(self, block: Block, vector: Floating) -> Float64:
        """The rows of a vector in a block, 0 where nothing counts."""
        return self.counting(block, block.rows(vector))

    def scaled(self, block: Block, values: NDArray[Any]) -> Float64:
        """Derivatives of each row's loss, (*batch, ...), as those of the reduced loss."""
        factor = product([_float64(block, self.weights), _float64(block, self.plan.upstream)])
        if factor is not None:
            factor = factor.reshape(factor.shape + (1,) * (values.ndim - factor.ndim))
        return _times(values * self.plan.scale, factor)

    def _derivative(self, x: Floating, each: Callable[[Block], NDArray[Any]]) -> Floating:
        """What becomes of a vector for each row of a block, without its weight."""
        result = np.empty(x.shape, x.dtype)
        for block in blocks(x.shape, self.axes):
            block.write(self.scaled(block, each(block)), result)
        return result

    def _reduced(self, x: Floating, each: Callable[[Block], NDArray[Any]]) -> RowValues:
        """What becomes of a number for each row of a block, with its weight."""
        plan, dtype = self.plan, loss_dtype(x)
        if plan.reduction == "none":
            kept = np.empty(self.batch, dtype)
            for block in self.loss_blocks(x):
                place = block.numbers(kept)
                place[...] = round_to(each(block), dtype).reshape(place.shape)
            return kept[()]
        total = Total()
        for block in self.loss_blocks(x):
            total.add(each(block))
        return plan.of_sum(total.value(), dtype)


@dataclass(slots=True)
class TermsProblem(BlockProblem):
    """A problem made of what a subclass says of the rows of a block, without their weights: losses, slopes, curvatures.

    A loss is a number, (*batch,), its slope and its curvature vectors, (*batch, K). The Hessian is diagonal unless
    `curved` and `hessian` say otherwise.
    """

    temporaries: ClassVar[int] = 1
    """How much smaller than usual the blocks of losses are: for many temporaries, or of extended precision."""

    @abstractmethod
    def losses_and_slopes(self, x: Floating, block: Block) -> tuple[NDArray[Any], NDArray[Any]]:
        """The loss of each row and its gradient."""

    def losses(self, x: Floating, block: Block) -> NDArray[Any]:
        return self.losses_and_slopes(x, block)[0]

    def rates(self, x: Floating, block: Block, vectors: Float64) -> NDArray[Any]:
        """The derivative of each loss along its vector."""
        rates: NDArray[Any] = (self.losses_and_slopes(x, block)[1] * vectors).sum(axis=-1)
        return rates

    def curved(self, x: Floating, block: Block, vectors: Float64) -> NDArray[Any]:
        return self.curvatures(x, block) * vectors

    def hessian(self, x: Floating) -> DiagonalPlusRankOne:
        every = self.every_row(x)
        scaled = self.scaled(every, self.curvatures(x, every))
        return DiagonalPlusRankOne(scaled, np.zeros_like(scaled), np.zeros(scaled.shape[:-1]), scaled, x.dtype)

    def weighted_losses(self, x: Floating, block: Block, gradient: Floating | None) -> Float64:
        if gradient is None:
            return self._weighted(block, self.losses(x, block))
        losses, slopes = self.losses_and_slopes(x, block)
        block.write(self.scaled(block, slopes), gradient)
        return self._weighted(block, losses)

    def weighted_rates(self, x: Floating, block: Block, vector: Floating) -> Float64:
        return self._weighted(block, self.rates(x, block, self.vectors(block, vector)))

    def loss_blocks(self, x: Floating) -> Iterator[Block]:
        return blocks(x.shape, self.axes, self.temporaries * row_size(x.shape, self.axes))

    def _weighted(self, block: Block, values: NDArray[Any]) -> Float64:
        return _times(values, _float64(block, self.weights))


def _float64(block: Block, numbers: NDArray[Any] | None) -> Float64 | None:
    return None if numbers is None else block.numbers(numbers).astype(np.float64, copy=False)


def _times(values: NDArray[Any], factor: Float64 | None) -> Float64:
    """The product; 0 where the factor is, whatever stands there; inf beyond the range of float64."""
    if factor is None:
        return round_to(values, np.dtype(np.float64))
    with np.errstate(over="ignore"):
        result: Float64 = np.multiply(values, factor, out=np.zeros(values.shape), where=factor != 0.0)
    return result
