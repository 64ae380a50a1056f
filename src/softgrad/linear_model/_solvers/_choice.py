"""The solvers by their names, and the choice among them by the shape of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._solvers._preconditioners import (
    DiagonalBlockPreconditioner,
    DiagonalPreconditioner,
    GramPreconditioner,
    HessianPreconditioner,
    Preconditioner,
)

# Up to this many unknowns the whole Hessian is cheaper than the products with it that it saves.
_LARGEST_HESSIAN = 128
# Up to so many entries of the diagonal blocks of all classes they are made.
_LARGEST_DIAGONAL_BLOCKS = 1 << 25
# A factor of this order takes 128 MiB.
LARGEST_FACTOR = 4096
# Matrix products with a dense factor cost more than those with sparse rows.
_LARGEST_SPARSE_FACTOR = 1024


SolverName = Literal[
    "auto",
    "newton-cholesky",
    "newton-blocks",
    "newton-gram",
    "newton-diagonal",
    "lbfgs-gram",
    "lbfgs-diagonal",
]


class Solver(NamedTuple):
    """A way to the optimum: the preconditioner, and whether L-BFGS goes before Newton's method."""

    preconditioner: Callable[[SoftmaxObjective], Preconditioner]
    approaches: bool


SOLVERS: dict[SolverName, Solver] = {
    "newton-cholesky": Solver(HessianPreconditioner, False),
    "newton-blocks": Solver(DiagonalBlockPreconditioner, False),
    "newton-gram": Solver(GramPreconditioner, False),
    "newton-diagonal": Solver(DiagonalPreconditioner, False),
    "lbfgs-gram": Solver(GramPreconditioner, True),
    "lbfgs-diagonal": Solver(DiagonalPreconditioner, True),
}


def choose_solver(objective: SoftmaxObjective) -> tuple[SolverName, str]:
    """The name of a solver, by the shape of the data alone; and why."""
    classes, columns = objective.shape
    unknowns, features = (classes - 1) * columns, objective.n_features
    if unknowns <= _LARGEST_HESSIAN:
        return "newton-cholesky", f"{unknowns} unknowns, at most {_LARGEST_HESSIAN}"
    largest = _LARGEST_SPARSE_FACTOR if objective.is_sparse else LARGEST_FACTOR
    many = f"{unknowns} unknowns, more than {_LARGEST_HESSIAN}; {features} features"
    if features <= largest and classes * columns**2 <= _LARGEST_DIAGONAL_BLOCKS and objective.keeps_logits():
        return "newton-blocks", f"{many}, at most {largest}; {classes} classes"
    if features <= largest:
        return "lbfgs-gram", f"{many}, at most {largest}"
    return "newton-diagonal", f"{many}, more than {largest}"
