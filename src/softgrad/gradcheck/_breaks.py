"""Places where a function has no derivative: kinks, where the two one-sided slopes differ, cusps and jumps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from softgrad.gradcheck._lines import FINEST, TRUST, Differences, Line

# At x itself, and, where no ladder of steps gave a slope, near it.
SCALE = FINEST
WIDER_SCALES = (2.0**-17, 2.0**-10)
DOUBLINGS = 4
# Of a smooth function the one-sided slopes differ by a seventh of what they change over the steps; of noise, by less
# than what they change.
DISTINCT = 4.0
# The slopes of a cusp grow as the step falls, those of a kink do not.
GROWING = 1.1
# Of a smooth function a rise halves with the step, so that rises differ by most of their size.
STEADY = 0.05
# Relative to the values; a smaller jump may be what rounding to float32 does.
LEAST_JUMP = 2.0**-16


@dataclass(frozen=True)
class Break:
    """A kink, cusp or jump on a line: the slopes on both sides of it, and how far off they may be.

    Those of a cusp or a jump are infinite: any derivative lies between them.
    """

    kind: Literal["kink", "cusp", "jump"]
    low: float
    high: float
    slack: float

    @property
    def size(self) -> float:
        """The difference between the two slopes."""
        return self.high - self.low

    def excess(self, slope: float) -> float:
        """How far a slope lies outside of those on the two sides."""
        return max(self.low - slope, slope - self.high, self.slack) - self.slack


def find_break(differences: Differences, line: Line, slope: float, scale: float = SCALE) -> Break | None:
    """The kink, cusp or jump of `line` within a few times `scale` of 0, if it shows above the noise."""
    steps = [scale * 2.0**doubling for doubling in range(DOUBLINGS)]
    here = differences.here
    ahead = [line(step) - here for step in steps]
    behind = [here - line(-step) for step in steps]
    if not all(map(math.isfinite, [here, *ahead, *behind])):
        return None
    if _jumps(here, ahead, behind) or _jumps(here, behind, ahead):
        return Break("jump", -math.inf, math.inf, 0.0)
    noise = TRUST * differences.noise(abs(here), slope)
    right = [rise / step for rise, step in zip(ahead, steps, strict=True)]
    left = [rise / step for rise, step in zip(behind, steps, strict=True)]
    gaps = [abs(one - other) for one, other in zip(right, left, strict=True)]
    growing = all(narrow > GROWING * wide for narrow, wide in pairwise(gaps))
    if growing and all(gap > noise / step for gap, step in zip(gaps, steps, strict=True)):
        return Break("cusp", -math.inf, math.inf, 0.0)
    spread = max(right) - min(right) + max(left) - min(left)
    if gaps[0] <= DISTINCT * spread + noise / steps[0]:
        return None
    # The widest steps have the least noise.
    low, high = sorted((left[-1], right[-1]))
    return Break("kink", low, high, spread + noise / steps[-1])


def _jumps(here: float, rises: list[float], others: list[float]) -> bool:
    """Whether the values on one side are a step away from the one at 0, however near they are."""
    if not _steady(rises) or min(map(abs, rises)) <= LEAST_JUMP * max(abs(here), abs(here + rises[0])):
        return False
    # A function that rises to a kink and is flat beyond it has gone less far there than on the other side.
    return _steady(others) or min(map(abs, rises)) > max(map(abs, others))


def _steady(rises: list[float]) -> bool:
    return max(rises) - min(rises) < STEADY * max(map(abs, rises))
