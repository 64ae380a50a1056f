"""From rows to coefficients: what a fit is, whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from softgrad._float_mode import in_ieee_mode
from softgrad.linear_model._data._row_space import RowSpace
from softgrad.linear_model._data._rows import Array, RowSource
from softgrad.linear_model._data._used_features import UsedFeatures
from softgrad.linear_model._data._widened_rows import WidenedRows
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._solvers import _elastic_net, _newton
from softgrad.linear_model._solvers._choice import SOLVERS, SolverName, choose_solver
from softgrad.linear_model._solvers._iteration import Course, IterationReport, Point, Solution, State, starting_state
from softgrad.linear_model._solvers._separable import SeparableClasses
from softgrad.linear_model._solvers._unpenalised import NoOptimum


@dataclass(frozen=True, kw_only=True)
class FitParameters:
    """The parameters of `SoftmaxRegression` that a fit to rows depends on, checked."""

    C: float = 1.0
    tol: float = 1e-6
    max_iter: int = 1000
    fit_intercept: bool = True
    l1_ratio: float = 0.0
    label_smoothing: float = 0.0
    solver: SolverName = "auto"
    polish: bool = False
    n_threads: int | None = None

    def __post_init__(self) -> None:
        if np.inf == self.C and self.l1_ratio:
            raise ValueError(f"l1_ratio is {self.l1_ratio:g}; with C=inf there is no penalty to share, it must be 0")

    def description(self) -> dict[str, object]:
        """What decides where the optimum is and how it is approached, as JSON can hold it."""
        return {
            "C": self.C,
            "fit_intercept": self.fit_intercept,
            "l1_ratio": self.l1_ratio,
            "label_smoothing": self.label_smoothing,
            "polish": self.polish,
            "solver": self.solver,
        }


class Coefficients(NamedTuple):
    """coef : shape (K, d). intercept : shape (K,)."""

    coef: Array
    intercept: Array


@dataclass(frozen=True)
class Fitted:
    """What a fit came to: the coefficients, the solver that was taken and why, how far it went, and what was asked."""

    coefficients: Coefficients
    solver: str
    solver_reason: str
    solution: Solution
    parameters: FitParameters

    @property
    def shortfall(self) -> str | None:
        """What to warn of; None if the tolerance was reached."""
        solution = self.solution
        if solution.obstacle is None:
            return None
        return (
            f"SoftmaxRegression stopped at a relative gap of about {solution.relative_gap:.2e} "
            f"(tol={self.parameters.tol:g}), after {solution.iterations} iterations at the objective "
            f"{solution.objectives[-1]:.9g}: {solution.obstacle}"
        )


@in_ieee_mode
def fit_rows(
    source: RowSource,
    n_classes: int,
    parameters: FitParameters,
    report: Callable[[IterationReport, Callable[[], Coefficients]], bool],
    *,
    start: Coefficients | None = None,
    space: RowSpace | UsedFeatures | None = None,
    state: State | None = None,
    before_iteration: Callable[[], object] = lambda: None,
    keep: Callable[[State], object] | None = None,
) -> Fitted:
    """Fit to rows whose labels are class numbers or probabilities.

    Parameters
    ----------
    source : RowSource
        Where there is a `space`, its data.
    n_classes : int
    parameters : FitParameters
    report : callable
        Given, after each iteration, what it came to and how to make its coefficients; says whether to stop there.
    start : Coefficients, optional
        Where the fit begins, in the features that the coefficients have in the end.
    state : State, optional
        Where it goes on, instead.
    keep : callable, optional
        Given the state before each iteration, after `before_iteration` was called.

    Raises
    ------
    SeparableClasses
        Without a penalty, where there is no optimum.
    """
    with Workers(parameters.n_threads) as workers:
        objective = _objective(source, n_classes, parameters, workers)
        if state is None:
            theta = objective.start()
            if start is not None:
                coef = start.coef if space is None else space.enter(start.coef)
                theta = objective.coordinates(coef, start.intercept)
            state = starting_state(objective, _evaluate(objective, theta, parameters))

        def coefficients(theta: Array) -> Coefficients:
            coef, intercept = objective.coefficients(theta)
            return Coefficients(coef if space is None else space.leave(coef), intercept)

        def begin(state: State) -> None:
            before_iteration()
            if keep is not None:
                keep(state)

        course = Course(
            parameters.tol, parameters.max_iter, lambda told, theta: report(told, lambda: coefficients(theta)), begin
        )
        try:
            solver, reason, solution = _minimise(objective, parameters, state, course)
            if parameters.polish and objective.dtype == np.float32:
                # A state does not say which of the two objectives it is of: what is resumed polishes from the start.
                keep = None
                reached = objective.coefficients(solution.theta)
                objective = _objective(WidenedRows(source), n_classes, parameters, workers)
                point = _evaluate(objective, objective.coordinates(*reached), parameters)
                state = starting_state(objective, point, after=solution.objectives)
                solver, reason, solution = _minimise(objective, parameters, state, course)
        except NoOptimum as error:
            weight = error.direction[:, : source.n_features]
            raise SeparableClasses(
                weight if space is None else space.leave(weight),
                error.direction[:, -1] if parameters.fit_intercept else np.zeros(n_classes),
                is_certain=error.is_certain,
            ) from None
        solver += "" if space is None else space.solver_suffix
        return Fitted(coefficients(solution.theta), solver, reason, solution, parameters)


def _objective(source: RowSource, n_classes: int, parameters: FitParameters, workers: Workers) -> SoftmaxObjective:
    return SoftmaxObjective(
        source,
        n_classes=n_classes,
        C=parameters.C,
        fit_intercept=parameters.fit_intercept,
        l1_ratio=parameters.l1_ratio,
        label_smoothing=parameters.label_smoothing,
        workers=workers,
    )


def _evaluate(objective: SoftmaxObjective, theta: Array, parameters: FitParameters) -> Point:
    return _elastic_net.evaluate(objective, theta) if parameters.l1_ratio else Point.of(objective, theta)


def _minimise(
    objective: SoftmaxObjective, parameters: FitParameters, state: State, course: Course
) -> tuple[str, str, Solution]:
    """The solver, why it is the one, and where it ended."""
    if parameters.l1_ratio:
        solution = _elastic_net.minimise(objective, state, course)
        return "elastic net", f"l1_ratio is {parameters.l1_ratio:g}", solution
    asked = parameters.solver
    solver, reason = choose_solver(objective) if asked == "auto" else (asked, "it was asked for")
    preconditioner, far = SOLVERS[solver].preconditioners(objective)
    return solver, reason, _newton.minimise(objective, preconditioner, state, course, far=far)
