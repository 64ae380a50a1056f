"""The solvers by their names, and the choice among them by the shape of the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._solvers._diagonal_blocks import DiagonalBlockPreconditioner
from softgrad.linear_model._solvers._preconditioners import (
    DiagonalPreconditioner,
    GramPreconditioner,
    HessianPreconditioner,
    Preconditioner,
)

# Up to this many unknowns the whole Hessian is cheaper than the products with it that it saves.
_LARGEST_HESSIAN = 128
# Up to so many entries of the diagonal blocks of all classes they are made, 1 GiB in float32.
_LARGEST_DIAGONAL_BLOCKS = 1 << 28
# With more columns than this times the root of the number of rows they cost more than the products that they save.
_COLUMNS_PER_ROOT_OF_ROWS = 4
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
    "lbfgs-blocks",
    "lbfgs-gram",
    "lbfgs-diagonal",
]


class Solver(NamedTuple):
    """A way to the optimum: the preconditioner of Newton's method, and that of L-BFGS, if this goes before."""

    near: Callable[[SoftmaxObjective], Preconditioner]
    far: Callable[[SoftmaxObjective], Preconditioner] | None

    def preconditioners(self, objective: SoftmaxObjective) -> tuple[Preconditioner, Preconditioner | None]:
        """Make both: one and the same where they share it, and None in the second place without L-BFGS."""
        near = self.near(objective)
        if self.far is None:
            return near, None
        return near, near if self.far is self.near else self.far(objective)


SOLVERS: dict[SolverName, Solver] = {
    "newton-cholesky": Solver(HessianPreconditioner, None),
    "newton-blocks": Solver(DiagonalBlockPreconditioner, None),
    "newton-gram": Solver(GramPreconditioner, None),
    "newton-diagonal": Solver(DiagonalPreconditioner, None),
    "lbfgs-blocks": Solver(DiagonalBlockPreconditioner, GramPreconditioner),
    "lbfgs-gram": Solver(GramPreconditioner, GramPreconditioner),
    "lbfgs-diagonal": Solver(DiagonalPreconditioner, DiagonalPreconditioner),
}


def choose_solver(objective: SoftmaxObjective) -> tuple[SolverName, str]:
    """The name of a solver, by the shape of the data alone; and why."""
    classes, columns = objective.shape
    unknowns, features = (classes - 1) * columns, objective.n_features
    if unknowns <= _LARGEST_HESSIAN:
        return "newton-cholesky", f"{unknowns} unknowns, at most {_LARGEST_HESSIAN}"
    largest = _LARGEST_SPARSE_FACTOR if objective.is_sparse else LARGEST_FACTOR
    many = f"{unknowns} unknowns, more than {_LARGEST_HESSIAN}; {features} features"
    are_cheap = columns**2 <= _COLUMNS_PER_ROOT_OF_ROWS**2 * objective.source.n_rows
    are_small = classes * columns**2 <= _LARGEST_DIAGONAL_BLOCKS
    if features <= largest and are_cheap and are_small and objective.keeps_logits():
        rows = objective.source.n_rows
        return "lbfgs-blocks", f"{many}, at most {largest}; {rows} rows; {classes} classes"
    if features <= largest:
        return "lbfgs-gram", f"{many}, at most {largest}"
    return "newton-diagonal", f"{many}, more than {largest}"
