"""Truncated Newton: conjugate gradients for the direction, and a line search that knows rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from softgrad.linear_model.conjugate_gradients import newton_step
from softgrad.linear_model.objective import SoftmaxObjective
from softgrad.linear_model.preconditioners import Preconditioner
from softgrad.linear_model.rows import Array

_MOST_TRIALS = 40
# So many iterations without a decrease beyond rounding, and there will be none.
_MOST_IDLE = 10
_SUFFICIENT_DECREASE = 1e-4


@dataclass(frozen=True)
class IterationReport:
    """What a callback of `SoftmaxRegression` is given after each iteration.

    Attributes
    ----------
    iteration : int
        1 after the first.
    max_iter : int
        The most iterations that there will be.
    objective : float
        The objective after the iteration: mean loss per unit of row weight, plus the penalty in the same unit.
    relative_gap : float
        The estimate that is compared with `tol`: (objective - optimum) / objective at the point the iteration
        started from. What is left after the iteration is smaller.

    Examples
    --------
    >>> from softgrad.linear_model import IterationReport
    >>> IterationReport(iteration=1, max_iter=100, objective=0.5, relative_gap=0.25).relative_gap
    0.25
    """

    iteration: int
    max_iter: int
    objective: float
    relative_gap: float


@dataclass(frozen=True)
class Solution:
    """Where the iteration ended; `obstacle` says why if that is not the optimum to within the tolerance."""

    theta: Array
    objectives: list[float]
    iterations: int
    relative_gap: float
    obstacle: str | None


class Point(NamedTuple):
    """Parameters with the objective and its gradient."""

    theta: Array
    value: float
    gradient: Array

    def is_finite(self) -> bool:
        return bool(np.isfinite(self.value) and np.isfinite(self.gradient).all())


class State(NamedTuple):
    """All that an iteration takes over from those before it: from the same state a fit goes on with the same bits.

    `objectives` has one value before the first iteration and one after each; `promises` the decreases that the
    quadratic models promised; `gap` and `smallest` are the last estimates of the relative gap and of the smallest
    eigenvalue of the preconditioned Hessian; `idle` counts the last iterations without a decrease.
    """

    point: Point
    objectives: list[float]
    promises: list[float]
    gap: float
    smallest: float
    idle: int


class Step(NamedTuple):
    """Where a line search ended, in units of the direction's length."""

    point: Point
    length: float


def starting_state(objective: SoftmaxObjective, point: Point, *, after: Sequence[float] = ()) -> State:
    """The state before the first iteration; or, with the objectives of those before it, one that follows them.

    Raises
    ------
    FloatingPointError
        The objective or its gradient is not finite.
    """
    if not point.is_finite():
        raise FloatingPointError(
            f"the objective at the starting point is {point.value}: the scores overflow {objective.dtype}"
        )
    return State(point, [*after[:-1], point.value], [], np.inf, np.inf, 0)


def minimise(
    objective: SoftmaxObjective,
    preconditioner: Preconditioner,
    state: State,
    *,
    tol: float,
    max_iter: int,
    report: Callable[[IterationReport, Array], bool],
    keep: Callable[[State], object],
) -> Solution:
    """The minimum of the objective.

    Each iteration solves H x = -g by conjugate gradients. How far the objective is above its minimum is estimated by
    the decrease of the quadratic model, g^T H^-1 g / 2. The step is taken in any case, and the iteration ends when the
    estimate divided by the objective is at most `tol`.

    `keep` is given the state before each iteration; `report` the point after it, and says whether to stop there.
    """
    point, objectives, promises, gap, smallest, idle = state
    products = 0
    for iteration in range(len(objectives), max_iter + 1):
        keep(State(point, objectives, promises, gap, smallest, idle))
        curvature = objective.curvature(point.theta)
        preconditioner.update(curvature, products)
        newton = newton_step(
            curvature,
            preconditioner,
            point.gradient,
            forcing=_forcing(gap),
            target=tol * point.value,
            ceiling=point.value,
            smallest=smallest,
        )
        step = _line_search(objective, point, newton.direction)
        promises = [*promises, newton.decrease]
        smallest, products = newton.smallest, newton.products
        gap = _relative_gap(promises, step, point.value)
        close = gap <= tol
        if step is not None and not (close and step.point.value > point.value):
            point = step.point
        idle = idle + 1 if objectives[-1] - point.value <= _rounding(objective, point) else 0
        objectives = [*objectives, point.value]
        stop = report(IterationReport(iteration, max_iter, point.value, gap), point.theta)
        if close:
            return Solution(point.theta, objectives, iteration, gap, None)
        if stop:
            return Solution(point.theta, objectives, iteration, gap, "a callback asked for the end")
        if step is None or idle == _MOST_IDLE:
            obstacle = f"rounding in {objective.dtype} hides what is left to gain"
            return Solution(point.theta, objectives, iteration, gap, obstacle)
    obstacle = f"max_iter={max_iter} iterations were not enough"
    return Solution(point.theta, objectives, len(objectives) - 1, gap, obstacle)


def evaluate(objective: SoftmaxObjective, theta: Array) -> Point:
    """The objective, which has no absolute values, and its gradient."""
    return Point(theta, *objective.value_and_gradient(theta))


def _rounding(objective: SoftmaxObjective, point: Point) -> float:
    """How much of a difference between values of the objective may be rounding."""
    return 8 * float(np.finfo(objective.dtype).eps) * point.value


def _relative_gap(promises: list[float], step: Step | None, value: float) -> float:
    """How far above the optimum, from what the model promised for a full step, now and at the two iterations before.

    A model that holds only nearby promises too little. It shows in promises that fall slowly, where what is to come is
    taken as a geometric series, and in steps that had to be shortened.
    """
    if not (promises[-1] > 0 and value > 0):
        return 0.0
    ratios = [after / before for before, after in pairwise(promises[-3:])]
    slowest = min(max(ratios, default=0.0), 0.9)
    shortened = 1.0 if step is None else min(step.length, 1.0)
    return promises[-1] / (1.0 - slowest) / shortened / value


def _forcing(gap: float) -> float:
    """How much of the model's decrease may be missed: little enough for fast convergence near the optimum."""
    return float(np.clip(0.5 * np.sqrt(gap), 0.01, 0.1))


def _line_search(objective: SoftmaxObjective, origin: Point, direction: Array) -> Step | None:
    """A point along the direction that is lower; None if there is none, to within rounding."""
    slope = float(np.vdot(origin.gradient, direction))

    def trial_at(length: float) -> tuple[Point, float]:
        trial = evaluate(objective, origin.theta + length * direction)
        return trial, float(np.vdot(trial.gradient, direction))

    length = 1.0
    for _ in range(_MOST_TRIALS):
        trial, trial_slope = trial_at(length)
        lower = trial.value <= origin.value + _SUFFICIENT_DECREASE * length * slope
        # The objective is convex: a slope that has come closer to zero tells of a decrease that its value cannot show.
        flatter = trial.value <= origin.value + _rounding(objective, origin) and abs(trial_slope) <= 0.8 * abs(slope)
        if trial.is_finite() and (lower or flatter):
            break
        length /= 2
    else:
        return None
    # Where the classes are nearly separable the optimum is far out, and the Newton step much too short.
    while trial_slope < 0.25 * slope and length < 1e3:
        longer = length * float(np.clip(slope / min(slope - trial_slope, -1e-300), 1.5, 4.0))
        further, trial_slope = trial_at(longer)
        if not (further.is_finite() and further.value < trial.value):
            break
        trial, length = further, longer
    return Step(trial, length)
