"""Time against distance from the optimum, for one solver on one problem, in a process of its own.

A solver of scikit-learn is fitted with its tolerance at 0 and more and more iterations, each time from the start, and
each fit is timed as a whole: its curve is what it would take if one knew beforehand how many iterations to ask for.
softgrad is fitted with one tolerance after the other, and has to find out itself when it is there.

Where one iteration takes seconds there is no time for that: softgrad is fitted once, to the last tolerance, and was at
one before when its estimate first was; a solver of scikit-learn is fitted once more after its first iterations, with as
many as the time allows.
"""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from benchmarks._machine import keep_to_two_cores

SCIKIT_LEARN = ("lbfgs", "newton-cg", "newton-cholesky", "saga")
_MOST_ITERATIONS = 1 << 17
# Fits are repeated until together they took so long, four times at least, and the fastest counts; a longer one is not.
SHORT_SECONDS = 0.2
_LEAST_REPEATED = 4
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-6, 1e-9)
# The first iterations tell how long another one takes, without what is done once.
_LONG_ITERATION, _FIRST_ITERATIONS, _PART_OF_LIMIT = 3.0, 3, 0.85
# Above this gap to what softgrad reached, the number of iterations doubles from fit to fit; below it grows less.
_FAR, _GROWTH = 1e-2, 1.4


class Fit(NamedTuple):
    """One fit: what was asked of it (iterations, or a tolerance), how long it took, the objective it reached.

    The objective is inf where it was left before its end.
    """

    asked: float
    seconds: float
    objective: float


def race(solver: str, problem: str, seed: int, limit: float, best: float = -np.inf) -> list[Fit]:
    """The fits of a solver, the last of which is left after `limit` seconds. `best` is the least objective known."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(there, solver, problem, seed, limit, best))
    process.start()
    there.close()
    fits: list[Fit] = []
    try:
        # Drawing the problem takes its time, which is not the solver's.
        assert here.recv() == "ready"
        # A process that has no memory left may end without a word.
        while here.poll(limit + (1 + _LEAST_REPEATED) * SHORT_SECONDS):
            said = here.recv()
            if said == "done":
                break
            fits.append(Fit(*said))
        else:
            fits.append(Fit(np.nan, limit, np.inf))
    except EOFError:
        pass
    process.kill()
    process.join()
    return fits


def _run(pipe: Connection, solver: str, name: str, seed: int, limit: float, best: float) -> None:
    keep_to_two_cores()
    warnings.simplefilter("ignore")
    from benchmarks._regression_problems import problems

    problem = problems()[name](np.random.default_rng(seed))
    _load_libraries(solver, problem)
    pipe.send("ready")
    fits = _by_tolerance(problem) if solver == "softgrad" else _by_iterations(solver, problem, limit, best)
    for asked, seconds, objective in fits:
        pipe.send((asked, seconds, objective))
        # The next one would be cut off.
        if seconds > limit / _GROWTH:
            break
    pipe.send("done")


def _load_libraries(solver: str, problem: Any) -> None:
    """Do what the first fit of a process does, so that no fit is timed with it."""
    from sklearn.linear_model import LogisticRegression

    from softgrad import SoftmaxRegression

    model = SoftmaxRegression(max_iter=1) if solver == "softgrad" else LogisticRegression(solver=solver, max_iter=1)
    model.fit(*_few(problem))


def _timed(model: Any, problem: Any) -> float:
    start = time.perf_counter()
    model.fit(problem.X, problem.y)
    return time.perf_counter() - start


def _repeated(model: Any, problem: Any) -> float:
    least = total = _timed(model, problem)
    repeated = 0
    while (repeated < _LEAST_REPEATED and least < SHORT_SECONDS) or total < SHORT_SECONDS:
        seconds = _timed(model, problem)
        least, total, repeated = min(least, seconds), total + seconds, repeated + 1
    return least


def _by_tolerance(problem: Any) -> Iterator[Fit]:
    from benchmarks._regression_problems import C
    from softgrad import SoftmaxRegression

    if _timed(SoftmaxRegression(C=C, max_iter=1), problem) > _LONG_ITERATION:
        yield from _of_one_fit(problem)
        return
    for tol in (*TOLERANCES, 1e-13):
        model = SoftmaxRegression(C=C, tol=tol)
        seconds = _repeated(model, problem)
        yield Fit(tol, seconds, problem.objective(model.coef_, model.intercept_))


def _of_one_fit(problem: Any) -> Iterator[Fit]:
    from benchmarks._regression_problems import C
    from softgrad import SoftmaxRegression

    reports: list[tuple[float, Any]] = []
    model = SoftmaxRegression(C=C, tol=min(TOLERANCES), callback=lambda r: reports.append((time.perf_counter(), r)))
    start = time.perf_counter()
    model.fit(problem.X, problem.y)
    objective = problem.objective(model.coef_, model.intercept_)
    if not abs(reports[-1][1].objective - objective) <= 1e-10 * objective:
        raise RuntimeError(f"softgrad reports the objective {reports[-1][1].objective}; it is {objective}")
    for tol in TOLERANCES:
        there, report = next((moment, report) for moment, report in reports if report.relative_gap <= tol)
        yield Fit(tol, there - start, report.objective)


def _by_iterations(solver: str, problem: Any, limit: float, best: float) -> Iterator[Fit]:
    from sklearn.linear_model import LogisticRegression

    from benchmarks._regression_problems import C

    two = problem.n_classes == 2
    iterations, first = 1, 0.0
    while iterations <= _MOST_ITERATIONS:
        # For two classes it has one vector, and half the penalty of two.
        model = LogisticRegression(C=2 * C if two else C, solver=solver, tol=0.0, max_iter=iterations)
        seconds = _repeated(model, problem)
        coef, intercept = model.coef_, model.intercept_
        if two:
            coef, intercept = np.vstack([-coef, coef]) / 2, np.append(-intercept, intercept) / 2
        objective = problem.objective(coef, intercept)
        yield Fit(iterations, seconds, objective)
        if model.n_iter_.max() < iterations:
            return
        if iterations == 1 and seconds > _LONG_ITERATION:
            first, iterations = seconds, _FIRST_ITERATIONS
            continue
        if first:
            another = max((seconds - first) / (iterations - 1), first / iterations)
            more = int((_PART_OF_LIMIT * limit - seconds) / another)
            if iterations > _FIRST_ITERATIONS or more < 1:
                return
            iterations += more
            continue
        growth = 2.0 if objective > (1.0 + _FAR) * best else _GROWTH
        iterations = max(iterations + 1, round(growth * iterations))


def _few(problem: Any) -> tuple[Any, Any]:
    """Rows of every class, as they come."""
    first = np.unique(problem.y, return_index=True)[1]
    return problem.X[first], problem.y[first]
