"""What a check found: the comparisons, the verdict over all of them, and how they are shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from softgrad.gradcheck._breaks import Break
from softgrad.gradcheck._lines import TRUST

Verdict = Literal["pass", "fail", "inconclusive"]
Method = Literal["central differences", "complex step"]

# In units of the dtype's eps: what rounding may do to a component whose terms do not cancel.
ROUNDINGS = 8.0
# In units of eps, relative to the largest component: what rounding may do to one that two others cancel in.
ROUNDINGS_OF_LARGEST = 2.0
# Where terms cancel, rounding shows as scatter when x moves by its last bits; the scatter seen can be low by luck.
SCATTER_TRUST = 4.0
# In units of eps: more scatter than this, relative to the largest component, hides errors that should be seen.
MOST_SCATTER = 64.0
DIFFERENCES_TOLERANCE = 1e-7
MOST_ROWS = 10


@dataclass(frozen=True)
class Comparison:
    """One component, or the derivative along one direction, from the gradient and from differences.

    Attributes
    ----------
    index : tuple of int or None
        The component; None for a direction through the whole array.
    analytic, numeric : float
        The two values.
    error_estimate : float
        The estimated error of `numeric`.
    scatter : float
        How far `analytic` is seen to move by roundings.
    least_rounding : float
        What roundings may do to `analytic` in any case, by its dtype.
    broken : Break or None
        The kink, cusp or jump of the function there.
    eps : float
        Of the dtype of the gradient.
    """

    index: tuple[int, ...] | None
    analytic: float
    numeric: float
    error_estimate: float
    scatter: float
    least_rounding: float
    broken: Break | None
    eps: float

    @property
    def scale(self) -> float:
        """The size of the values, NaN and inf left aside."""
        return max((abs(value) for value in (self.analytic, self.numeric) if math.isfinite(value)), default=0.0)

    @property
    def tolerance(self) -> float:
        """What can be asked of the gradient, relative to its components."""
        return max(DIFFERENCES_TOLERANCE, ROUNDINGS * self.eps)

    @property
    def _doubt(self) -> float:
        return TRUST * self.error_estimate + SCATTER_TRUST * self.scatter + self.least_rounding

    @property
    def error(self) -> float:
        """The disagreement; beside a kink, by how much `analytic` lies outside of the two slopes."""
        if self.broken is not None:
            return self.broken.excess(self.analytic) if math.isfinite(self.analytic) else math.inf
        if not math.isfinite(self.numeric):
            return 0.0
        return abs(self.analytic - self.numeric) if math.isfinite(self.analytic) else math.inf

    @property
    def wrong(self) -> bool:
        """Whether the values differ beyond what differences and rounding may account for."""
        if math.isinf(self.error):
            return True
        doubt = self._doubt if self.broken is None else 0.0
        return self.error > max(doubt, self.tolerance * self.scale)

    @property
    def relative_error(self) -> float:
        """The disagreement, relative to the value or, where it may be an error of the difference or a rounding, to the
        smallest value that could be told from it.
        """
        if self.error in (0.0, math.inf):
            return self.error
        return self.error / (self.scale if self.wrong else max(self.scale, self._doubt / self.tolerance))

    def vague(self, scale: float) -> bool:
        """Whether an error of the size of the tolerance at that scale would go unseen."""
        return not self.error_estimate <= self.tolerance * scale

    def scattered(self, scale: float) -> bool:
        """Whether rounding in the gradient would hide such an error."""
        return SCATTER_TRUST * self.scatter > max(DIFFERENCES_TOLERANCE, MOST_SCATTER * self.eps) * scale

    @property
    def place(self) -> str:
        return "along a direction" if self.index is None else f"at index {list(self.index)}"


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` found.

    Attributes
    ----------
    verdict : {"pass", "fail", "inconclusive"}
        "inconclusive": nothing is wrong beyond doubt, but the check cannot vouch for the gradient either, since the
        differences are too noisy, the gradient too close to zero, or the function has no derivative there.
    reason : str
        Why it is no "pass"; empty for one.
    method : {"central differences", "complex step"}
        Where `numeric` comes from.
    dtype : str
        The dtype the gradient was checked in.
    kink : tuple of int or None
        The component along which the function has a kink, a cusp or a jump.
    comparisons : tuple of Comparison
        The worst components or directions, at most 10, the worst first. Each has an ``index`` (None: a direction
        through the whole array), ``analytic``, ``numeric``, ``error_estimate`` and ``relative_error``.
    wrote_into : tuple of str
        The arguments that the function or its gradient wrote into ("argument 0 of the function"), by position or
        keyword. It was given copies, so the verdict does not depend on this.
    """

    verdict: Verdict
    reason: str
    method: Method
    dtype: str
    kink: tuple[int, ...] | None
    comparisons: tuple[Comparison, ...]
    wrote_into: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict == "pass"

    @property
    def worst_error(self) -> float:
        """The largest disagreement, relative to the component or, where it may be an error of the difference or a
        rounding, to the smallest component that could be told from it. NaN and inf in the gradient count as inf.
        """
        return self.comparisons[0].relative_error

    @property
    def worst_index(self) -> tuple[int, ...] | None:
        """The component it belongs to. None if it belongs to a direction through the whole array, which happens
        only for large arrays without a wrong component.
        """
        return self.comparisons[0].index

    @property
    def analytic(self) -> float:
        """The gradient's value there."""
        return self.comparisons[0].analytic

    @property
    def numeric(self) -> float:
        """The value by differences there; beside a kink, the mean of the two one-sided slopes."""
        return self.comparisons[0].numeric

    @property
    def error_estimate(self) -> float:
        """The estimated error of `numeric`."""
        return self.comparisons[0].error_estimate

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return (
            f"{self.verdict}{why}: worst relative error {self.worst_error:.1e} {self.comparisons[0].place}, analytic "
            f"{self.analytic!r}, numeric {self.numeric!r} (estimated error {self.error_estimate:.1e}, {self.method}, "
            f"{self.dtype}){self._writes('; ')}"
        )

    def table(self) -> str:
        """The worst components as lines of text, between a line with the verdict and one with what was written into."""
        head = ("index", "analytic", "numeric", "relative error", "estimated error")
        rows = [
            (
                "direction" if row.index is None else str(list(row.index)),
                f"{row.analytic:.9g}",
                f"{row.numeric:.9g}",
                f"{row.relative_error:.1e}",
                f"{row.error_estimate:.1e}",
            )
            for row in self.comparisons
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
        why = f": {self.reason}" if self.reason else ""
        return "\n".join([f"{self.verdict}{why} ({self.method}, {self.dtype})", *lines]) + self._writes("\n")

    def _writes(self, separator: str) -> str:
        return f"{separator}wrote into {', '.join(self.wrote_into)}" if self.wrote_into else ""


def report_of(
    comparisons: list[Comparison],
    method: Method,
    dtype: np.dtype[Any],
    wrong_dtype: str | None,
    wrote_into: tuple[str, ...],
) -> GradientReport:
    """The verdict over all comparisons of one check."""
    # A wrong component says more than the direction that led to it.
    rows = sorted(comparisons, key=lambda row: (row.wrong, row.wrong and row.index is not None, row.relative_error))
    rows.reverse()
    verdict, reason, first = _judge(rows)
    if wrong_dtype is not None:
        verdict, reason = "fail", wrong_dtype
    rows.insert(0, rows.pop(rows.index(first)))
    kink = next((row.index for row in rows if row.broken is not None and row.index is not None), None)
    return GradientReport(verdict, reason, method, dtype.name, kink, tuple(rows[:MOST_ROWS]), wrote_into)


def _judge(rows: list[Comparison]) -> tuple[Verdict, str, Comparison]:
    """The verdict, its reason, and the comparison that decided it."""
    worst = rows[0]
    if worst.wrong:
        if not math.isfinite(worst.analytic):
            return "fail", f"the gradient is {worst.analytic} {worst.place}", worst
        if worst.broken is not None:
            low, high = worst.broken.low, worst.broken.high
            return "fail", f"outside of the slopes {low:.6g} and {high:.6g} beside the kink {worst.place}", worst
        return "fail", f"the gradient is wrong {worst.place}", worst
    broken = [row for row in rows if row.broken is not None]
    for row in sorted(broken, key=lambda row: row.index is None):
        assert row.broken is not None
        if row.broken.kind != "kink":
            return "inconclusive", f"the function has a {row.broken.kind} near x {row.place}", row
        slopes = f"from {row.broken.low:.6g} to {row.broken.high:.6g}"
        return "inconclusive", f"the function has a kink near x {row.place}, its slope goes {slopes}", row
    scale = max(row.scale for row in rows)
    if scale == 0.0 and all(math.isfinite(row.numeric) for row in rows):
        # No value moved by a single bit, and the gradient says so too: that is agreement.
        return "pass", "", worst
    for row in rows:
        if not math.isfinite(row.numeric):
            return "inconclusive", f"the function is not finite near x {row.place}", row
    row = max(rows, key=lambda row: row.error_estimate)
    if row.vague(scale):
        noise = f"an estimated error of {row.error_estimate:.1e} against a gradient of {scale:.1e}"
        return "inconclusive", f"the differences cannot tell {row.place}: {noise}", row
    row = max(rows, key=lambda row: row.scatter)
    if row.scattered(scale):
        noise = f"moves by {row.scatter:.1e} where x moves by its last bits, against a gradient of {scale:.1e}"
        return "inconclusive", f"the gradient is too rough {row.place}: it {noise}", row
    return "pass", "", worst
