"""How long the solvers of the race may go on, and what their rows say of the goals, with fits made by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from benchmarks import _regression_race, regression
from benchmarks._regression_problems import Problem
from benchmarks._regression_race import Fit
from benchmarks._regression_solvers import SOLVERS, Fitted, Solver
from scipy import sparse


def limits_of_a_round(
    own: list[Fit], others: dict[str, list[Fit]], monkeypatch: pytest.MonkeyPatch
) -> dict[str, float]:
    limits: dict[str, float] = {}

    def race(solver: str, problem: str, seed: int, limit: float, best: float = -np.inf) -> list[Fit]:
        del problem, seed, best
        limits[solver] = limit
        return own if solver == "softgrad" else others.get(solver, [])

    monkeypatch.setattr(regression, "race", race)
    regression._one_round("any", list(SOLVERS), 0, 600.0)
    return limits


def test_a_solver_is_left_when_it_has_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """By far to softgrad, or to another one that got there."""
    own = [Fit(1e-6, 1.0, 1.0), Fit(1e-9, 4.0, 1.0)]
    limits = limits_of_a_round(own, {"newton-cg": [Fit(1, 3.0, 2.0), Fit(9, 8.0, 1.0 + 1e-9)]}, monkeypatch)
    order = list(limits)
    reached = order.index("newton-cg")
    assert {limits[solver] for solver in order[1 : reached + 1]} == {4.0 + 30.0}
    (left,) = {limits[solver] for solver in order[reached + 1 :]}
    assert 3.0 * 1.5 < left <= 8.0 * 1.5
    long = limits_of_a_round([Fit(1e-6, 10.0, 1.0), Fit(1e-9, 30.0, 1.0)], {}, monkeypatch)
    assert long["lbfgs"] == 60.0
    quick = limits_of_a_round([Fit(1e-9, 0.125, 1.0)], {}, monkeypatch)
    assert quick["lbfgs"] == 15 * 0.125
    # As long as shows that the goal is met.
    longer = limits_of_a_round([Fit(1e-6, 200.0, 1.0), Fit(1e-9, 300.0, 1.0)], {}, monkeypatch)
    assert longer["lbfgs"] == 500.0
    short = limits_of_a_round([Fit(1e-9, 1e-3, 1.0)], {}, monkeypatch)
    assert short["lbfgs"] == 1.0


def test_those_that_lost_in_the_first_round_are_spared_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"softgrad": 0.1, "lbfgs": 0.3, "saga": 0.9}
    raced: list[str] = []

    def race(solver: str, problem: str, seed: int, limit: float, best: float = -np.inf) -> list[Fit]:
        del problem, seed, limit, best
        raced.append(solver)
        objective = 1.5 if solver == "saga" else 1.0
        return [Fit(1e-9, times[solver] / (1 + raced.count(solver)), objective)]

    monkeypatch.setattr(regression, "race", race)
    curves = regression.race_all("any", ["lbfgs", "saga"], 0, 600.0)
    assert raced == ["softgrad", "lbfgs", "saga"] + 2 * ["softgrad", "lbfgs"]
    assert {solver: fits[0].seconds for solver, fits in curves.items()} == {
        "softgrad": 0.1 / 4,
        "lbfgs": 0.3 / 4,
        "saga": 0.9 / 2,
    }


def test_the_goals_of_a_row() -> None:
    """Each has those of the solvers that got there; one that nobody can tell of does not count as met."""
    curves = {
        "softgrad": [Fit(1e-6, 1.0, 1.0)],
        "lbfgs": [Fit(1, 1.9, 2.0), Fit(9, 2.5, 1.0)],
        "saga": [Fit(1, 1.9, 2.0)],
        "newton-cg": [Fit(1, 2.1, 2.0)],
        "newton-cholesky": [],
    }
    row = regression._row("any", 1e-6, curves, 0.1, dict.fromkeys([*curves, "torch LBFGS"][1:], 2.0))
    assert row is not None
    assert {goal.words: goal.met for goal in row.goals()} == {
        "lbfgs >= 2x": True,
        # Left before twice softgrad's time, and not installed.
        "saga >= 2x": None,
        "torch LBFGS >= 2x": None,
    }


@pytest.mark.parametrize(
    ("X", "goal"),
    [
        (np.zeros((100, 2000)), 1.0),
        (np.zeros((100, 2001)), 2.0),
        (sparse.csr_array(np.ones((100, 1000))), 1.0),
        (sparse.csr_array(np.ones((77, 1300))), 2.0),
        (sparse.csr_array((10**6, 10**6)), 1.0),
    ],
    ids=["dense", "large dense", "sparse", "large sparse", "empty sparse"],
)
def test_larger_problems_have_a_higher_goal(X: Any, goal: float) -> None:
    assert regression._goal(Problem(X, np.zeros(X.shape[0], dtype=np.intp))) == goal


def test_a_solver_that_fails_is_no_solver_that_is_slow() -> None:
    """Its error comes from the other process, whether scikit-learn-intelex is installed or not."""
    problem = "sparse 9000 x 24000 x 12, short rows"
    assert not SOLVERS["intelex lbfgs"].takes_sparse
    with pytest.raises(RuntimeError, match=f"intelex lbfgs failed on {problem}:\nTraceback"):
        _regression_race.race("intelex lbfgs", problem, 0, 1.0)


@pytest.mark.parametrize(("first", "another", "expected"), [(10.0, 5.0, [1, 3, 67]), (4.0, 4.0, [1, 3, 85])])
def test_long_iterations_are_counted_by_those_after_the_first(
    first: float, another: float, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def ready(problem: Any) -> Any:
        del problem
        return lambda iterations: Fitted(np.zeros((3, 2)), np.zeros(3), iterations)

    def repeated(fit: Callable[[], Fitted]) -> tuple[float, Fitted]:
        fitted = fit()
        asked.append(fitted.iterations)
        return first + (fitted.iterations - 1) * another, fitted

    monkeypatch.setitem(SOLVERS, "lbfgs", Solver("sklearn", ready))
    monkeypatch.setattr(_regression_race, "_repeated", repeated)
    problem = SimpleNamespace(objective=lambda coef, intercept: 1.0 + np.abs(coef).sum() + intercept.sum())
    fits = list(itertools.islice(_regression_race._by_iterations("lbfgs", problem, 400.0, 1.0), 10))
    assert asked == expected
    assert [fit.asked for fit in fits] == expected
    assert fits[-1].seconds <= 0.85 * 400.0
