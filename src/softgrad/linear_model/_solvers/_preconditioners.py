"""Approximate inverses of the Hessian for the conjugate gradients and L-BFGS.

Where neither the Hessian nor the diagonal blocks of the classes are affordable: with A the mean over the rows of
diag(p) - p p^T and G the Gram matrix of the standardised features, the Hessian is close to the Kronecker product of A
and G plus the ridge R; where every row has the same probabilities, so at the start, it is that. G is made once, A again
at each Newton iteration. In the eigenvectors of A the classes come apart into one system (mu G + R) x = r for each
eigenvalue mu. Boehning's bound, A = (I - 1 1^T / K) / 2, does not follow the probabilities as they become confident.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs, dtrtri

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._hessian import Hessian
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._model._zero_sums import centre, zero_sum_basis

# What part of itself is added to a diagonal first, and more where that is not enough.
_LEAST_LIFT = 1e-14

Solver = Callable[[Array], Array]


class Preconditioner(Protocol):
    """An approximate inverse of the Hessian on the directions that sum to zero over the classes."""

    # Whether it is the inverse itself, but for rounding, since the last update.
    is_exact: bool

    def update(self, hessian: Hessian, products: int) -> None:
        """Move to the Hessian of another point, after so many products in the step that led there."""

    def solve(self, residual: Array) -> tuple[Array, float]:
        """The approximate inverse times a residual (K, P), of zero sum over the classes, and their inner product.

        The array is a new one.
        """


class HessianPreconditioner:
    """The Hessian itself, factorised at every Newton iteration."""

    def __init__(self, objective: SoftmaxObjective) -> None:
        # The class that has the most to do with the others.
        self._ground = int(objective.class_shares.argmax())
        self._others = np.delete(np.arange(objective.n_classes), self._ground)

    def update(self, hessian: Hessian, products: int) -> None:  # noqa: ARG002
        self._upper, lift = _cholesky(hessian.matrix(self._ground))
        self.is_exact = lift == _LEAST_LIFT

    def solve(self, residual: Array) -> tuple[Array, float]:
        solved, _ = dpotrs(self._upper, residual[self._others].ravel())
        differences = np.zeros(residual.shape)
        differences[self._others] = solved.reshape(-1, residual.shape[1])
        return of_zero_sums(differences, residual)


class GramPreconditioner:
    """The Kronecker product of A and G, plus R, by Cholesky factors."""

    is_exact = False

    def __init__(self, objective: SoftmaxObjective) -> None:
        self._features = objective.n_features
        self._ridge = objective.ridge[: self._features]
        self._basis = zero_sum_basis(objective.n_classes)
        self._gram = objective.gram()
        self._solvers: dict[int, Solver] = {}

    def update(self, hessian: Hessian, products: int) -> None:  # noqa: ARG002
        eigenvalues, eigenvectors = np.linalg.eigh(self._basis.T @ hessian.class_covariance() @ self._basis)
        # All of them are 0 where every row is certain to the last bit.
        largest = max(eigenvalues[-1], 1e-290)
        self._eigenvalues = np.maximum(eigenvalues, 1e-14 * largest)
        self._eigenvectors = self._basis @ eigenvectors
        # Eigenvalues within a factor of 4 share a factor, at a power of 4, so that later iterations find it again.
        self._levels = np.rint(np.log2(self._eigenvalues) / 2).astype(int)
        self._solvers = {
            level: self._solvers.get(level) or self._solver(4.0**level) for level in np.unique(self._levels).tolist()
        }

    def _solver(self, eigenvalue: float) -> Solver:
        """Solves (eigenvalue * G + R) x = r for rows r, (m, d)."""
        inverse = inverse_factor(eigenvalue * self._gram + np.diag(self._ridge))
        return lambda right: (right @ inverse.T) @ inverse

    def solve(self, residual: Array) -> tuple[Array, float]:
        rotated = self._eigenvectors.T @ residual
        # The intercept, if there is one, does not mix with centred features, and has no ridge.
        solved = rotated / self._eigenvalues[:, None]
        for level, solve in self._solvers.items():
            chosen = self._levels == level
            solved[chosen, : self._features] = solve(rotated[chosen, : self._features])
        return of_zero_sums(self._eigenvectors @ solved, residual)


class DiagonalPreconditioner:
    """The diagonal of the Hessian, where the whole Gram matrix would be too large."""

    is_exact = False

    def __init__(self, objective: SoftmaxObjective) -> None:
        pass

    def update(self, hessian: Hessian, products: int) -> None:  # noqa: ARG002
        self._diagonal, self._columns = hessian.diagonal(), hessian.columns

    def solve(self, residual: Array) -> tuple[Array, float]:
        return self._columns.divide(residual, self._diagonal)


def of_zero_sums(solved: Array, residual: Array) -> tuple[Array, float]:
    """What is solved, less its mean over the classes, in its memory; and the inner product of both."""
    centre(solved)
    return solved, float(np.vdot(residual, solved))


def _cholesky(matrix: Array) -> tuple[Array, float]:
    """U, and what part of itself was added to the diagonal, with U.T @ U = matrix but for that.

    The matrix is positive definite but for rounding; its lower triangle counts.
    """
    lifted = matrix.copy()
    lift = _LEAST_LIFT
    while True:
        # Collinear features and next to no penalty. No feature's unit matters.
        np.fill_diagonal(lifted, (1.0 + lift) * np.diag(matrix))
        upper, failed = dpotrf(lifted.T)
        if not failed:
            return upper, lift
        if lift > 1.0:
            raise np.linalg.LinAlgError("the Hessian is not finite")
        lift *= 100


def inverse_factor(matrix: Array) -> Array:
    """F with F.T @ F the inverse of a matrix that is positive definite but for rounding."""
    upper, _ = _cholesky(matrix)
    inverse, _ = dtrtri(upper)
    factor: Array = inverse.T
    return factor
