"""L-BFGS over a preconditioner: an iteration takes one evaluation where it goes well.

Far from the optimum the Hessian changes over a step, and the products that conjugate gradients make an exact step of
are spent on a model that holds no more. There the pairs of a step and the change of the gradient over it are as good,
and cost nothing. Near the optimum it is slow, and it does not know how near it is: that is left to Newton's method.
"""

from __future__ import annotations

import numpy as np

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._loss import PenalisedLoss
from softgrad.linear_model._model._zero_sums import centre
from softgrad.linear_model._solvers._iteration import Pair, State
from softgrad.linear_model._solvers._line_search import line_search
from softgrad.linear_model._solvers._preconditioners import Preconditioner

_MOST_PAIRS = 20
# Until the model of the pairs promises less than this part of the objective; several times as much is left then.
_NEAR = 3e-5
# The part of the slope that a step may leave; a model of the Hessian as rough as this one makes no better use of a
# longer search.
_STEEP = 0.9


def approach(objective: PenalisedLoss, preconditioner: Preconditioner, state: State, *, tol: float) -> State | None:
    """The state after an iteration, its gap above `tol`; None where the optimum is near or no lower point was found."""
    point = state.point
    direction = lbfgs_direction(preconditioner, state.pairs or [], point.gradient)
    promise = -0.5 * float(np.vdot(point.gradient, direction))
    if not promise > max(_NEAR, 2 * tol) * point.value:
        return None
    step = line_search(objective, point, direction, 1.0, steep=_STEEP)
    if step is None:
        return None
    pair = Pair(step.point.theta - point.theta, step.point.gradient - point.gradient)
    pairs = [*(state.pairs or []), pair][-_MOST_PAIRS:]
    return state._replace(point=step.point, gap=promise / point.value, pairs=pairs)


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
    direction = centre(preconditioner.apply(residual))
    if kept:
        last, bend = kept[-1]
        direction *= bend / float(np.vdot(last.change, centre(preconditioner.apply(last.change))))
    for (pair, bend), share in zip(kept, reversed(shares), strict=True):
        direction += (share - float(np.vdot(pair.change, direction)) / bend) * pair.step
    return direction
