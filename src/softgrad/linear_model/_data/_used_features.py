"""Sparse data without the features that are 0 in every row."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from softgrad.linear_model._data._rows import Array


class UsedFeatures:
    """The columns of sparse X (n, d) that have entries; the optimal coefficients of the others are 0.

    Hashed text has few of them. `data` shares its entries with X.
    """

    solver_suffix = ""

    def __init__(self, X: Any) -> None:
        self._used = np.zeros(X.shape[1], bool)
        self._used[X.indices] = True
        places = np.cumsum(self._used, dtype=X.indices.dtype) - X.indices.dtype.type(1)
        shape = X.shape[0], int(self._used.sum())
        self.data = sparse.csr_array((X.data, places[X.indices], X.indptr), shape=shape)

    def enter(self, coef: Array) -> Array:
        """Coefficients (K, d) of X as those of `data`."""
        inside: Array = coef[:, self._used]
        return inside

    def leave(self, coef: Array) -> Array:
        """Coefficients of `data` as coefficients (K, d) of X."""
        outside = np.zeros((len(coef), len(self._used)))
        outside[:, self._used] = coef
        return outside
