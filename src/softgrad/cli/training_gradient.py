"""The gradient that a training follows, compared with finite differences at some of its rows."""

from __future__ import annotations

import math

import numpy as np

import softgrad
from softgrad.cli.errors import UserError
from softgrad.cli.report import Output
from softgrad.cli.tables import Float64Array, IntArray

# Enough rows to involve every part of the gradient, few enough for thousands of evaluations.
MOST_ROWS = 32


def check_before(
    features: Float64Array, targets: IntArray | Float64Array, classes: int, seed: int, output: Output
) -> float:
    """Check the gradient at a random point.

    Returns
    -------
    float
        The worst relative error.

    Raises
    ------
    UserError
        If the gradient is wrong.
    """
    generator = np.random.default_rng(seed)
    coef = generator.standard_normal((classes, features.shape[1])) / math.sqrt(features.shape[1])
    reports = check_gradient(features, targets, coef, generator.standard_normal(classes), seed).values()
    worst = max(reports, key=lambda report: report.worst_error)
    output.line(f"gradient check: worst relative error {worst.worst_error:.1e}")
    for report in reports:
        if report.verdict == "fail":
            raise UserError(f"the gradient is wrong on this machine, nothing was trained ({report})")
        if report.verdict == "inconclusive":
            output.line(f"warning: the gradient check could not tell ({report})")
    return worst.worst_error


def check_gradient(
    features: Float64Array, targets: IntArray | Float64Array, coef: Float64Array, intercept: Float64Array, seed: int
) -> dict[str, softgrad.GradientReport]:
    """Compare the gradient of the mean loss of some rows, chosen by the seed, with finite differences."""
    rows = np.random.default_rng(seed).choice(len(targets), size=min(len(targets), MOST_ROWS), replace=False)
    arrays = (features[rows], coef, targets[rows], intercept)
    return {
        name: softgrad.check_gradient(softgrad.linear_cross_entropy, *arrays, wrt=wrt)
        for name, wrt in (("coefficients", 1), ("intercepts", 3))
    }
