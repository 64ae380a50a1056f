"""The iteration that every solver is a step of: what it carries along, reports, and ends with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._loss import PenalisedLoss

# So many iterations without a decrease beyond rounding, and there will be none.
_MOST_IDLE = 10

# What the elastic net adds to the Hessian at first, in parts of its diagonal.
_FIRST_DAMPING = 1e-3


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
        started from, so that less is left after it; at the point it reached where that could be told.

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

    @classmethod
    def of(cls, objective: PenalisedLoss, theta: Array) -> Point:
        """The objective must have no absolute values."""
        return cls(theta, *objective.value_and_gradient(theta))

    def is_finite(self) -> bool:
        return bool(math.isfinite(self.value) and np.isfinite(self.gradient).all())


class Pair(NamedTuple):
    """A step, and the change of the gradient over it."""

    step: Array
    change: Array


class State(NamedTuple):
    """All that an iteration takes over from those before it: from the same state a fit goes on with the same bits.

    `objectives` has one value before the first iteration and one after each; `promises` the decreases that the
    quadratic models promised; `gap` and `smallest` are the last estimates of the relative gap and of the smallest
    eigenvalue of the preconditioned Hessian; `idle` counts the last iterations without a decrease; `pairs` are the last
    ones of L-BFGS, None when Newton's method has taken over from it; `damping` is the part of the Hessian's diagonal at
    the start that the elastic net adds to it.
    """

    point: Point
    objectives: list[float]
    promises: list[float]
    gap: float
    smallest: float
    idle: int
    pairs: list[Pair] | None
    damping: float


class Course(NamedTuple):
    """How far an iteration goes, and who is told on the way.

    `tol` is the relative gap that ends it. `keep` is given the state before each iteration; `report` the parameters
    after it, and says whether to stop there.
    """

    tol: float
    max_iter: int
    report: Callable[[IterationReport, Array], bool]
    keep: Callable[[State], object]


class Step(NamedTuple):
    """Where a line search ended, in units of the direction's length."""

    point: Point
    length: float


def starting_state(objective: PenalisedLoss, point: Point, *, after: Sequence[float] = ()) -> State:
    """The state before the first iteration; or, with the objectives of those before it, one that follows them.

    Raises
    ------
    FloatingPointError
        The objective or its gradient is not finite.
    """
    if not point.is_finite():
        raise FloatingPointError(
            f"the objective at the starting point is {point.value}: the logits overflow {objective.dtype}"
        )
    return State(point, [*after[:-1], point.value], [], np.inf, np.inf, 0, [], _FIRST_DAMPING)


def iterate(objective: PenalisedLoss, state: State, advance: Callable[[State], State], course: Course) -> Solution:
    """Advance until the relative gap is at most the tolerance, or there is an obstacle.

    `advance` gives the state after an iteration, with the objectives and the idle ones as they were: they are counted
    here. Where it finds no lower point it leaves the point in its place.
    """
    max_iter = course.max_iter
    for iteration in range(len(state.objectives), max_iter + 1):
        course.keep(state)
        before = state.point
        state = advance(state)
        point, gap = state.point, state.gap
        idle = state.idle + 1 if before.value - point.value <= rounding(objective, point.value) else 0
        state = state._replace(objectives=[*state.objectives, point.value], idle=idle)
        stop = course.report(IterationReport(iteration, max_iter, point.value, gap), point.theta)
        if gap <= course.tol:
            return Solution(point.theta, state.objectives, iteration, gap, None)
        if stop:
            return Solution(point.theta, state.objectives, iteration, gap, "a callback asked for the end")
        if point is before or idle == _MOST_IDLE:
            obstacle = f"rounding in {objective.dtype} hides what is left to gain"
            return Solution(point.theta, state.objectives, iteration, gap, obstacle)
    obstacle = f"max_iter={max_iter} iterations were not enough"
    return Solution(state.point.theta, state.objectives, len(state.objectives) - 1, state.gap, obstacle)


def rounding(objective: PenalisedLoss, value: float) -> float:
    """How much of a difference between values of the objective may be rounding."""
    return 8 * float(np.finfo(objective.dtype).eps) * value
