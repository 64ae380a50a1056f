"""A Newton step without a penalty as a point of the dual problem, which bounds the optimum from below.

With p the probabilities of a row, q its target and u the change of its logits over the step, p' = p (1 + e) with
e = u - <p, u> is a distribution if no e is below -1, and the gradient of the loss with p' for p is g + H d. Where d
solves H d = -g that is 0, so p' is a feasible point of the dual problem, the largest sum of entropies under that
condition, and the duality gap is the sum of the rows' KL(p' || p).

So an e above -1 everywhere also says that the optimum is attained. A direction that no row loses by, and some gain by,
would have a product with g + H d of sum_i s_i <p, m (1 + e)> times -1 or less than that, m >= 0 being what the logits
fall behind those of the target: not 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from softgrad.linear_model._data._rows import Array, Rows
from softgrad.linear_model._data._terms import Term
from softgrad.linear_model._model._affine import Affine
from softgrad.linear_model._model._hessian_terms import Block

# Up to here (1 + e) log(1 + e) - e would lose more to cancellation than its series does by ending.
_SMALL = 1e-4


class DualPoint(NamedTuple):
    """What p' is: its least 1 + e, its mean KL(p' || p), inf where it is no distribution, and H d by the rows."""

    least: float
    divergence: float
    product: Affine


@dataclass
class DualStep(Term[Rows, DualPoint]):
    """The dual point of a step from a point, both as weight and bias of the rows as they are."""

    point: Affine
    step: Affine

    def start(self) -> DualPoint:
        return DualPoint(np.inf, 0.0, self.step.zeros())

    def part(self, block: Rows) -> DualPoint:
        probabilities = Block(block, block.logits(*self.point)).probabilities
        changes = block.logits(*self.step)
        changes -= np.sum(probabilities * changes, axis=1, keepdims=True)
        factors = probabilities * changes
        factors *= block.weights.astype(factors.dtype)[:, None]
        least = 1.0 + float(changes.min())
        divergence = np.inf
        if least > 0.0:
            divergence = float(block.weights @ np.sum(probabilities * _divergence(changes.astype(np.float64)), axis=1))
        return DualPoint(least, divergence, self.step.gathered(block, factors))

    def add(self, total: DualPoint, part: DualPoint) -> DualPoint:
        least, divergence = min(total.least, part.least), total.divergence + part.divergence
        return DualPoint(least, divergence, total.product.add(part.product))


def _divergence(excess: Array) -> Array:
    """(1 + e) log(1 + e) - e, for e above -1."""
    series = excess**2 / 2 * (1.0 - excess / 3 + excess**2 / 6)
    return np.where(np.abs(excess) < _SMALL, series, (1.0 + excess) * np.log1p(excess) - excess)
