"""Features that are combinations of others: what a Gram matrix says of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg.lapack import dpstrf

from softgrad.linear_model._data._rows import Array

# Of the sums over the rows that a Gram matrix is made of.
_ROUNDINGS = 2.0**10


class Dependence(NamedTuple):
    """The combinations of features that are 0 in every row, to within rounding.

    features : shape (m,), those that are combinations of the rest. combinations : shape (d, m), a basis, of which each
    has one of them.
    """

    features: NDArray[np.intp]
    combinations: Array

    @classmethod
    def of(cls, gram: Array) -> Dependence:
        """The combinations among features with this Gram matrix (d, d); one that is 0 in every row is no combination.

        A Cholesky factorisation takes the feature with the largest remainder first, until what remains of all others
        is rounding, relative to the feature.
        """
        present = np.flatnonzero(np.diag(gram) > 0.0)
        units = 1.0 / np.sqrt(np.diag(gram)[present])
        scaled = gram[np.ix_(present, present)] * units * units[:, None]
        factor, pivots, rank, _ = dpstrf(scaled, tol=max(_ROUNDINGS, len(present)) * np.finfo(np.float64).eps)
        order = present[pivots - 1]
        combinations = np.zeros((len(gram), len(present) - rank))
        combinations[order[:rank]] = -scipy.linalg.solve_triangular(factor[:rank, :rank], factor[:rank, rank:])
        combinations[order[rank:]] = np.eye(len(present) - rank)
        combinations[present] *= units[:, None]
        return cls(order[rank:], combinations)
