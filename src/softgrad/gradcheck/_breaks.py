"""Places where a function has no derivative: kinks, where the two one-sided slopes differ, and jumps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from softgrad.gradcheck._lines import FINEST, TRUST, Differences, Line

# At x itself, and, where no ladder of steps gave a slope, near it.
SCALE = FINEST
WIDER_SCALES = (2.0**-17, 2.0**-10)
DOUBLINGS = 4
# Of a smooth function the one-sided slopes differ by a seventh of what they change over the steps; of noise, by less
# than what they change.
DISTINCT = 4.0
# Of a smooth function a rise halves with the step, so that rises differ by most of their size.
STEADY = 0.05


@dataclass(frozen=True)
class Break:
    """A kink or a jump on a line: the slopes on both sides of it, and how far off they may be.

    The slopes beside a jump are unknown, and so are infinite: any derivative lies between them.
    """

    kind: Literal["kink", "jump"]
    low: float
    high: float
    slack: float

    @property
    def size(self) -> float:
        """The difference between the two slopes."""
        return self.high - self.low

    def excess(self, slope: float) -> float:
        """By how much a slope lies outside of those on the two sides."""
        return max(self.low - slope, slope - self.high, self.slack) - self.slack


def find_break(differences: Differences, line: Line, slope: float, scale: float = SCALE) -> Break | None:
    """The kink or jump of `line` within a few times `scale` of 0, if it shows above the noise."""
    steps = [scale * 2.0**doubling for doubling in range(DOUBLINGS)]
    here = differences.here
    ahead = [line(step) - here for step in steps]
    behind = [here - line(-step) for step in steps]
    if not all(map(math.isfinite, [here, *ahead, *behind])):
        return None
    noise = TRUST * differences.noise(abs(here), slope)
    for rises in (ahead, behind):
        least, most = min(map(abs, rises)), max(map(abs, rises))
        if least > noise and most - least < STEADY * most:
            return Break("jump", -math.inf, math.inf, 0.0)
    right = [rise / step for rise, step in zip(ahead, steps, strict=True)]
    left = [rise / step for rise, step in zip(behind, steps, strict=True)]
    spread = max(right) - min(right) + max(left) - min(left)
    if abs(right[0] - left[0]) <= DISTINCT * spread + noise / steps[0]:
        return None
    # The widest steps have the least noise.
    low, high = sorted((left[-1], right[-1]))
    return Break("kink", low, high, spread + noise / steps[-1])
