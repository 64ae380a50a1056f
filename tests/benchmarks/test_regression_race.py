"""How long the solvers of the race may go on, with fits made by hand."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from benchmarks import _regression_race, regression
from benchmarks._regression_race import Fit


def limits_of_a_round(
    own: list[Fit], others: dict[str, list[Fit]], monkeypatch: pytest.MonkeyPatch
) -> dict[str, float]:
    limits: dict[str, float] = {}

    def race(solver: str, problem: str, seed: int, limit: float, best: float = -np.inf) -> list[Fit]:
        del problem, seed, best
        limits[solver] = limit
        return own if solver == "softgrad" else others.get(solver, [])

    monkeypatch.setattr(regression, "race", race)
    regression._one_round("any", 0, 600.0)
    return limits


def test_a_solver_is_left_when_it_has_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """By far to softgrad, or to another one that got there."""
    own = [Fit(1e-6, 1.0, 1.0), Fit(1e-9, 2.0, 1.0)]
    limits = limits_of_a_round(own, {"newton-cg": [Fit(1, 3.0, 2.0), Fit(9, 8.0, 1.0 + 1e-9)]}, monkeypatch)
    assert limits["lbfgs"] == limits["newton-cg"] == 25 * 2.0
    assert 3.0 * 1.5 < limits["newton-cholesky"] <= 8.0 * 1.5
    assert limits["saga"] == limits["newton-cholesky"]
    long = limits_of_a_round([Fit(1e-9, 300.0, 1.0)], {}, monkeypatch)
    assert long["saga"] == 420.0
    short = limits_of_a_round([Fit(1e-9, 1e-3, 1.0)], {}, monkeypatch)
    assert short["saga"] == 1.0


@pytest.mark.parametrize(("first", "another", "expected"), [(10.0, 5.0, [1, 3, 67]), (4.0, 4.0, [1, 3, 85])])
def test_long_iterations_are_counted_by_those_after_the_first(
    first: float, another: float, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def repeated(model: Any, problem: Any) -> float:
        del problem
        asked.append(model.max_iter)
        model.coef_, model.intercept_, model.n_iter_ = np.zeros((3, 2)), np.zeros(3), np.array([model.max_iter])
        return first + (model.max_iter - 1) * another

    monkeypatch.setattr(_regression_race, "_repeated", repeated)
    problem = SimpleNamespace(n_classes=3, objective=lambda coef, intercept: 1.0 + np.abs(coef).sum() + intercept.sum())
    fits = list(itertools.islice(_regression_race._by_iterations("lbfgs", problem, 400.0, 1.0), 10))
    assert asked == expected
    assert [fit.asked for fit in fits] == expected
    assert fits[-1].seconds <= 0.85 * 400.0
