"""Checks gradients against differences of their functions, and says when the differences cannot tell.

The differences are central and Richardson-extrapolated over a ladder of halved steps (Ridders' tableau), so
each comes with an estimate of its own error. A disagreement is measured against the size of the component
and against that estimate, never against a bare absolute number: a gradient of zeros cannot pass because its
components are small, and a correct one cannot fail because the differences are coarse.
"""

from softgrad.gradcheck._check import assert_gradient, check_gradient
from softgrad.gradcheck._derivatives import check_derivatives
from softgrad.gradcheck._report import Comparison, GradientReport
from softgrad.gradcheck._step_errors import StepErrors, step_errors

__all__ = [
    "Comparison",
    "GradientReport",
    "StepErrors",
    "assert_gradient",
    "check_derivatives",
    "check_gradient",
    "step_errors",
]
