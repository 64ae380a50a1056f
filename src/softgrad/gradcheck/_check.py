"""Checks a gradient against finite differences, and says when the differences cannot tell.

The differences are central and Richardson-extrapolated over a ladder of halved steps (Ridders' tableau), so
each comes with an estimate of its own error. A disagreement is measured against the size of the component
and against that estimate, never against a bare absolute number: a gradient of zeros cannot pass because its
components are small, and a correct one cannot fail because the differences are coarse.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["GradientReport", "check_gradient"]

RELATIVE_TOLERANCE = 1e-7
# A disagreement within this many error estimates may be the difference's own: the estimate can be low by luck.
TRUST = 100.0
# Up to this many components each is differenced by itself, which names the culprit at once.
SMALL = 1000
DIRECTIONS = 12
LEVELS = 8
# Each start is halved LEVELS - 1 times, so that the ladders overlap: steps from 2**-2 down to 2**-27. Powers of
# two, because x + step is then exact unless it crosses a power of two itself.
STARTS = (2.0**-2, 2.0**-8, 2.0**-14, 2.0**-20)
FINEST = 2.0**-27
EPS = 2.0**-52
# An error estimate of this size, relative to the gradient, is as good as central differences get.
GOOD_ENOUGH = 1e-11

Float64Array = npt.NDArray[np.float64]
Line = Callable[[float], float]


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradient` found.

    Attributes
    ----------
    verdict : {"pass", "fail", "inconclusive"}
        "inconclusive": no component is wrong beyond doubt, but the differences are too noisy (or the gradient
        too close to zero) to vouch for a relative error of 1e-7 at the scale of the gradient.
    worst_error : float
        The largest disagreement, relative to the component or, where it may be the difference's own error, to
        the smallest component that the difference can resolve. NaN and inf in the gradient count as inf.
    worst_index : tuple of int or None
        The component it belongs to. None if it belongs to a direction through the whole array, which happens
        only for large arrays without a wrong component.
    analytic, numeric : float
        The two values that were compared there.
    error_estimate : float
        The estimated error of `numeric`.
    """

    verdict: Literal["pass", "fail", "inconclusive"]
    worst_error: float
    worst_index: tuple[int, ...] | None
    analytic: float
    numeric: float
    error_estimate: float

    @property
    def passed(self) -> bool:
        """Whether the verdict is "pass"."""
        return self.verdict == "pass"

    def __str__(self) -> str:
        where = "along a direction" if self.worst_index is None else f"at index {list(self.worst_index)}"
        return (
            f"{self.verdict}: worst relative error {self.worst_error:.1e} {where}, analytic {self.analytic!r}, "
            f"numeric {self.numeric!r} (estimated error {self.error_estimate:.1e})"
        )


@dataclass(frozen=True)
class _Comparison:
    """One directional derivative, from the gradient and from differences."""

    index: int | None
    analytic: float
    numeric: float
    estimate: float

    @property
    def scale(self) -> float:
        return float(np.nanmax(np.abs([self.analytic, self.numeric, 0.0])))

    @property
    def relative(self) -> float:
        if not math.isfinite(self.numeric):
            return 0.0
        if not math.isfinite(self.analytic):
            return math.inf
        error = abs(self.analytic - self.numeric)
        if error > TRUST * self.estimate:
            return error / self.scale
        resolved = TRUST / RELATIVE_TOLERANCE * self.estimate
        return error / max(self.scale, resolved) if error > 0.0 else 0.0


