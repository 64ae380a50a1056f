"""Softmax regression: seconds to a relative gap of 1e-3, 1e-6 and 1e-9

The gap is (objective - optimum) / optimum; the objective is computed apart from all solvers, and the optimum is the
least that any of them reached. The others are scikit-learn's solvers, scikit-learn-intelex's lbfgs, which has no code
of its own for sparse rows, and torch's LBFGS around an `nn.Linear`, as in deep learning. They are given their tolerance
as 0 and as many iterations as they need, which nobody knows beforehand; between two numbers of iterations the time is
interpolated. softgrad is given the gap as `tol`, has to know itself when it is there, and its time counts only if it
is. All in float64, C = 1, two cores, on X as it is, each solver in a process of its own; a fit of a fifth of a second
or less is the fastest of five, or of as many as a fifth of a second holds, and a problem of such fits has three rounds
of all solvers that reach 1e-6 in the first, as the clock of the machine changes within seconds. */ pass* is in units of
the two products with X that one gradient needs. Far from the optimum, above a gap of 1e-2, the number of iterations
doubles from fit to fit, nearer it grows by 1.4. A solver is left when a fit takes 15 times softgrad's to 1e-9 (at most
30 s more than it, or two and a half times softgrad's to 1e-6), or half as long again as another solver needed to 1e-6
(1 s, if that is more), or has no memory left: where it had not reached the gap it is missing in a row, and counts in
the mean as if its longest fit had. The goals: to 1e-6 at least 4 times the speed of the fastest of the others on the
geometric mean of the problems, and at least twice on each with more than 200,000 entries, or 100,000 stored ones; never
slower than any.
`python -m benchmarks._regression_guide` writes figures and curves into the guide.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks._harness import Bench
from benchmarks._regression_problems import Problem, problems
from benchmarks._regression_race import SHORT_SECONDS, Fit, race
from benchmarks._regression_solvers import SOLVERS
from benchmarks._results import Row, Spread

GAPS = (1e-3, 1e-6, 1e-9)
_LIMIT_SECONDS = 600.0
# A solver is left when a fit takes this many times softgrad's longest, or so many seconds more; or this many times what
# another one needed to the goal. This many times what softgrad needed to it is enough to show that the goal is met.
_TIMES, _SECONDS_MORE = 15.0, 30.0
_TIMES_ANOTHER = 1.5
_TIMES_TO_GOAL = 2.5
_LEAST_SECONDS = 1.0
# The processor's clock may be another one when the next solver has its turn.
_ROUNDS = 3
GOAL_GAP = 1e-6
_QUICK = "wine, scaled"
FASTEST = "fastest of the others"
_GOAL_OF_MEAN, _GOAL_OF_LARGE, _GOAL = 4.0, 2.0, 1.0
_LARGE, _LARGE_STORED = 200_000, 100_000
Curves = dict[str, list[Fit]]


def rows(bench: Bench) -> Iterator[Row]:
    limit = 2.0 if bench.quick else _LIMIT_SECONDS
    missed: list[str] = []
    ratios: list[float] = []  # at least: a solver that was left would have taken longer
    for name, draw in problems().items():
        if bench.quick and name != _QUICK:
            continue
        seed = int(bench.rng.integers(1 << 32))
        problem = draw(np.random.default_rng(seed))
        one_pass = _seconds_of_a_pass(problem)
        goal = _goal(problem)
        takers = [solver for solver, how in SOLVERS.items() if how.takes(problem)]
        # Each solver draws its own, and needs the memory.
        del problem
        curves = race_all(name, [solver for solver in takers if SOLVERS[solver].installed], seed, limit)
        for gap in GAPS:
            row = _row(name, gap, curves, one_pass, dict.fromkeys(takers, goal if gap == GOAL_GAP else _GOAL))
            if row is None:
                missed.append(f"{name} to {gap:g}")
                continue
            if gap == GOAL_GAP:
                reached = gaps(curves)
                others = [_least_seconds(gap, curve) for solver, curve in reached.items() if solver != "softgrad"]
                ratios.append(min(others) / row.softgrad.median)
                row = replace(row, curves=reached)
            yield row
    if missed:
        raise RuntimeError(f"softgrad did not reach {', '.join(missed)}")
    mean = float(np.exp(np.mean(np.log(ratios))))
    yield Row(
        f"geometric mean over {len(ratios)} problems to {GOAL_GAP:g}, in units of softgrad's time",
        _single(1.0),
        {"pass": _single(1.0)},
        {FASTEST: _single(mean)},
        at_least={FASTEST: _GOAL_OF_MEAN},
    )


def _goal(problem: Problem) -> float:
    """How many times softgrad's time each of the others is to take; little is won where a fit takes milliseconds."""
    large = problem.X.nnz > _LARGE_STORED if sparse.issparse(problem.X) else problem.X.size > _LARGE
    return _GOAL_OF_LARGE if large else _GOAL


