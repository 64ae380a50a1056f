"""A line search that knows rounding."""

from __future__ import annotations

import numpy as np

from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._model._loss import PenalisedLoss
from softgrad.linear_model._solvers._iteration import Point, Step, rounding

_MOST_TRIALS = 40
_SUFFICIENT_DECREASE = 1e-4
# A point uphill again by this part of the slope at the start is too far: the step back costs less than an iteration.
_OVERSHOT = 0.5


def line_search(
    objective: PenalisedLoss, origin: Point, direction: Array, length: float, *, steep: float
) -> Step | None:
    """A point along the direction that is lower; None if there is none, to within rounding.

    Parameters
    ----------
    length : float
        Tried first, in units of the direction's.
    steep : float
        A step is too short where more than this part of the slope at the origin is left.
    """
    slope = float(np.vdot(origin.gradient, direction))
    ceiling = origin.value + rounding(objective, origin.value)

    def trial_at(length: float) -> tuple[Point, float]:
        trial = Point.of(objective, origin.theta + length * direction)
        return trial, float(np.vdot(trial.gradient, direction))

    for _ in range(_MOST_TRIALS):
        trial, trial_slope = trial_at(length)
        lower = trial.value <= origin.value + _SUFFICIENT_DECREASE * length * slope
        # The objective is convex: a slope that has come closer to zero tells of a decrease that its value cannot show.
        flatter = trial.value <= ceiling and abs(trial_slope) <= 0.8 * abs(slope)
        if trial.is_finite() and (lower or flatter) and trial_slope <= -_OVERSHOT * slope:
            break
        # Where a straight line through the two slopes is 0.
        length *= min(max(slope / (slope - trial_slope), 0.4), 0.7) if trial_slope > 0 else 0.5
    else:
        return None
    while trial_slope < steep * slope and length < 1e3:
        longer = length * min(max(slope / min(slope - trial_slope, -1e-300), 1.5), 4.0)
        further, trial_slope = trial_at(longer)
        if not (further.is_finite() and further.value < trial.value):
            break
        trial, length = further, longer
    return Step(trial, length)
