"""The derivative of a function along a line, from differences, with an estimate of its error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from softgrad.gradcheck._arrays import Float64Array

Line = Callable[[float], float]

EPS = 2.0**-52
# A disagreement within this many error estimates may be the difference's own: the estimate can be low by luck.
TRUST = 100.0
LEVELS = 8
# Each start is halved LEVELS - 1 times, so that the ladders overlap: steps from 2**-2 down to 2**-27. Powers of
# two, because x + step is then exact unless it crosses a power of two itself.
STARTS = (2.0**-2, 2.0**-8, 2.0**-14, 2.0**-20)
FINEST = 2.0**-27
# With an error estimate of this size, relative to the gradient, no other ladder is tried: more than ten times less is
# beyond central differences.
GOOD_ENOUGH = 1e-10


@dataclass(frozen=True)
class Slope:
    """A derivative by differences and its estimated error."""

    value: float
    estimate: float


class Differences:
    """Central differences of one function near one point, Richardson-extrapolated over ladders of steps.

    Parameters
    ----------
    evaluate : callable
        The function of an array like `x`, in float64.
    x : ndarray
    size : float
        The largest component of the gradient: an error far below it need not be resolved.
    """

    def __init__(self, evaluate: Callable[[Float64Array], float], x: Float64Array, size: float) -> None:
        self.evaluate = evaluate
        self.x = x
        self.here = evaluate(x)
        self._magnitude = float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0))
        self._starts = _starts(self._magnitude)
        self._grain = _grain(evaluate, x, self.here)
        self._enough = GOOD_ENOUGH * size

    def line(self, direction: Float64Array) -> Line:
        """The function on the line through x, by the step along `direction`; overlapping ladders share its values."""
        return cache(lambda step: self.evaluate(self.x + step * direction))

    def noise(self, size: float, slope: float) -> float:
        """How far values of that size may be off: they are rounded, and so are sums in the function that hold x."""
        slope = slope if math.isfinite(slope) else 0.0
        return self._grain + EPS * (size + self._magnitude * abs(slope))

    def slope(self, line: Line) -> Slope:
        """The derivative of `line` at 0."""
        best, used = Slope(math.nan, math.inf), self._starts[0]
        for start in self._starts:
            found = self._extrapolate(line, [start / 2**level for level in range(LEVELS)])
            if found.estimate < best.estimate:
                best, used = found, start
            if found.estimate <= max(self._enough, GOOD_ENOUGH * abs(found.value)):
                break
        # What served one component well is tried first for the next.
        self._starts.remove(used)
        self._starts.insert(0, used)
        return best

    def _extrapolate(self, line: Line, steps: list[float]) -> Slope:
        """Ridders' tableau: the entry that agrees best with its neighbours, and its estimated error."""
        pairs = [(line(step), line(-step)) for step in steps]
        slopes = [(ahead - behind) / (2.0 * step) for step, (ahead, behind) in zip(steps, pairs, strict=True)]
        size = max((abs(value) for pair in pairs for value in pair if math.isfinite(value)), default=0.0)
        best, error, level = math.nan, math.inf, 0
        for row, entries in enumerate(tableau(slopes)):
            for column in range(1, row + 1):
                entry = entries[column].value
                doubt = entries[column].spread + self.noise(size, entry) / steps[row]
                if doubt < error:
                    best, error, level = entry, doubt, row
        # At the finest steps truncation is gone: what is left of the scatter is the noise of the function.
        scatter = max(abs(slope - best) * step for slope, step in list(zip(slopes, steps, strict=True))[-3:])
        error += scatter / steps[level]
        # Far from x a loss is piecewise linear, and wide steps agree with each other on the wrong slope.
        close = (line(FINEST) - line(-FINEST)) / (2.0 * FINEST)
        if abs(close - best) > TRUST * self.noise(size, best) / FINEST:
            error = max(error, abs(close - best))
        return Slope(best, error)


@dataclass(frozen=True)
class Entry:
    """An extrapolated slope, and how far it is from the two that it was made of."""

    value: float
    spread: float


def tableau(slopes: list[float]) -> list[list[Entry]]:
    """Richardson's extrapolation of central differences over halved steps: row i from the first i + 1 of them."""
    rows = [[Entry(slopes[0], math.inf)]]
    for slope in slopes[1:]:
        entries = [Entry(slope, math.inf)]
        for column, above in enumerate(rows[-1], start=1):
            left = entries[-1].value
            value = left + (left - above.value) / (4.0**column - 1.0)
            entries.append(Entry(value, max(abs(value - left), abs(value - above.value))))
        rows.append(entries)
    return rows


def _starts(magnitude: float) -> list[float]:
    """The ladders to try: in absolute steps, and in steps of the array's own size where that is far from 1."""
    scales = [1.0] if magnitude == 0.0 or 2.0**-6 < magnitude < 2.0**6 else [1.0, 2.0 ** round(math.log2(magnitude))]
    return [start * scale for start in STARTS for scale in scales]


def _grain(evaluate: Callable[[Float64Array], float], x: Float64Array, here: float) -> float:
    """The smallest change seen in the function's value as x is approached.

    Usually its last bit. Where the function computes in float32 or rounds, it is far more, and steps below
    that would find a slope of exactly zero.
    """
    direction = np.random.default_rng(0).standard_normal(x.shape)
    changes = (abs(evaluate(x + 4.0**-level * direction) - here) for level in range(1, 27))
    return min((change for change in changes if 0.0 < change < math.inf), default=0.0)
