"""The minimum of softmax regression with absolute values in the penalty: Newton steps between the coefficients' signs.

Where no coefficient changes its sign the objective is smooth. An iteration frees the coefficients that are not 0 or
would leave it, takes a Newton step among them by conjugate gradients, and sets to 0 what has crossed it, as in
orthant-wise methods. A shift of a feature's coefficients by the same number for all classes changes the penalty alone;
the best one follows each step.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._solvers._conjugate_gradients import solve_with_diagonal
from softgrad.linear_model._solvers._iteration import Course, Point, Solution, State, Step, iterate, rounding

_MOST_TRIALS = 40
_SUFFICIENT_DECREASE = 1e-4
# What is added to the Hessian while steps are too long falls no lower than to this part of its diagonal at the start.
_LEAST_DAMPING = 1e-9


def minimise(objective: SoftmaxObjective, state: State, course: Course) -> Solution:
    """The minimum of the objective with its absolute values.

    The relative gap is that to a dual feasible point, so a bound and not an estimate.
    """
    dual = _Dual(objective)
    at_start = objective.hessian(objective.start()).diagonal()

    def advance(state: State) -> State:
        point, damping = state.point, state.damping
        forcing = min(max(math.sqrt(state.gap), 1e-3), 0.1)
        step = _newton_step(objective, point, damping * at_start, forcing=forcing)
        if step is not None:
            point = step.point
            damping = min(max(damping * (0.1 if step.length == 1.0 else 4.0), _LEAST_DAMPING), 1.0)
        # The gap is that of the point reached: nothing is estimated ahead.
        return state._replace(point=point, gap=dual.relative_gap(point), damping=damping)

    return iterate(objective, state, advance, course)


def evaluate(objective: SoftmaxObjective, theta: Array) -> Point:
    """The objective with its absolute values, and the gradient of its smooth part, at the best shift of theta."""
    theta = theta - _best_shift(theta, objective.ridge, objective.absolute)
    value, gradient = objective.value_and_gradient(theta)
    return Point(theta, value + float(np.sum(objective.absolute * np.abs(theta))), gradient)


def _best_shift(theta: Array, ridge: Array, absolute: Array) -> Array:
    """What to subtract from each column so that sum_k ridge / 2 t_k^2 + absolute |t_k| is least; (P,).

    Its derivative falls with the shift, and jumps at the entries of the column: the best shift is the first entry at
    which it is no longer positive, or the zero in the interval before it.
    """
    ordered = np.sort(theta, axis=0)
    classes = len(theta)
    # Just above the k-th entry, k + 1 of them are on the negative side.
    signs = classes - 2.0 * np.arange(1, classes + 1)[:, None]
    total = ordered.sum(axis=0)
    slopes = ridge * (total - classes * ordered) + absolute * signs
    first = np.argmax(slopes <= 0, axis=0)
    columns = np.arange(theta.shape[1])
    at_entry = ordered[first, columns]
    inside = (total + absolute * (signs[first, 0] + 2.0) / np.maximum(ridge, 1e-300)) / classes
    # Between the entry before and this one, where the derivative may already be 0.
    best = np.where(ridge > 0, np.minimum(inside, at_entry), at_entry)
    shift: Array = np.where(absolute > 0, best, total / classes)
    return shift


def _newton_step(objective: SoftmaxObjective, origin: Point, damping: Array, *, forcing: float) -> Step | None:
    """A lower point along the Newton direction of the free coefficients, cut at 0; None if there is none."""
    theta, absolute = origin.theta, objective.absolute
    steepest = np.where(
        theta != 0.0,
        origin.gradient + absolute * np.sign(theta),
        np.sign(origin.gradient) * np.maximum(np.abs(origin.gradient) - absolute, 0.0),
    )
    free = _free(theta, steepest, objective.ridge)
    direction = solve_with_diagonal(objective.hessian(theta), damping, steepest, free, forcing)
    signs = np.where(theta != 0.0, np.sign(theta), -np.sign(steepest))
    bounded = absolute > 0
    unseen = rounding(objective, origin.value)
    length = 1.0
    for _ in range(_MOST_TRIALS):
        moved = theta + length * direction
        moved[bounded & (moved * signs < 0.0)] = 0.0
        trial = evaluate(objective, moved)
        promised = float(np.vdot(steepest, moved - theta))
        if trial.is_finite() and trial.value <= origin.value + _SUFFICIENT_DECREASE * promised:
            return Step(trial, length)
        if promised > -unseen and trial.is_finite() and trial.value <= origin.value + unseen:
            return Step(trial, length)
        length /= 2
    return None


def _free(theta: Array, steepest: Array, ridge: Array) -> NDArray[np.bool_]:
    """Which coefficients may move: those that are not 0, and those that the objective falls with.

    Where there is no ridge a shift of a whole column costs nothing in the quadratic model, which has no minimum then.
    One of the coefficients at 0, of which the best shift leaves at least one, stays there.
    """
    free: NDArray[np.bool_] = (theta != 0.0) | (steepest != 0.0)
    columns = np.flatnonzero((ridge == 0.0) & free.all(axis=0) & (theta == 0.0).any(axis=0))
    candidates = np.where(theta[:, columns] == 0.0, np.abs(steepest[:, columns]), np.inf)
    free[candidates.argmin(axis=0), columns] = False
    return free


class _Dual:
    """Lower bounds of the objective.

    The dual variables of a row are any distribution p' over the classes. With H its entropy and G the gradient of the
    loss that residuals p' - q give, q the targets, the bound is

        sum_i s_i H(p'_i) - sum over the coefficients of (|G| - absolute)_+^2 / (2 ridge),

    provided that G is 0 for the intercepts and at most `absolute` where there is no ridge. The probabilities p of a
    point give sum_i s_i H(p_i) = loss - <G, theta>. They are mixed with one distribution for all rows so that the
    intercepts' gradient vanishes, and then with the targets so that no gradient is too large; the entropy of a mixture
    is at least the mixture of the entropies.
    """

    def __init__(self, objective: SoftmaxObjective) -> None:
        self._objective = objective
        # Where every row has the same probabilities; centred features do not see which.
        _, self._constant = objective.loss_and_gradient(objective.start())
        self._shares = objective.class_shares

    def relative_gap(self, point: Point) -> float:
        objective = self._objective
        theta, ridge, absolute = point.theta, objective.ridge, objective.absolute
        gradient = point.gradient - ridge * theta
        penalty = float(np.sum(0.5 * ridge * theta**2 + absolute * np.abs(theta)))
        entropy = point.value - penalty - float(np.vdot(gradient, theta))
        if objective.fit_intercept:
            excess = gradient[:, -1]
            probabilities = self._shares + excess
            # A class that no row has is next to impossible, and as good as left out.
            present = probabilities > 1e-12
            share = float(np.clip(np.max(excess[present] / probabilities[present]), 0.0, 1.0))
            entropy *= 1.0 - share
            gradient = (1.0 - share) * gradient + share * self._constant
            gradient, ridge, absolute = gradient[:, :-1], ridge[:-1], absolute[:-1]
        sizes = np.abs(gradient)
        unbound = (ridge == 0.0) & (absolute > 0.0)
        excessive = float(np.max(sizes[:, unbound] / absolute[unbound], initial=1.0))
        entropy, sizes = entropy / excessive, sizes / excessive
        over = np.maximum(sizes - absolute, 0.0)
        conjugate = float(np.sum(np.divide(over**2, 2.0 * ridge, out=np.zeros_like(over), where=ridge > 0.0)))
        if not point.value > 0.0:
            return 0.0
        return max((point.value - entropy + conjugate) / point.value, 0.0)
