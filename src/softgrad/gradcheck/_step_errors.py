"""How the error of a difference depends on its step: a wide one truncates, a narrow one cancels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from softgrad.gradcheck._arrays import Float64Array
from softgrad.gradcheck._complex_step import complex_derivative
from softgrad.gradcheck._lines import Differences, tableau
from softgrad.gradcheck._subject import subject_of

STEPS = np.ldexp(1.0, np.arange(1, -46, -1))


@dataclass(frozen=True)
class StepErrors:
    """The relative errors of a derivative along one direction, by the step and by the method.

    Attributes
    ----------
    steps : ndarray, shape (n,)
        Powers of two, falling.
    central : ndarray, shape (n,)
        Errors of the central differences.
    extrapolated : ndarray, shape (n,)
        Errors of their Richardson extrapolation, from each step and its half.
    complex_step : ndarray of shape (n,) or None
        Errors of the complex step; None for a function that takes no complex numbers.
    gradient : float
        The error of the gradient.
    reference : float
        What all errors are measured against, and relative to: the derivative from the whole ladder of differences.
    reference_error : float
        Its own relative error, as estimated; errors below it mean nothing.
    """

    steps: Float64Array
    central: Float64Array
    extrapolated: Float64Array
    complex_step: Float64Array | None
    gradient: float
    reference: float
    reference_error: float


def step_errors(
    function: Any, /, *arrays: Any, grad: Callable[..., Any] | None = None, wrt: int = 0, **options: Any
) -> StepErrors:
    """The V-shaped curve: the error of differences against their step.

    Parameters
    ----------
    function, arrays, grad, wrt, options
        As in `check_gradient`.

    Returns
    -------
    StepErrors
        Along the signs of the gradient, where no component cancels another. An error is NaN where the function is not
        finite, and all are where its derivative is 0.

    Raises
    ------
    TypeError, ValueError
        As in `check_gradient`.

    Examples
    --------
    >>> import numpy as np
    >>> from softgrad.gradcheck import step_errors
    >>> errors = step_errors(np.sin, 0.3, grad=np.cos)
    >>> best, cube_root = np.argmin(errors.central), np.cbrt(np.finfo(np.float64).eps)
    >>> bool(0.1 < errors.steps[best] / cube_root < 10.0)
    True
    >>> bool(errors.central[best] < 10.0 * cube_root**2 < errors.central[-1])
    True
    """
    subject = subject_of(function, arrays, grad, wrt, options)
    x = subject.x.astype(np.float64)
    gradient = subject.gradient(subject.x)
    direction = np.where(gradient < 0.0, -1.0, 1.0)
    differences = Differences(subject.evaluate, x, float(np.abs(gradient).max()))
    line = differences.line(direction)
    slope = differences.slope(line)

    def errors(derivatives: Any) -> Float64Array:
        with np.errstate(all="ignore"):
            relative: Float64Array = np.abs(np.asarray(derivatives) / slope.value - 1.0)
        return np.where(np.isfinite(relative), relative, np.nan)

    central = [(line(step) - line(-step)) / (2.0 * step) for step in [*STEPS.tolist(), float(STEPS[-1]) / 2.0]]
    exact = [complex_derivative(subject.value, x, direction, step) for step in STEPS.tolist()]
    return StepErrors(
        steps=STEPS.copy(),
        central=errors(central[:-1]),
        extrapolated=errors([tableau(list(pair))[-1][-1].value for pair in pairwise(central)]),
        complex_step=None if None in exact else errors(exact),
        gradient=float(errors((gradient * direction).sum())),
        reference=slope.value,
        reference_error=slope.estimate / abs(slope.value) if slope.value else np.inf,
    )
