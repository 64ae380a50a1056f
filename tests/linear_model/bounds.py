"""How far results may be apart: by the roundings they are made with, and by the gap that a fit was asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model import SoftmaxRegression

EPS = float(np.finfo(np.float64).eps)
SINGLE = float(np.finfo(np.float32).eps)
# The relative gap of a fit that is asked for none.
TOL = SoftmaxRegression().tol


def of_probabilities(magnitudes: NDArray, coef: NDArray, intercept: NDArray, dtype: str, roundings: int = 0) -> NDArray:
    """What rounding to dtype may do to the probabilities of each row, (n, 1), in whatever order sums are taken.

    A logit is a sum of d products and the intercept. Each term is rounded as a coefficient, as a product and in at most
    d additions, and `roundings` times more where the features have roundings themselves, of `magnitudes` (n, d): half
    an eps each time. A probability moves by at most half of what the logits do, since 2 p (1 - p) <= 1/2. In the
    softmax the rounding of z - max counts exp(z - max), so at most 1/e of an eps for each of the K classes; the
    exponentials have 8 eps, the sum K / 2, the quotient a half.
    """
    eps = float(np.finfo(dtype).eps)
    classes, features = coef.shape
    terms = magnitudes @ np.abs(coef).T + np.abs(intercept)
    logits = (features + 3 + roundings) / 2 * terms.max(axis=1, keepdims=True)
    return eps * (logits / 2 + classes + 9)


def decided(probabilities: NDArray, rounding: NDArray) -> NDArray:
    """The rows whose likeliest class is the same whatever `of_probabilities` allows, (n,)."""
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    # Scores move by twice as much as probabilities, and there are two of them.
    return first - second > 4.0 * rounding[:, 0]


def of_coefficients(model: SoftmaxRegression, total: float) -> float:
    """How far apart the coefficients of two fits like this one to rows of this total weight may be.

    The curvature of the objective is at least that of its penalty, (1 - l1_ratio) / (C total), so that coefficients
    whose objective is within a relative gap `tol` of the least are at a distance from the optimum with
    distance^2 <= 2 C total tol objective / (1 - l1_ratio).
    """
    curvature = (1.0 - model.l1_ratio) / (model.C * total)
    return 2.0 * float(np.sqrt(2.0 * model.tol * model.loss_curve_[-1] / curvature))
