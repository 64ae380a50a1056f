"""How far results may be apart: by the roundings they are made with, and by the gap that a fit was asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EPS = float(np.finfo(np.float64).eps)
SINGLE = float(np.finfo(np.float32).eps)


def of_probabilities(magnitudes: NDArray, coef: NDArray, intercept: NDArray, dtype: str, roundings: int = 0) -> NDArray:
    """What rounding to dtype may do to the probabilities of each row, (n, 1), in whatever order sums are taken.

    A score is a sum of d products and the intercept. Each term is rounded as a coefficient, as a product and in at most
    d additions, and `roundings` times more where the features have roundings themselves, of `magnitudes` (n, d): half
    an eps each time. A probability moves by at most half of what the scores do, since 2 p (1 - p) <= 1/2. In the
    softmax the rounding of z - max counts exp(z - max), so at most 1/e of an eps for each of the K classes; the
    exponentials have 8 eps, the sum K / 2, the quotient a half.
    """
    eps = float(np.finfo(dtype).eps)
    classes, features = coef.shape
    terms = magnitudes @ np.abs(coef).T + np.abs(intercept)
    scores = (features + 3 + roundings) / 2 * terms.max(axis=1, keepdims=True)
    return eps * (scores / 2 + classes + 9)


def of_coefficients(gap: float, objective: float, C: float, total: float) -> float:
    """How far from the optimum coefficients may be, whose objective is within this relative gap of the least.

    `objective` is that of `tests.linear_model.problems`, whose curvature is at least that of its penalty, 1 / (C total)
    for rows of this total weight: gap * objective >= distance^2 / (2 C total).
    """
    return float(np.sqrt(2.0 * gap * objective * C * total))
