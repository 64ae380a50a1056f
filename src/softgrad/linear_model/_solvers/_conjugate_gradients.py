"""Preconditioned conjugate gradients for the Newton step, which know how much of the step they have left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._hessian import Hessian
from softgrad.linear_model._solvers._preconditioners import Preconditioner

# What part of the smallest eigenvalue of the step before is relied on. With a half 6 of 480 fits to heavy-tailed
# features missed a tolerance of 1e-6 where that step was the first after L-BFGS, with this none of 1200.
_TRUSTED = 1.0 / 16.0
# Products with the Hessian for one step; a step that is cut off here is still one of descent.
_MOST_PRODUCTS = 1000
_MOST_PRODUCTS_WITH_DIAGONAL = 500


class NewtonStep(NamedTuple):
    """An approximate solution of H x = -g; `residual` is -g - H x.

    `decrease` estimates what the quadratic model promises for the exact solution, g^T H^-1 g / 2. `smallest` estimates
    the smallest eigenvalue of the preconditioned Hessian. `products` counts those with it.
    """

    direction: Array
    residual: Array
    decrease: float
    smallest: float
    products: int


@np.errstate(over="ignore", invalid="ignore")
def newton_step(
    hessian: Hessian,
    preconditioner: Preconditioner,
    gradient: Array,
    *,
    forcing: float,
    negligible: float,
    ceiling: float,
    smallest: float,
) -> NewtonStep:
    """Iterates until what is left out of the decrease is a small part of it.

    What is left out is first taken to be less than the last part times the number of parts so far. That is wrong where
    a slow part of the spectrum has hardly begun to count. It only costs an iteration, except where the decrease is at
    most `negligible` and would end the fit: there the bound by the smallest eigenvalue must hold it below `negligible`
    as well. Where a part of that of the previous step already does, near the end of a fit, a few products are enough.

    Parameters
    ----------
    gradient : ndarray, shape (K, P)
    forcing : float
        How large a part of the decrease may be left out.
    negligible : float
        A decrease so small that it ends the fit.
    ceiling : float
        More than any step can decrease the objective by; a model that promises it is left before it leads astray.
    smallest : float
        The estimate of the previous step; it may have doubled since.
    """
    if preconditioner.is_exact:
        solved, inner = preconditioner.solve(gradient)
        return NewtonStep(-solved, np.zeros(solved.shape), 0.5 * inner, 1.0, 0)
    direction = np.zeros_like(gradient)
    residual = -gradient
    search, inner = preconditioner.solve(residual)
    columns = hessian.columns
    decrease = left_out = 0.0
    lanczos = _Lanczos()
    trusted = _TRUSTED * smallest if np.isfinite(smallest) else 0.0
    smallest = 2.0 * smallest
    for count in range(1, _MOST_PRODUCTS + 1):
        curved, bend = hessian.product_and_bend(search)
        if not (inner > 0 and bend > 0):
            break
        length = inner / bend
        columns.advance(length, search, curved, direction, residual)
        part = 0.5 * length * inner
        decrease += part

        before = inner
        preconditioned, inner = preconditioner.solve(residual)
        ratio = inner / before
        lanczos.append(length, ratio)
        left_out = count * part
        if trusted > 0.0 and 0.5 * inner <= trusted * (negligible - decrease):
            left_out = 0.5 * inner / trusted
            smallest = trusted
            break
        if left_out <= forcing * decrease:
            if decrease > negligible:
                break
            smallest = min(smallest, lanczos.smallest())
            left_out = max(left_out, 0.5 * inner / smallest)
            if decrease + left_out <= negligible:
                break
        if decrease > ceiling:
            break
        columns.turn(ratio, preconditioned, search)
    return NewtonStep(direction, residual, decrease + left_out, min(smallest, lanczos.smallest()), lanczos.length)


def solve_with_diagonal(
    hessian: Hessian, damping: Array | float, steepest: Array, free: NDArray[np.bool_] | bool, forcing: float
) -> Array:
    """H x = -steepest on the free coefficients, with H damped, by conjugate gradients with its diagonal.

    The residual becomes `forcing` times what it was, in the norm of the diagonal's inverse.
    """
    inverse = np.where(free, 1.0 / np.maximum(hessian.diagonal() + damping, 1e-300), 0.0)
    solution = np.zeros_like(steepest)
    residual = -steepest * free
    preconditioned = inverse * residual
    search = preconditioned
    inner = first = float(np.vdot(residual, preconditioned))
    for _ in range(_MOST_PRODUCTS_WITH_DIAGONAL):
        curved = (hessian.product(search) + damping * search) * free
        bend = float(np.vdot(search, curved))
        if not (inner > 0 and bend > 0):
            break
        length = inner / bend
        solution = solution + length * search
        residual = residual - length * curved
        preconditioned = inverse * residual
        inner, before = float(np.vdot(residual, preconditioned)), inner
        if inner <= forcing**2 * first:
            break
        search = preconditioned + inner / before * search
    return solution


class _Lanczos:
    """The tridiagonal matrix that the iteration builds up: the preconditioned Hessian on the space searched."""

    def __init__(self) -> None:
        self._diagonal: list[float] = []
        self._off_diagonal: list[float] = []
        self._next = 0.0

    def append(self, length: float, ratio: float) -> None:
        self._diagonal.append(1.0 / length + self._next)
        self._off_diagonal.append(np.sqrt(max(ratio, 0.0)) / length)
        self._next = ratio / length

    @property
    def length(self) -> int:
        return len(self._diagonal)

    def smallest(self) -> float:
        """The smallest eigenvalue of the matrix; inf while there is nothing."""
        if not self._diagonal:
            return np.inf
        # Not by bisection, which may find no end where the entries span the range of float64.
        eigenvalues = scipy.linalg.eigvalsh_tridiagonal(self._diagonal, self._off_diagonal[:-1], lapack_driver="sterf")
        return max(float(eigenvalues[0]), float(np.finfo(np.float64).tiny))
