"""The mean loss of rows and its gradient by theta, with the ridge or without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from softgrad._native import add_loss_gradient, most_tile_classes
from softgrad._negligible import clear_negligible
from softgrad.linear_model._data._rows import Array, Rows
from softgrad.linear_model._data._terms import Term
from softgrad.linear_model._model._affine import Affine
from softgrad.linear_model._model._standardised_rows import StandardisedRows
from softgrad.losses._cross_entropy_problem import CrossEntropyProblem, cross_entropy_problem


class Block(NamedTuple):
    """Rows and their losses, the gradient of each times the weight of the row.

    The problem is None where the core makes the sum over the rows: of few classes, against one of them.
    """

    rows: Rows
    problem: CrossEntropyProblem | None


@dataclass
class WithLosses:
    """Makes blocks of rows; `label_smoothing` is the share of each target that is spread over all classes."""

    n_classes: int
    label_smoothing: float

    def __call__(self, rows: Rows) -> Block:
        if self.n_classes <= most_tile_classes and rows.labels.ndim == 1 and self.label_smoothing == 0.0:
            return Block(rows._replace(labels=np.ascontiguousarray(rows.labels, np.int64)), None)
        problem = cross_entropy_problem(
            (len(rows.labels), self.n_classes),
            (1,),
            rows.labels,
            rows.weights,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        return Block(rows, replace(problem, flushing=True))


@dataclass
class LossAndGradient(Term[Block, tuple[float, Affine]]):
    """The mean loss of affine logits, and its gradient by their weight and bias."""

    affine: Affine

    def start(self) -> tuple[float, Affine]:
        return 0.0, self.affine.zeros()

    def part(self, block: Block) -> tuple[float, Affine]:
        rows = block.rows
        if block.problem is None:
            return self.affine.summed(partial(add_loss_gradient, rows.features, rows.labels, rows.weights))
        logits = rows.logits(*self.affine)
        losses = block.problem.row_losses(logits, logits)
        clear_negligible(logits, block.problem.row_factors(), logits.dtype)
        return float(rows.weights @ losses), self.affine.gathered(rows, logits)

    def add(self, total: tuple[float, Affine], part: tuple[float, Affine]) -> tuple[float, Affine]:
        return total[0] + part[0], total[1].add(part[1])


class PenalisedLoss:
    """The mean loss plus the ridge, as a function of theta.

    Parameters
    ----------
    rows : StandardisedRows
    with_losses : WithLosses
    ridge : ndarray, shape (P,)
        Of the penalty's squares, for each column of theta.
    """

    def __init__(self, rows: StandardisedRows, with_losses: WithLosses, ridge: Array) -> None:
        self.dtype = rows.source.dtype
        self.ridge = ridge
        self._rows = rows
        # Where all rows stay in memory the losses are checked once.
        self._blocks = rows.prepared(with_losses, keep=rows.source.resident)

    @np.errstate(over="ignore", invalid="ignore")
    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """The mean loss plus the ridge, and its gradient by theta."""
        loss, by_rows = self._blocks.total(LossAndGradient(self._rows.affine(theta)))
        gradient, _, pull = self._rows.by_theta_and_ridge(by_rows, self.ridge, theta)
        return loss + 0.5 * pull, gradient

    def loss_and_gradient(self, theta: Array) -> tuple[float, Array]:
        """The mean loss and its gradient by theta, whose columns sum to zero."""
        loss, by_rows = self._blocks.total(LossAndGradient(self._rows.affine(theta)))
        return loss, self._rows.by_theta(by_rows)
