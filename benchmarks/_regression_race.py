"""Time against distance from the optimum, for one solver on one problem, in a process of its own.

Each of the others is fitted with its tolerance at 0 and more and more iterations, each time from the start, and each
fit is timed as a whole: its curve is what it would take if one knew beforehand how many iterations to ask for. softgrad
is fitted with one tolerance after the other, and has to find out itself when it is there.

Where one iteration takes seconds there is no time for that: softgrad is fitted once, to the last tolerance, and was at
one before when its estimate first was; each of the others is fitted once more after its first iterations, with as many
as the time allows.
"""

from __future__ import annotations

import multiprocessing
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

import numpy as np

from benchmarks._machine import keep_to_two_cores

_MOST_ITERATIONS = 1 << 17
# Fits are repeated until together they took so long, four times at least, and the fastest counts; a longer one is not.
SHORT_SECONDS = 0.2
_LEAST_REPEATED = 4
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-6, 1e-9)
# The first iterations tell how long another one takes, without what is done once.
_LONG_ITERATION, _FIRST_ITERATIONS, _PART_OF_LIMIT = 3.0, 3, 0.85
# Above this gap to what softgrad reached, the number of iterations doubles from fit to fit; below it grows less.
_FAR, _GROWTH = 1e-2, 1.4


_Model = TypeVar("_Model")


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
        said = here.recv()
        while said != "done":
            if isinstance(said, Fit):
                fits.append(said)
            elif said != "ready":
                raise RuntimeError(f"{solver} failed on {problem}:\n{said}")
            if not here.poll(limit + (1 + _LEAST_REPEATED) * SHORT_SECONDS):
                fits.append(Fit(np.nan, limit, np.inf))
                break
            said = here.recv()
    except EOFError:
        # A process that has no memory left may end without a word.
        pass
    finally:
        process.kill()
        process.join()
    return fits


def _run(pipe: Connection, solver: str, name: str, seed: int, limit: float, best: float) -> None:
    keep_to_two_cores()
    warnings.simplefilter("ignore")
    try:
        for said in _said(solver, name, seed, limit, best):
            pipe.send(said)
    except MemoryError:
        pipe.send("done")
    except Exception:
        pipe.send(traceback.format_exc())


def _said(solver: str, name: str, seed: int, limit: float, best: float) -> Iterator[str | Fit]:
    from benchmarks._regression_problems import problems

    problem = problems()[name](np.random.default_rng(seed))
    _load_libraries(solver, problem)
    yield "ready"
    fits = _by_tolerance(problem) if solver == "softgrad" else _by_iterations(solver, problem, limit, best)
    for fit in fits:
        yield fit
        # The next one would be cut off.
        if fit.seconds > limit / _GROWTH:
            break
    yield "done"


def _load_libraries(solver: str, problem: Any) -> None:
    """Do what the first fit of a process does, so that no fit is timed with it."""
    from benchmarks._regression_solvers import SOLVERS
    from softgrad import SoftmaxRegression

    few = _few(problem)
    if solver == "softgrad":
        SoftmaxRegression(max_iter=1).fit(few.X, few.y)
    else:
        SOLVERS[solver].ready(few)(1)


def _timed(fit: Callable[[], _Model]) -> tuple[float, _Model]:
    start = time.perf_counter()
    model = fit()
    return time.perf_counter() - start, model


def _repeated(fit: Callable[[], _Model]) -> tuple[float, _Model]:
    """The fastest of the fits, and the last model: each is the same."""
    least, model = _timed(fit)
    total, repeated = least, 0
    while (repeated < _LEAST_REPEATED and least < SHORT_SECONDS) or total < SHORT_SECONDS:
        seconds, model = _timed(fit)
        least, total, repeated = min(least, seconds), total + seconds, repeated + 1
    return least, model


def _by_tolerance(problem: Any) -> Iterator[Fit]:
    from benchmarks._regression_problems import C
    from softgrad import SoftmaxRegression

    def fit(**options: Any) -> Any:
        return SoftmaxRegression(C=C, **options).fit(problem.X, problem.y)

    if _timed(lambda: fit(max_iter=1))[0] > _LONG_ITERATION:
        yield from _of_one_fit(problem)
        return
    for tol in (*TOLERANCES, 1e-13):
        seconds, model = _repeated(partial(fit, tol=tol))
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
    from benchmarks._regression_solvers import SOLVERS, of_all_classes

    fit = SOLVERS[solver].ready(problem)
    iterations, first = 1, 0.0
    while iterations <= _MOST_ITERATIONS:
        seconds, fitted = _repeated(partial(fit, iterations))
        objective = problem.objective(*of_all_classes(fitted))
        yield Fit(iterations, seconds, objective)
        if fitted.iterations < iterations:
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


def _few(problem: Any) -> Any:
    """Rows of every class, as they come."""
    first = np.unique(problem.y, return_index=True)[1]
    return replace(problem, X=problem.X[first], y=problem.y[first])
