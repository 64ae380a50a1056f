"""L-BFGS over a preconditioner: an iteration takes one evaluation where it goes well.

Far from the optimum the Hessian changes over a step, and the products that conjugate gradients make an exact step of
are spent on a model that holds no more. There the pairs of a step and the change of the gradient over it are as good,
and cost nothing. It does not know how near the optimum is: that is left to Newton's method.
"""

from __future__ import annotations

from math import inf

import numpy as np

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._model._zero_sums import centre
from softgrad.linear_model._solvers._iteration import Pair, Point, State
from softgrad.linear_model._solvers._line_search import line_search
from softgrad.linear_model._solvers._preconditioners import Preconditioner

_MOST_PAIRS = 20
# From this promise on the probabilities change little enough for a preconditioner that is made of them to last; where
# it has for so many iterations and the optimum is not near, steps are too short, and exact ones go further.
_HALFWAY, _MOST_NEAR = 1e-3, 15
# Until the model of the pairs promises less than this part of the objective; several times as much is left then. For a
# loose tolerance it ends earlier, but not before halfway: from farther out exact steps take many times the products.
_NEAR = 3e-5
# The part of the slope that a step may leave; a model of the Hessian as rough as this one makes no better use of a
# longer search.
_STEEP = 0.9


class Approach:
    """The iterations before the optimum is near, in the precision of the products.

    Parameters
    ----------
    objective : SoftmaxObjective
    far, near : Preconditioner
        In the first part of the way, and in the second. If they are one, it stays that of the starting point: what the
        probabilities become is in the pairs.
    """

    def __init__(self, objective: SoftmaxObjective, far: Preconditioner, near: Preconditioner) -> None:
        self._objective, self._near, self._preconditioner = objective, near, far
        self._most = inf
        self.rough = objective.rough()
        far.update(objective.hessian(objective.start()), 0)

    def advance(self, state: State, *, tol: float) -> State | None:
        """The state after an iteration, its gap above `tol`; None where it is Newton's turn.

        It is where the optimum is near, or seems so and does not come nearer, and where no lower point is found.
        """
        point, pairs = state.point, state.pairs or []
        direction, promise = self._direction(point, pairs)
        if self._preconditioner is not self._near and promise <= _HALFWAY * point.value:
            self._near.update(self._objective.hessian(point.theta), 0)
            self._preconditioner, self._most = self._near, _MOST_NEAR
            direction, promise = self._direction(point, pairs)
        if self._most == 0 or not promise > max(_NEAR, min(2 * tol, _HALFWAY)) * point.value:
            return None
        step = line_search(self.rough, point, direction, 1.0, steep=_STEEP)
        if step is None:
            return None
        self._most -= 1
        pair = Pair(step.point.theta - point.theta, step.point.gradient - point.gradient)
        # Far from the optimum a promise of less may be far too little.
        gap = max(promise / point.value, 2 * tol)
        return state._replace(point=step.point, gap=gap, pairs=[*pairs, pair][-_MOST_PAIRS:])

    def _direction(self, point: Point, pairs: list[Pair]) -> tuple[Array, float]:
        """The direction, and the decrease that the model promises for it."""
        direction = lbfgs_direction(self._preconditioner, pairs, point.gradient)
        return direction, -0.5 * float(np.vdot(point.gradient, direction))


def lbfgs_direction(preconditioner: Preconditioner, pairs: list[Pair], gradient: Array) -> Array:
    """An approximate solution of H x = -gradient that is one for the pairs, whose last has scaled the preconditioner.

    The two-loop recursion of Nocedal, Updating quasi-Newton matrices with limited storage, Mathematics of Computation
    35 (1980).
    """
    # None of them is lost in rounding where the slope along the step has changed.
    bends = [float(np.vdot(pair.step, pair.change)) for pair in pairs]
    kept = [(pair, bend) for pair, bend in zip(pairs, bends, strict=True) if bend > 0.0]
    residual = -gradient
    shares = []
    for pair, bend in reversed(kept):
        share = float(np.vdot(pair.step, residual)) / bend
        residual -= share * pair.change
        shares.append(share)
    direction, _ = preconditioner.solve(residual)
    if kept:
        last, bend = kept[-1]
        direction *= bend / preconditioner.solve(last.change)[1]
    for (pair, bend), share in zip(kept, reversed(shares), strict=True):
        direction += (share - float(np.vdot(pair.change, direction)) / bend) * pair.step
    # The sums of the steps over the classes are rounding, but would add up.
    return centre(direction)