def race_all(name: str, solvers: Sequence[str], seed: int, limit: float) -> Curves:
    """Several rounds of a problem of short fits; of those that were asked the same the fastest counts."""
    curves = _one_round(name, solvers, seed, limit)
    reached = gaps(curves)
    near = [solver for solver in solvers if seconds_to(GOAL_GAP, reached[solver]) is not None]
    if max((fit.seconds for fit in curves["softgrad"]), default=limit) < SHORT_SECONDS:
        for _ in range(_ROUNDS - 1):
            again = _one_round(name, near, seed, limit)
            curves |= {solver: _fastest([*curves[solver], *fits]) for solver, fits in again.items()}
    return curves


def _fastest(fits: list[Fit]) -> list[Fit]:
    """One for each that was asked, in the order of their seconds."""
    fastest = {fit.asked: fit for fit in sorted(fits, key=lambda fit: fit.seconds, reverse=True)}
    return sorted(fastest.values(), key=lambda fit: fit.seconds)


def _one_round(name: str, solvers: Sequence[str], seed: int, limit: float) -> Curves:
    """softgrad first; each of the others is then left as soon as a fit shows that it has lost."""
    own = race("softgrad", name, seed, limit)
    curves = {"softgrad": own}
    best = min((fit.objective for fit in own), default=-np.inf)
    longest = max((fit.seconds for fit in own if fit.asked >= min(GAPS)), default=limit)
    to_goal = min((fit.seconds for fit in own if fit.asked <= GOAL_GAP), default=limit)
    enough = min(_TIMES * longest, max(longest + _SECONDS_MORE, _TIMES_TO_GOAL * to_goal))
    for solver in solvers:
        curves[solver] = race(solver, name, seed, max(enough, _LEAST_SECONDS), best)
        seconds = seconds_to(GOAL_GAP, gaps(curves)[solver])
        if seconds is not None:
            enough = min(enough, _TIMES_ANOTHER * seconds)
    return curves


def gaps(curves: Curves) -> dict[str, list[tuple[float, float]]]:
    """(seconds, relative gap) of each fit; inf of one that was left."""
    best = min(fit.objective for fits in curves.values() for fit in fits)
    return {solver: [(fit.seconds, fit.objective / best - 1.0) for fit in fits] for solver, fits in curves.items()}


def _row(name: str, gap: float, curves: Curves, one_pass: float, goals: Mapping[str, float]) -> Row | None:
    reached = gaps(curves)
    fits = [
        fit.seconds
        for fit, (_, found) in zip(curves["softgrad"], reached["softgrad"], strict=True)
        if fit.asked <= gap and found <= gap
    ]
    if not fits:
        return None
    own = min(fits)
    there = {solver: seconds_to(gap, curve) for solver, curve in reached.items() if solver != "softgrad"}
    peers = {solver: seconds for solver, seconds in there.items() if seconds is not None}
    # One that is not installed may have been faster, and so may one that was left too early to tell.
    unknown = {
        solver
        for solver in goals.keys() - peers.keys()
        if solver not in reached or _least_seconds(gap, reached[solver]) < goals[solver] * own
    }
    return Row(
        f"{name}, to {gap:g}",
        _single(own),
        {"pass": _single(one_pass)},
        {solver: _single(seconds) for solver, seconds in peers.items()},
        at_least={solver: goal for solver, goal in goals.items() if solver in peers or solver in unknown},
    )


def seconds_to(gap: float, curve: list[tuple[float, float]]) -> float | None:
    """When the gap was first reached, interpolated in its logarithm; None if it was not."""
    before: tuple[float, float] | None = None
    for seconds, found in curve:
        if found <= gap:
            if before is None or before[0] >= seconds:
                return seconds
            # A gap of 0 is the optimum itself.
            share = np.log(before[1] / gap) / np.log(before[1] / max(found, 1e-16))
            return float(before[0] + share * (seconds - before[0]))
        before = seconds, found
    return None


def _least_seconds(gap: float, curve: list[tuple[float, float]]) -> float:
    """When the gap was reached; of a solver that was left before, when its longest fit ended."""
    reached = seconds_to(gap, curve)
    return max((seconds for seconds, _ in curve), default=np.inf) if reached is None else reached


def _seconds_of_a_pass(problem: Problem) -> float:
    weight = np.zeros((problem.X.shape[1], problem.n_classes))
    factors = np.zeros((len(problem.y), problem.n_classes))

    def once() -> float:
        start = time.perf_counter()
        _ = problem.X @ weight, problem.X.T @ factors
        return time.perf_counter() - start

    return min(once() for _ in range(3))


def _single(seconds: float) -> Any:
    return Spread(seconds, seconds, seconds, 1)