def check_gradient(
    function: Any, /, *arrays: Any, grad: Callable[..., Any] | None = None, wrt: int = 0, **options: Any
) -> GradientReport:
    """Compare a gradient with finite differences of its function.

    Everything is evaluated in float64. Up to 1000 components, each is compared by itself; beyond that the
    directional derivatives along 12 random mean-free sign vectors and along the vector of ones are compared,
    and a direction that disagrees is halved until the wrong component is found. The same arguments always
    give the same report.

    Parameters
    ----------
    function : softgrad loss or callable
        A loss of softgrad, or any callable that returns a scalar.
    *arrays : array_like
        The arguments of `function`. Floating ones are converted to float64, others (labels) are passed as
        they are. The argument that is checked must not be empty.
    grad : callable, optional
        Called with the same arguments and options; returns the gradient with respect to argument `wrt`, or a
        named tuple of gradients whose fields are named as the arguments of `function`. Left out, the
        function's own `value_and_grad` or `grad` is checked.
    wrt : int, default 0
        The position of the argument that is differentiated.
    **options
        Passed to `function` and to its gradient.

    Returns
    -------
    GradientReport

    Raises
    ------
    TypeError
        If there is no gradient to check, or an argument or a result has no real floating value.
    ValueError
        If `wrt` names no argument, the argument is empty, the function returns more than one value or the
        gradient has another shape than the argument.

    Notes
    -----
    For a smooth function the differences are good to about 1e-11 of the gradient's scale. A gradient with a
    relative error of 1e-7 at that scale fails, and so does any single component that is off by more than 100
    times the estimated error of its difference and by more than 1e-7 of itself.

    Examples
    --------
    >>> import numpy as np
    >>> from softgrad.gradcheck import check_gradient
    >>> x = np.array([0.5, -1.0, 2.0])
    >>> check_gradient(lambda x: np.sum(x**3), x, grad=lambda x: 3 * x**2).passed
    True
    >>> report = check_gradient(lambda x: np.sum(x**3), x, grad=lambda x: 3 * x * abs(x))
    >>> report.verdict, report.worst_index, report.analytic
    ('fail', (1,), -3.0)
    """
    if not 0 <= wrt < len(arrays):
        raise ValueError(f"wrt is {wrt}; there are {len(arrays)} arguments (0 to {len(arrays) - 1})")
    arguments = [_as_float64(array) for array in arrays]
    x = np.array(_real(arguments[wrt], f"argument {wrt}"), order="C")
    if x.size == 0:
        raise ValueError(f"argument {wrt} has shape {x.shape}: there is nothing to check")
    arguments[wrt] = x

    result = _gradient_function(function, grad)(*arguments, **options)
    gradient = _real(_component_of(result, function, wrt), "the gradient")
    if gradient.shape != x.shape:
        raise ValueError(f"the gradient has shape {gradient.shape}; argument {wrt} has shape {x.shape}")

    def evaluate(point: Float64Array) -> float:
        # The ladder reaches out on its own account; leaving the function's domain is no news to the caller.
        with np.errstate(all="ignore"):
            value = function(*arguments[:wrt], point, *arguments[wrt + 1 :], **options)
        return _scalar(value)

    _scalar(function(*arguments, **options))
    comparisons = list(_comparisons(evaluate, x, gradient))
    return _report(comparisons, x.shape)


def _as_float64(array: Any) -> Any:
    array = np.asarray(array)
    # Kind "V" is how NumPy sees the bfloat16 of ml_dtypes.
    return array.astype(np.float64) if array.dtype.kind in "fV" else array


def _real(values: Any, name: str) -> Float64Array:
    array = np.asarray(values)
    if array.dtype.kind not in "fiuV":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are needed")
    return array.astype(np.float64)


def _scalar(value: Any) -> float:
    value = np.asarray(value)
    if value.size != 1 or value.dtype.kind not in "fiuV":
        raise ValueError(f"the function returned {value.dtype} of shape {value.shape}; one real value is needed")
    return float(value.reshape(()))


def _gradient_function(function: Any, grad: Callable[..., Any] | None) -> Callable[..., Any]:
    if grad is not None:
        return grad
    if hasattr(function, "value_and_grad"):
        return lambda *arguments, **options: function.value_and_grad(*arguments, **options)[1]
    if hasattr(function, "grad"):
        own: Callable[..., Any] = function.grad
        return own
    raise TypeError(f"{function!r} has no value_and_grad and no grad; give the gradient as grad=")


def _component_of(result: Any, function: Any, wrt: int) -> Any:
    if not hasattr(result, "_fields"):
        return result
    name = list(inspect.signature(function).parameters)[wrt]
    if name not in result._fields:
        raise ValueError(f"argument {wrt} ({name}) has no gradient; those with one are {', '.join(result._fields)}")
    return getattr(result, name)


def _comparisons(
    evaluate: Callable[[Float64Array], float], x: Float64Array, gradient: Float64Array
) -> Iterator[_Comparison]:
    magnitude = float(np.max(np.abs(x), where=np.isfinite(x), initial=0.0))
    starts = _starts(magnitude)
    grain = _grain(evaluate, x)
    flat = gradient.reshape(-1)
    finite = np.abs(flat[np.isfinite(flat)])
    enough = GOOD_ENOUGH * float(finite.max(initial=0.0))

    def compare(direction: Float64Array, index: int | None = None) -> _Comparison:
        shaped = direction.reshape(x.shape)
        numeric, estimate, used = _slope(lambda step: evaluate(x + step * shaped), starts, grain, magnitude, enough)
        # What served one component well is tried first for the next.
        starts.remove(used)
        starts.insert(0, used)
        # Products of zeros with an infinite component would make every other direction NaN.
        chosen = direction != 0.0
        return _Comparison(index, math.fsum(flat[chosen] * direction[chosen]), numeric, estimate)

    def unit(index: int) -> _Comparison:
        direction = np.zeros(x.size)
        direction[index] = 1.0
        return compare(direction, index)

    if finite.size < flat.size:
        yield unit(int(np.argmin(np.isfinite(flat))))
    elif x.size <= SMALL:
        yield from (unit(index) for index in range(x.size))
    else:
        for direction in _directions(x.size):
            comparison = compare(direction)
            yield comparison
            if comparison.relative > RELATIVE_TOLERANCE:
                yield unit(_culprit(direction, compare))
                return


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


