"""Each solver that softgrad races with minimises the objective that the race measures, by code of its own."""

from __future__ import annotations

import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from benchmarks._regression_problems import C, Problem
from benchmarks._regression_solvers import SOLVERS, Fitted, of_all_classes
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import softmax

from tests.oracles.inputs import fresh_rng

INSTALLED = [name for name, solver in SOLVERS.items() if solver.installed]


def a_problem(classes: int, *, stored: bool) -> Problem:
    rng = fresh_rng()
    X = rng.standard_normal((60, 4)) * (rng.random((60, 4)) < 0.7)
    y = (X @ rng.standard_normal((4, classes))).argmax(axis=1)
    y[:classes] = np.arange(classes)
    return Problem(sparse.csr_array(X) if stored else X, y)


def optimum(problem: Problem) -> float:
    classes, (rows, features) = problem.n_classes, problem.X.shape
    ones = np.column_stack([problem.X.toarray() if sparse.issparse(problem.X) else problem.X, np.ones(rows)])

    def objective(flat: np.ndarray) -> float:
        parameters = flat.reshape(classes, features + 1)
        return problem.objective(parameters[:, :-1], parameters[:, -1])

    def gradient(flat: np.ndarray) -> np.ndarray:
        parameters = flat.reshape(classes, features + 1)
        slopes = (softmax(ones @ parameters.T, axis=1) - np.eye(classes)[problem.y]).T @ ones / rows
        slopes[:, :-1] += parameters[:, :-1] / (C * rows)
        return slopes.ravel()

    start = np.zeros(classes * (features + 1))
    return float(minimize(objective, start, jac=gradient, options={"gtol": 1e-9}).fun)


@pytest.mark.parametrize("stored", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("classes", [2, 3])
# A tolerance of 0 is never met, of which each of them warns in its own way.
@pytest.mark.filterwarnings("ignore")
def test_many_iterations_come_to_the_optimum_and_one_does_not(classes: int, stored: bool) -> None:
    problem = a_problem(classes, stored=stored)
    # A line search ends where the objective shows no difference, and the slope may be the root of its rounding.
    accuracy = 2.0 * np.sqrt(np.finfo(np.float64).eps)
    best = optimum(problem)
    takers = [name for name in INSTALLED if SOLVERS[name].takes(problem)]
    assert {"lbfgs", "torch LBFGS"} <= set(takers)
    for name in takers:
        fit = SOLVERS[name].ready(problem)
        far, near = fit(1), fit(10_000)
        assert far.iterations == 1
        assert problem.objective(*of_all_classes(far)) > best * (1.0 + 10.0 * accuracy), name
        assert abs(problem.objective(*of_all_classes(near)) - best) <= accuracy * best, name


def test_two_classes_with_one_vector_have_the_same_probabilities() -> None:
    coef, intercept = of_all_classes(Fitted(np.array([[2.0, -6.0]]), np.array([4.0]), 1))
    assert coef.tolist() == [[-1.0, 3.0], [1.0, -3.0]]
    assert intercept.tolist() == [-2.0, 2.0]


def intelex_that_says(*messages: str) -> ModuleType:
    class LogisticRegression:
        def __init__(self, **options: Any) -> None:
            self.n_iter_ = np.array([options["max_iter"]])

        def fit(self, X: Any, y: Any) -> LogisticRegression:
            self.coef_, self.intercept_ = np.zeros((3, X.shape[1])), np.zeros(len(np.unique(y)))
            for message in messages:
                logging.getLogger("sklearnex").info(message)
            return self

    module = ModuleType("sklearnex.linear_model")
    module.LogisticRegression = LogisticRegression  # type: ignore[attr-defined]
    return module


OWN = "sklearn.linear_model.LogisticRegression.fit: running accelerated version on CPU"
FALLBACK = "sklearn.linear_model.LogisticRegression.fit: fallback to original Scikit-learn"


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one in the place of scikit-learn-intelex's, so that this process keeps that as it was."""
    apart = logging.Logger("sklearnex")
    others = logging.getLogger
    monkeypatch.setattr(logging, "getLogger", lambda name=None: apart if name == "sklearnex" else others(name))


@pytest.mark.usefixtures("logger")
@pytest.mark.parametrize("messages", [(OWN, FALLBACK), ()], ids=["fallback", "silence"])
def test_intelex_may_not_race_by_scikit_learn(messages: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    problem = a_problem(3, stored=False)
    monkeypatch.setitem(sys.modules, "sklearnex.linear_model", intelex_that_says(*messages))
    fit = SOLVERS["intelex lbfgs"].ready(problem)
    with pytest.raises(RuntimeError, match="did not say that it ran code of its own"):
        fit(5)
    monkeypatch.setitem(sys.modules, "sklearnex.linear_model", intelex_that_says(OWN))
    assert SOLVERS["intelex lbfgs"].ready(problem)(5).iterations == 5


def test_intelex_has_no_code_for_sparse_rows() -> None:
    stored = {name for name, solver in SOLVERS.items() if solver.takes(a_problem(3, stored=True))}
    assert set(SOLVERS) - stored == {"intelex lbfgs"}
    assert all(solver.takes(SimpleNamespace(X=np.zeros((2, 2)))) for solver in SOLVERS.values())  # type: ignore[arg-type]
