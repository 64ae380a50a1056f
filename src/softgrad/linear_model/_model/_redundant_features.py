"""Features that a fit without a penalty leaves out, as combinations of others, and what coefficients they get."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._dependent_features import Dependence
from softgrad.linear_model._model._standardisation import Standardisation

# A Gram matrix of this order takes 128 MiB.
LARGEST_GRAM = 4096

# Parts of a combination that are rounding, relative to the largest: features that are nearly dependent leave so much.
_NOISE = 1e-6


class RedundantFeatures(NamedTuple):
    """Combinations of features that are the same number in every row; 0 without intercepts.

    features : shape (m,), one of each. combinations : shape (d, m), of features as they are. values : shape (m,), these
    numbers. involved : the features of each combination, but for rounding.
    """

    features: NDArray[np.intp]
    combinations: Array
    values: Array
    involved: list[NDArray[np.intp]]

    @classmethod
    def of(cls, gram: Array, standardisation: Standardisation) -> RedundantFeatures:
        """The combinations among features with this Gram matrix when they are standardised."""
        features, combinations = Dependence.of(gram)
        sizes = np.abs(combinations)
        involved = [np.flatnonzero(of_one > _NOISE * of_one.max()) for of_one in sizes.T]
        combinations *= standardisation.inverse_scale[:, None]
        return cls(features, combinations, standardisation.centre @ combinations, involved)

    def leave_out(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Coefficients (K, d) and intercepts (K,) with the same logits that are 0 for the features."""
        times = coef[:, self.features] / np.diag(self.combinations[self.features])
        return coef - times @ self.combinations.T, intercept + times @ self.values

    def share_out(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Coefficients and intercepts with the same logits, the sum of the squares of the coefficients the least."""
        if not len(self.features):
            return coef, intercept
        # Of orthonormal combinations each is as large in a coefficient as its product with it.
        basis, triangle = scipy.linalg.qr(self.combinations, mode="economic")
        times = scipy.linalg.solve_triangular(triangle, (coef @ basis).T).T
        shared = intercept + times @ self.values
        return coef - times @ self.combinations.T, shared - shared.mean()
