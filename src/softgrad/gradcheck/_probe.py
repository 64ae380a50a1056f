"""Which components and directions are compared, and with what."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from softgrad.gradcheck._arrays import Float64Array, grid_of
from softgrad.gradcheck._breaks import WIDER_SCALES, find_break
from softgrad.gradcheck._complex_step import complex_slope
from softgrad.gradcheck._lines import TRUST, Differences, Slope
from softgrad.gradcheck._report import DIFFERENCES_TOLERANCE, ROUNDINGS, ROUNDINGS_OF_LARGEST, Comparison, Method
from softgrad.gradcheck._subject import Subject

# Up to this many components each is differenced by itself, which names the culprit at once.
SMALL = 1000
DIRECTIONS = 12
# Pairs of neighbours of x at which the gradient is evaluated again, up to so many last bits of each element away:
# nearer by, some roundings stay as they are.
NEIGHBOURS = 6
LAST_BITS = 16
# No further than this, relative to x, where the last bits are wide.
NEAR = 2.0**-8


def comparisons_of(subject: Subject) -> tuple[list[Comparison], Method]:
    """The gradient against the differences; against complex steps where those prove to be derivatives."""
    probe = _Probe(subject)
    pairs = list(probe.comparisons())
    compared = [comparison for comparison, _ in pairs]
    scale = max(comparison.scale for comparison in compared)
    if all(slope is not None and _confirmed(comparison, slope, scale) for comparison, slope in pairs):
        exact = [replace(c, numeric=s.value, error_estimate=s.estimate) for c, s in pairs if s is not None]
        return exact, "complex step"
    return compared, "central differences"


def _confirmed(comparison: Comparison, slope: Slope, scale: float) -> bool:
    """Whether real differences that are exact enough to tell agree with the complex step."""
    close = abs(slope.value - comparison.numeric) <= TRUST * (comparison.error_estimate + slope.estimate)
    return comparison.broken is None and not comparison.vague(scale) and close


Pair = tuple[Comparison, Slope | None]


class _Probe:
    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.shape = subject.x.shape
        self.x = subject.x.astype(np.float64)
        self.grid = grid_of(subject.x.dtype)
        self.gradient = subject.gradient(subject.x).reshape(-1)
        self.scatters = self._scatters()
        finite = np.abs(self.gradient[np.isfinite(self.gradient)])
        self.size = float(finite.max(initial=0.0))
        self.differences = Differences(subject.evaluate, self.x, self.size)
        self.takes_complex = True

    def _scatters(self) -> list[Float64Array]:
        """How rounding moves the gradient.

        The second difference of the gradient between neighbours of x that lie opposite of each other: what the gradient
        itself does over the last bits cancels, what the roundings do stays.
        """
        rng = np.random.default_rng(0)
        bits = self.grid.last_bits(self.x)
        most = int(np.clip(NEAR / self.grid.eps, 1, LAST_BITS))
        scatters = []
        for _ in range(NEIGHBOURS):
            step = bits * rng.integers(1, most, self.shape, endpoint=True) * rng.choice([-1.0, 1.0], self.shape)
            with np.errstate(all="ignore"):
                ahead, behind = (
                    self.subject.gradient((self.x + sign * step).astype(self.subject.x.dtype)).reshape(-1)
                    for sign in (1.0, -1.0)
                )
                scatters.append(np.nan_to_num(0.5 * (ahead + behind) - self.gradient, posinf=0.0, neginf=0.0))
        return scatters

    def comparisons(self) -> Iterator[Pair]:
        if not np.isfinite(self.gradient).all():
            yield self._unit(int(np.argmin(np.isfinite(self.gradient))))
        elif self.gradient.size <= SMALL:
            yield from (self._unit(index) for index in range(self.gradient.size))
        else:
            yield from self._along_directions()

    def _along_directions(self) -> Iterator[Pair]:
        named_kink = False
        for direction in _directions(self.gradient.size):
            pair = self._compare(direction)
            if pair[0].wrong:
                culprit = self._unit(self._culprit(direction, lambda c: c.error))
                yield culprit
                # Kinks of several components add up to slopes that are those of neither side.
                if culprit[0].wrong or culprit[0].broken is None:
                    yield pair
                return
            yield pair
            if pair[0].broken is not None and not named_kink:
                named_kink = True
                yield self._unit(self._culprit(direction, lambda c: 0.0 if c.broken is None else c.broken.size))

    def _unit(self, index: int) -> Pair:
        direction = np.zeros(self.gradient.size)
        direction[index] = 1.0
        return self._compare(direction, tuple(int(i) for i in np.unravel_index(index, self.shape)))

    def _compare(self, direction: Float64Array, index: tuple[int, ...] | None = None) -> Pair:
        # Products of zeros with an infinite component would make every other direction NaN.
        chosen = direction != 0.0
        terms = self.gradient[chosen] * direction[chosen]
        shaped = direction.reshape(self.shape)
        line = self.differences.line(shaped)
        slope = self.differences.slope(line)
        broken = find_break(self.differences, line, slope.value)
        for scale in WIDER_SCALES:
            # Where no ladder of steps gave a slope, a kink may be why.
            if broken is None and not slope.estimate <= DIFFERENCES_TOLERANCE * max(self.size, abs(slope.value)):
                broken = find_break(self.differences, line, slope.value, scale)
        comparison = Comparison(
            index,
            math.fsum(terms),
            slope.value,
            slope.estimate,
            scatter=max(abs(math.fsum(moved[chosen] * direction[chosen])) for moved in self.scatters),
            least_rounding=self._least_rounding(terms),
            broken=broken,
            eps=self.grid.eps,
        )
        exact = complex_slope(self.subject.value, self.x, shaped) if self.takes_complex else None
        self.takes_complex = exact is not None
        return comparison, exact

    def _least_rounding(self, terms: Float64Array) -> float:
        """What rounding does to a sum of components in any case."""
        units = ROUNDINGS * math.fsum(abs(terms))
        if terms.size == 1:
            # As in p - 1: the rounding is that of 1. Among many components of a direction the largest is one.
            units += ROUNDINGS_OF_LARGEST * self.size
        return self.grid.eps * units + self.grid.smallest * terms.size

    def _culprit(self, direction: Float64Array, disagreement: Callable[[Comparison], float]) -> int:
        """Halve the support of a direction, keeping the half that disagrees more."""
        support = np.arange(direction.size)
        while support.size > 1:
            halves = np.array_split(support, 2)
            parts = [np.where(np.isin(np.arange(direction.size), half), direction, 0.0) for half in halves]
            errors = [disagreement(self._compare(part)[0]) for part in parts]
            support = halves[int(np.argmax(errors))]
        return int(support[0])


def _directions(size: int) -> Iterator[Float64Array]:
    """Balanced random signs, then ones.

    Signs, since no component hides from them; balanced, since the gradient through a softmax vanishes along
    the ones, where every error but a constant one would drown.
    """
    generator = np.random.default_rng(0)
    signs = np.ones(size)
    signs[: size // 2] = -1.0
    for _ in range(DIRECTIONS):
        yield generator.permutation(signs)
    yield np.ones(size)