def _culprit(direction: Float64Array, compare: Callable[[Float64Array], _Comparison]) -> int:
    """Halve the support of a direction that disagrees, keeping the half that disagrees more."""
    support = np.arange(direction.size)
    while support.size > 1:
        halves = np.array_split(support, 2)
        errors = []
        for half in halves:
            part = np.zeros(direction.size)
            part[half] = direction[half]
            comparison = compare(part)
            errors.append(abs(comparison.analytic - comparison.numeric))
        support = halves[int(np.argmax(errors))]
    return int(support[0])


def _starts(magnitude: float) -> list[float]:
    """The ladders to try: in absolute steps, and in steps of the array's own size where that is far from 1."""
    scales = [1.0] if magnitude == 0.0 or 2.0**-6 < magnitude < 2.0**6 else [1.0, 2.0 ** round(math.log2(magnitude))]
    return [start * scale for start in STARTS for scale in scales]


def _grain(evaluate: Callable[[Float64Array], float], x: Float64Array) -> float:
    """The smallest change seen in the function's value as x is approached.

    Usually its last bit. Where the function computes in float32 or rounds, it is far more, and steps below
    that would find a slope of exactly zero.
    """
    direction = np.random.default_rng(0).standard_normal(x.shape)
    here = evaluate(x)
    changes = (abs(evaluate(x + 4.0**-level * direction) - here) for level in range(1, 27))
    return min((change for change in changes if 0.0 < change < math.inf), default=0.0)


def _slope(
    line: Line, starts: list[float], grain: float, magnitude: float, enough: float
) -> tuple[float, float, float]:
    """The derivative of `line` at 0, its estimated error, and the start of the ladder it came from."""
    best = (math.nan, math.inf, starts[0])
    for start in starts:
        slope, estimate = _extrapolate(line, [start / 2**level for level in range(LEVELS)], grain, magnitude)
        if estimate < best[1]:
            best = (slope, estimate, start)
        if estimate <= max(enough, GOOD_ENOUGH * abs(slope)):
            break
    return best


def _extrapolate(line: Line, steps: list[float], grain: float, magnitude: float) -> tuple[float, float]:
    """Ridders' tableau: the entry that agrees best with its neighbours, and its estimated error."""
    pairs = [(line(step), line(-step)) for step in steps]
    slopes = [(ahead - behind) / (2.0 * step) for step, (ahead, behind) in zip(steps, pairs, strict=True)]
    size = max((abs(value) for pair in pairs for value in pair if math.isfinite(value)), default=0.0)
    best, error, level = math.nan, math.inf, 0
    above = slopes[:1]
    for row in range(1, len(steps)):
        entries = [slopes[row]]
        for column in range(1, row + 1):
            entry = entries[-1] + (entries[-1] - above[column - 1]) / (4.0**column - 1.0)
            spread = max(abs(entry - entries[-1]), abs(entry - above[column - 1]))
            entries.append(entry)
            # The values are rounded, and so are the sums inside the function that contain x.
            doubt = spread + (grain + EPS * (size + magnitude * abs(entry))) / steps[row]
            if doubt < error:
                best, error, level = entry, doubt, row
        above = entries
    # At the finest steps truncation is gone: what is left of the scatter is the noise of the function.
    noise = max(abs(slope - best) * step for slope, step in list(zip(slopes, steps, strict=True))[-3:])
    error += noise / steps[level]
    # Far from x a loss is piecewise linear, and wide steps agree with each other on the wrong slope.
    close = (line(FINEST) - line(-FINEST)) / (2.0 * FINEST)
    if abs(close - best) > TRUST * (grain + EPS * (size + magnitude * abs(best))) / FINEST:
        error = max(error, abs(close - best))
    return best, error


def _report(comparisons: list[_Comparison], shape: tuple[int, ...]) -> GradientReport:
    worst = max(comparisons, key=lambda comparison: comparison.relative)
    if worst.relative > RELATIVE_TOLERANCE:
        named = [c for c in comparisons if c.index is not None and c.relative > RELATIVE_TOLERANCE]
        worst = max(named, key=lambda comparison: comparison.relative, default=worst)
        verdict: Literal["pass", "fail", "inconclusive"] = "fail"
    else:
        scale = max(comparison.scale for comparison in comparisons)
        vague = [c for c in comparisons if not c.estimate <= RELATIVE_TOLERANCE * scale]
        # No value moved by a single bit, and the gradient says so too: that is agreement.
        verdict = "inconclusive" if vague and scale > 0.0 else "pass"
    index = None if worst.index is None else tuple(int(i) for i in np.unravel_index(worst.index, shape))
    return GradientReport(verdict, worst.relative, index, worst.analytic, worst.numeric, worst.estimate)
