"""What is different without a penalty: the gap, and whether there is an optimum at all."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._hessian import Hessian
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._model._zero_sums import centre
from softgrad.linear_model._solvers._conjugate_gradients import NewtonStep, solve_with_diagonal
from softgrad.linear_model._solvers._iteration import Point
from softgrad.linear_model._solvers._preconditioners import Preconditioner

# Up to this many unknowns the eigenvectors of the Hessian are affordable where a fit cannot end well.
_LARGEST_DECOMPOSITION = 2048
# Where the model promises less than this part of the objective, what has a minimum is near it.
_NEAR = 1e-3
# How much of each probability a dual point must keep: 0 is what separable classes come down to, but for rounding.
_INTERIOR = 0.5
# What is left of the residual in equations that must show a direction of little worth.
_CLOSE = 1e-10
# And in those that tell what such a residual is worth.
_ROUGH = 0.1
# Promises of less than this part of the objective that fall by no more than this factor in a step are those of classes
# that leave rows: near an optimum they fall at once.
_HIDDEN, _SLOW = 1e-11, 0.03
# Entries of a direction that are rounding, in parts of the largest.
_NOISE = 2.0**16 * float(np.finfo(np.float64).eps)
# The classes that leave a row are moved by about 1 in each step, so that the promise is half of what they weigh.
_WEIGHT_OF_LEAVING = 16.0


class NoOptimum(Exception):
    """The objective falls along a direction without end, or so far that rounding hides the end.

    direction : ndarray, shape (K, P)
    is_certain : whether no row loses by the direction, to within the rounding of its logits.
    """

    def __init__(self, direction: Array, *, is_certain: bool) -> None:
        super().__init__(direction, is_certain)
        self.direction, self.is_certain = direction, is_certain


def refuse_separated(objective: SoftmaxObjective, theta: Array) -> None:
    """Raise NoOptimum where no row loses by theta itself, as where every row is classified as its label says."""
    if objective.is_separated_by(theta):
        raise NoOptimum(theta, is_certain=True)


def gap_bound(
    objective: SoftmaxObjective,
    hessian: Hessian,
    preconditioner: Preconditioner,
    point: Point,
    newton: NewtonStep,
    *,
    promised: float,
    tol: float,
) -> tuple[float, NewtonStep]:
    """The relative gap that the point has at most, inf where the Newton step is no dual point; and the step.

    Conjugate gradients may leave out a direction that is worth little and has no end. Where the gap seems to be at most
    `tol` the equations are solved once more, as closely as it takes to see such a one, and the step is that; above it
    is an estimate. `promised` is the decrease that the model promised for the step before.

    Raises
    ------
    NoOptimum
    """
    newton = _step_along(newton.direction, point, newton)
    gap, residual = _dual_gap(objective, point, newton.direction)
    if gap <= tol and not preconditioner.is_exact:
        newton = _step_along(centre(_solve(hessian, point.gradient, _CLOSE)), point, newton)
        gap, residual = _dual_gap(objective, point, newton.direction)
    if gap == np.inf:
        _refuse_separable(objective, point, newton, promised)
    elif gap <= tol or preconditioner.is_exact:
        if preconditioner.is_exact:
            _, inner = preconditioner.solve(residual)
        else:
            inner = float(np.vdot(residual, centre(_solve(hessian, -residual, _ROUGH))))
        gap += abs(inner) / point.value
    return gap, newton


def _solve(hessian: Hessian, gradient: Array, forcing: float) -> Array:
    return solve_with_diagonal(hessian, 0.0, gradient, True, forcing)


def _step_along(direction: Array, point: Point, newton: NewtonStep) -> NewtonStep:
    """The step, its decrease without what is left out: that may be next to nothing over an eigenvalue near 0."""
    return newton._replace(direction=direction, decrease=-0.5 * float(np.vdot(point.gradient, direction)))


def _dual_gap(objective: SoftmaxObjective, point: Point, direction: Array) -> tuple[float, Array]:
    """The relative gap to the dual point of a direction d, inf where it is none; and -g - H d by the rows as they are.

    The residual adds its product with the way to the optimum, d + H^-1 residual, of which the first part is here.
    """
    least, divergence, product = objective.dual_step(point.theta, direction)
    residual = -(point.gradient + product)
    if not (least >= _INTERIOR and point.value > 0.0):
        return np.inf, residual
    return (divergence + abs(float(np.vdot(residual, direction)))) / point.value, residual


def _refuse_separable(objective: SoftmaxObjective, point: Point, newton: NewtonStep, promised: float) -> None:
    refuse_separated(objective, point.theta)
    classes, columns = objective.shape
    if newton.decrease <= _NEAR * point.value and (classes - 1) * columns <= _LARGEST_DECOMPOSITION:
        direction = _leaving(objective, point.theta, _WEIGHT_OF_LEAVING * newton.decrease)
        if objective.is_separated_by(direction):
            raise NoOptimum(direction, is_certain=True)
    # With float32 X the optimum may still be where float64 can tell.
    hidden = objective.dtype == np.float64 and newton.decrease <= _HIDDEN * point.value
    if hidden and newton.decrease >= _SLOW * promised:
        raise NoOptimum(newton.direction, is_certain=False)


def _leaving(objective: SoftmaxObjective, theta: Array, least: float) -> Array:
    """The part of theta that moves no classes against each other that are likely in the same row.

    Far out on a way that some rows gain by and none loses by, the classes that it moves apart have next to no
    probability left in those rows. Without them the Hessian is 0 along it, and the rest of theta stays finite.
    """
    ground = int(objective.class_shares.argmax())
    others = [k for k in range(objective.n_classes) if k != ground]
    # A feature that few rows have must not be taken for one of no curvature.
    units = 1.0 / np.sqrt(np.diag(objective.hessian(objective.start()).matrix(ground)))
    matrix = objective.hessian_of_the_likely(theta, least).matrix(ground) * units * units[:, None]
    eigenvalues, eigenvectors = scipy.linalg.eigh(matrix)
    flat = eigenvectors[:, eigenvalues <= len(matrix) * np.finfo(np.float64).eps * eigenvalues[-1]]
    scaled = (theta[others] - theta[ground]).ravel() / units
    direction = np.zeros_like(theta)
    direction[others] = (flat @ (flat.T @ scaled) * units).reshape(len(others), -1)
    direction[np.abs(direction) <= _NOISE * np.abs(direction).max()] = 0.0
    return centre(direction)
