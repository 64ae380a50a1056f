"""Truncated Newton: conjugate gradients for the direction; L-BFGS, where it is asked for, until the optimum is near."""

from __future__ import annotations

import math
from itertools import pairwise

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._solvers._conjugate_gradients import NewtonStep, newton_step
from softgrad.linear_model._solvers._iteration import Course, Point, Solution, State, Step, iterate, rounding
from softgrad.linear_model._solvers._lbfgs import Approach
from softgrad.linear_model._solvers._line_search import line_search
from softgrad.linear_model._solvers._preconditioners import Preconditioner
from softgrad.linear_model._solvers._unpenalised import gap_bound, refuse_separated

# Where the model promises more than this part of the objective exact steps are mostly too short, and end at about this
# length: tried first, it saves an evaluation of most such iterations. The first step is that of other probabilities.
_FIRST_FAR_PROMISE, _FAR_PROMISE, _FAR_LENGTH = 0.5, 0.03, 1.6
# A step is too short where more of the slope is left: the classes are nearly separable, and the optimum is far out.
_STEEP = 0.25
# After L-BFGS the model may promise a small part of what is left, and how its promises fall tells. With fewer of them 4
# of 6000 fits to heavy-tailed features ended at up to 23 times their tolerance, with these none of 4000.
_LEAST_PROMISES = 3
# Up to about this contraction the Hessian has changed little over the step. The estimate of the gap reached was more
# than 1.3 times too low at 7 of 22 600 steps in 6000 fits to heavy-tailed features.
_LOCAL_CONTRACTION = 0.035


def minimise(
    objective: SoftmaxObjective,
    preconditioner: Preconditioner,
    state: State,
    course: Course,
    *,
    far: Preconditioner | None,
) -> Solution:
    """The minimum of the objective, which has no absolute values.

    With a preconditioner for what is `far` from the optimum L-BFGS goes before, as far as it does well, in the
    precision of the products. Then each iteration solves H x = -g by conjugate gradients. How far the objective is
    above its minimum is estimated by the decrease of the quadratic model, g^T H^-1 g / 2, at the point that the
    iteration starts from; and at the point that it reaches, where the Hessian has changed little. Without a penalty it
    is bounded at the former.

    Raises
    ------
    NoOptimum
        Without a penalty, where the classes are separable.
    """
    products = 0
    approach = None if far is None or state.pairs is None else Approach(objective, far, preconditioner)
    # Of a resumed fit too, whose approach may be over.
    least_promises = 1 if far is None else _LEAST_PROMISES

    def advance(state: State) -> State:
        nonlocal products
        point = state.point
        if approach is not None and state.pairs is not None:
            nearer = approach.advance(state, tol=course.tol)
            if nearer is not None:
                if not objective.is_penalised:
                    refuse_separated(objective, nearer.point.theta)
                return nearer
            if state.pairs and approach.rough is not objective:
                point = Point.of(objective, point.theta)
            state = state._replace(pairs=None)
        hessian = objective.hessian(point.theta)
        preconditioner.update(hessian, products)
        newton = newton_step(
            hessian,
            preconditioner,
            point.gradient,
            forcing=_forcing(state),
            negligible=course.tol * point.value,
            ceiling=point.value,
            smallest=state.smallest,
        )
        products = newton.products
        bound = None
        if not objective.is_penalised:
            promised = state.promises[-1] if state.promises else math.inf
            bound, newton = gap_bound(
                objective, hessian, preconditioner, point, newton, promised=promised, tol=course.tol
            )
            if bound == math.inf and newton.decrease <= rounding(objective, point.value):
                return state._replace(gap=bound)
        promises = [*state.promises, newton.decrease]
        far = (_FAR_PROMISE if state.promises else _FIRST_FAR_PROMISE) * point.value
        is_far = preconditioner.is_exact and newton.decrease > far
        step = line_search(objective, point, newton.direction, _FAR_LENGTH if is_far else 1.0, steep=_STEEP)
        if bound is not None:
            gap = bound
        elif step is not None and len(promises) < least_promises:
            gap = math.inf
        else:
            gap = _relative_gap(promises, step, point.value)
        if step is not None and not (gap <= course.tol and step.point.value > point.value):
            point = step.point
            if bound is None:
                gap = min(gap, _gap_reached(preconditioner, newton, step))
        return state._replace(point=point, promises=promises, gap=gap, smallest=newton.smallest)

    return iterate(objective, state, advance, course)


def _relative_gap(promises: list[float], step: Step | None, value: float) -> float:
    """How far above the optimum, from what the model promised for a full step, now and at the two iterations before.

    A model that holds only nearby promises too little. It shows in promises that fall slowly, where what is to come is
    taken as a geometric series, and in steps that had to be shortened or made longer. Where the slope falls with the
    distance covered, a step of length s shows a decrease of s times the promise, and its slow fall as much again.
    """
    if not (promises[-1] > 0 and value > 0):
        return 0.0
    ratios = [after / before for before, after in pairwise(promises[-3:])]
    slowest = min(max(ratios, default=0.0), 0.9)
    missed = 1.0 if step is None else max(1.0 / step.length, step.length**2)
    return promises[-1] * missed / (1.0 - slowest) / value


def _gap_reached(preconditioner: Preconditioner, newton: NewtonStep, step: Step) -> float:
    """How far above the optimum the step has led, from the Hessian where it began; inf where that says too little.

    Of the gradient there the conjugate gradients left a part, and a change of the Hessian over the step made the rest.
    The step with the same Hessian that removes the rest is theta times as long as this one, in the norm of the Hessian,
    which has then changed by about 2 theta of itself: the affine-invariant theory of Newton's method, Deuflhard, Newton
    Methods for Nonlinear Problems (2004), section 2.1. Where theta is not small that may be far too little.
    """
    if not (step.length == 1.0 and newton.decrease > 0):
        return math.inf

    def decrease_of(gradient: Array) -> float:
        return 0.5 * max(preconditioner.solve(gradient)[1], 0.0) / newton.smallest

    gradient = step.point.gradient
    decrease = decrease_of(gradient)
    spoiled = decrease if preconditioner.is_exact else decrease_of(gradient + newton.residual)
    contraction = math.sqrt(spoiled / newton.decrease)
    correction = math.exp((min(contraction, 0.5) / _LOCAL_CONTRACTION) ** 2)
    return decrease * correction / step.point.value if step.point.value > 0 else math.inf


def _forcing(state: State) -> float:
    """How much of the model's decrease may be missed: little enough for fast convergence near the optimum."""
    gap = state.gap
    if math.isinf(gap) and state.promises:
        gap = state.promises[-1] / state.point.value
    return min(max(0.5 * math.sqrt(gap), 0.01), 0.1)
