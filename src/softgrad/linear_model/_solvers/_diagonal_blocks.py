"""The diagonal blocks of the Hessian from few rows each, in the precision of the products."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._hessian import KEPT_LOGIT_BYTES, Hessian
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._solvers._preconditioners import inverse_factor, of_zero_sums

# About as many products as making them costs.
_COST = 10
# Near the optimum few rows count for a class, and those are taken first.
_SAMPLE_PER_COLUMN = 6


class DiagonalBlockPreconditioner:
    """An inverse of each, made anew only where the products that a step took would have paid for that.

    Raises
    ------
    ValueError
        The rows and their probabilities are not in memory.
    """

    is_exact = False

    def __init__(self, objective: SoftmaxObjective) -> None:
        if not objective.keeps_logits():
            there_are = f"{objective.source.n_rows} rows of {objective.n_classes} classes"
            raise ValueError(
                "solver='newton-blocks' and solver='lbfgs-blocks' keep the rows and their probabilities in memory, "
                f"at most {KEPT_LOGIT_BYTES >> 20} MiB of the latter; there are {there_are}"
                f"{'' if objective.source.resident else ' in a stream'}"
            )
        self._shape = objective.shape
        self._inverses: NDArray[Any] | None = None

    def update(self, hessian: Hessian, products: int) -> None:
        classes, columns = self._shape
        if self._inverses is None:
            self._inverses = np.empty((classes, columns, columns), hessian.dtype)
        elif products <= _COST:
            return
        factors = hessian.sampled_diagonal_blocks(_SAMPLE_PER_COLUMN * columns, inverse_factor)
        for label, factor in enumerate(factors):
            self._inverses[label] = factor

    def solve(self, residual: Array) -> tuple[Array, float]:
        assert self._inverses is not None
        half = np.matmul(self._inverses, residual.astype(self._inverses.dtype, copy=False)[:, :, None])
        solved = np.matmul(self._inverses.transpose(0, 2, 1), half)[:, :, 0]
        return of_zero_sums(solved.astype(np.float64, copy=False), residual)
