"""The named rows: what each function gives at the borders of its domain, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

INF = np.inf
NAN = np.nan


class EdgeCase(NamedTuple):
    """One row and what belongs to it. Results are long doubles: exact, or exact enough for any dtype."""

    name: str
    x: Sequence[float]
    label: int
    softmax: Sequence[float]
    log_softmax: Sequence[float]
    logsumexp: float
    loss: float
    gradient: Sequence[float]
    where: Sequence[bool] | None = None

    def row(self, dtype: np.dtype) -> NDArray:
        return np.array(self.x, dtype=dtype)

    def long(self, field: str) -> NDArray[np.longdouble]:
        return np.asarray(getattr(self, field), dtype=np.longdouble)


def _one_class(value: float) -> EdgeCase:
    return EdgeCase(f"one class, {value:g}", [value], 0, [1.0], [0.0], value, 0.0, [0.0])


def _all_equal(value: float, size: int, label: int) -> EdgeCase:
    share = 1 / np.longdouble(size)
    log_size = np.log(np.longdouble(size))
    gradient = [share - (j == label) for j in range(size)]
    return EdgeCase(
        f"{size} equal to {value:g}",
        [value] * size,
        label,
        [share] * size,
        [-log_size] * size,
        value + log_size,
        log_size,
        gradient,
    )


def _nan_row(name: str, x: Sequence[float], label: int, logsumexp: float) -> EdgeCase:
    nan = [NAN] * len(x)
    return EdgeCase(name, x, label, nan, nan, logsumexp, NAN, nan)


def edge_cases(dtype: np.dtype) -> list[EdgeCase]:
    """The table of edge cases that lies within one row; `dtype` decides what the largest number is."""
    largest = float(np.finfo(dtype).max)
    log_2 = np.log(np.longdouble(2))
    tiny = np.exp(np.longdouble(-40))
    p_tiny = tiny / (1 + tiny)
    log_rest = np.log1p(tiny)
    half = [0.5, 0.0, 0.5]
    log_half = [-log_2, -INF, -log_2]
    excluded = [True, False, True]
    return [
        *(_one_class(value) for value in (0.0, 3.5, -7.25, largest, -largest)),
        *(_all_equal(value, 7, 3) for value in (0.0, 1e8, -1e8, 30.0)),
        _all_equal(largest, 5, 0),
        EdgeCase("-inf beside the target", [1, -INF, 1], 0, half, log_half, 1 + log_2, log_2, [-0.5, 0, 0.5]),
        EdgeCase("-inf at the target", [1, -INF, 1], 1, half, log_half, 1 + log_2, INF, [0.5, -1, 0.5]),
        EdgeCase("only the target finite", [-INF, 2.5, -INF], 1, [0, 1, 0], [-INF, 0, -INF], 2.5, 0.0, [0, 0, 0]),
        _nan_row("all -inf", [-INF, -INF, -INF], 1, -INF),
        _nan_row("one class, -inf", [-INF], 0, -INF),
        _nan_row("one class, +inf", [INF], 0, INF),
        _nan_row("one class, NaN", [NAN], 0, NAN),
        _nan_row("+inf beside the target", [1, INF, 0], 0, INF),
        _nan_row("+inf at the target", [1, INF, 0], 1, INF),
        _nan_row("two +inf", [INF, 1, INF], 1, INF),
        _nan_row("+inf and -inf", [-INF, INF, -INF], 0, INF),
        _nan_row("NaN beside the target", [1, NAN, 2], 0, NAN),
        _nan_row("NaN at the target", [1, 2, NAN], 2, NAN),
        _nan_row("NaN first", [NAN, 1, 2], 1, NAN),
        _nan_row("NaN and +inf", [NAN, INF, 0], 2, NAN),
        _nan_row("+inf and NaN", [INF, NAN, 0], 2, NAN),
        _nan_row("NaN and -inf", [-INF, NAN, -INF], 0, NAN),
        EdgeCase(
            "largest and smallest, target the largest",
            [largest, -largest, 0],
            0,
            [1, 0, 0],
            [0, -INF, -largest],
            largest,
            0.0,
            [0, 0, 0],
        ),
        EdgeCase(
            "largest and smallest, loss overflows",
            [largest, -largest, 0],
            1,
            [1, 0, 0],
            [0, -INF, -largest],
            largest,
            INF,
            [1, -1, 0],
        ),
        EdgeCase(
            "largest and smallest, loss the largest",
            [largest, -largest, 0],
            2,
            [1, 0, 0],
            [0, -INF, -largest],
            largest,
            largest,
            [1, 0, -1],
        ),
        EdgeCase(
            "gap 40, target the maximum",
            [0, 40],
            1,
            [p_tiny, 1 / (1 + tiny)],
            [-40 - log_rest, -log_rest],
            40 + log_rest,
            log_rest,
            [p_tiny, -p_tiny],
        ),
        EdgeCase(
            "gap 40, target the other",
            [0, 40],
            0,
            [p_tiny, 1 / (1 + tiny)],
            [-40 - log_rest, -log_rest],
            40 + log_rest,
            40 + log_rest,
            [p_tiny - 1, 1 / (1 + tiny)],
        ),
        EdgeCase(
            "`where` all False",
            [1, NAN, INF],
            0,
            [0, 0, 0],
            [-INF, -INF, -INF],
            -INF,
            0.0,
            [0, 0, 0],
            where=[False, False, False],
        ),
        *(
            EdgeCase(
                f"{value} where `where` is False",
                [1, value, 1],
                0,
                half,
                log_half,
                1 + log_2,
                log_2,
                [-0.5, 0, 0.5],
                where=excluded,
            )
            for value in (NAN, INF, -INF, 5.0)
        ),
    ]


def edge_cases_without_where(dtype: np.dtype) -> list[EdgeCase]:
    return [case for case in edge_cases(dtype) if case.where is None]
