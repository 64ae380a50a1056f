"""Data with more features than rows, in coordinates of the space that the rows span."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softgrad.linear_model._data._one_thread import on_one_thread
from softgrad.linear_model._data._rows import Array


class RowSpace:
    """X (n, d) with n < d as Z Q^T, Q (d, n) of orthonormal columns.

    Optimal coefficients are combinations of rows of X, so omega Q^T with omega (K, n), and ||omega Q^T|| = ||omega||:
    the regression on Z has the same optimum, with n features.
    """

    solver_suffix = ", row space"

    def __init__(self, X: NDArray[Any]) -> None:
        with on_one_thread():
            self._basis, triangle = scipy.linalg.qr(X.T.astype(np.float64), mode="economic", overwrite_a=True)
        self.data: Array = np.ascontiguousarray(triangle.T)
        # Along what the rows have by rounding alone, rows that are equal would be told apart.
        sizes = np.abs(self.data).max(axis=0)
        self.data[:, sizes <= max(X.shape) * np.finfo(np.float64).eps * sizes.max()] = 0.0

    def enter(self, coef: Array) -> Array:
        """Coefficients (K, d) of X as coefficients (K, n) of `data`; what no row of X sees is dropped."""
        inside: Array = coef @ self._basis
        return inside

    def leave(self, coef: Array) -> Array:
        """Coefficients (K, n) of `data` as coefficients (K, d) of X."""
        outside: Array = coef @ self._basis.T
        return outside
