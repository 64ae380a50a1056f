"""L-BFGS: its direction against the matrices of the BFGS formula, and the part of a fit that it makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._model._hessian import Hessian
from softgrad.linear_model._model._loss import PenalisedLoss
from softgrad.linear_model._solvers import _diagonal_blocks, _lbfgs, _newton
from softgrad.linear_model._solvers._iteration import Pair
from softgrad.linear_model._solvers._lbfgs import lbfgs_direction
from tests.linear_model import data_sets
from tests.oracles.inputs import fresh_rng


class Matrix:
    """A preconditioner (K P, K P) that mixes nothing which all classes have in common with the rest."""

    is_exact = False

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix

    def update(self, hessian: Hessian, products: int) -> None: ...

    def solve(self, residual: np.ndarray) -> tuple[np.ndarray, float]:
        solved = (self.matrix @ residual.ravel()).reshape(residual.shape)
        return solved, float(np.vdot(residual, solved))


def zero_sum(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    drawn = rng.standard_normal(shape)
    return drawn - drawn.mean(axis=0)


def definite(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Positive definite on the directions that sum to zero over the classes, and 0 on the others."""
    classes, columns = shape
    centring = np.kron(np.eye(classes) - 1.0 / classes, np.eye(columns))
    root = rng.standard_normal((classes * columns,) * 2)
    return centring @ (root @ root.T + np.eye(classes * columns)) @ centring


def bfgs_inverse(matrix: np.ndarray, pairs: list[Pair]) -> np.ndarray:
    """Nocedal and Wright, Numerical Optimization (2006), (6.17), from the preconditioner scaled as in (7.20)."""
    step, change = (part.ravel() for part in pairs[-1])
    inverse = matrix * (step @ change) / (change @ matrix @ change)
    for pair in pairs:
        step, change = (part.ravel() for part in pair)
        left = np.eye(len(step)) - np.outer(step, change) / (step @ change)
        inverse = left @ inverse @ left.T + np.outer(step, step) / (step @ change)
    return inverse


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_direction_is_that_of_the_formula(count: int) -> None:
    rng, shape = fresh_rng(), (4, 5)
    hessian, matrix = definite(rng, shape), definite(rng, shape)
    steps = [zero_sum(rng, shape) for _ in range(count)]
    pairs = [Pair(step, (hessian @ step.ravel()).reshape(shape)) for step in steps]
    gradient = zero_sum(rng, shape)
    inverse = bfgs_inverse(matrix, pairs)
    found = lbfgs_direction(Matrix(matrix), pairs, gradient)
    expected = -(inverse @ gradient.ravel()).reshape(shape)
    size = np.linalg.norm(inverse, 2) * np.linalg.norm(gradient)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e4 * np.finfo(np.float64).eps * size)
    # The change that was seen is undone by the step that made it.
    undone = lbfgs_direction(Matrix(matrix), pairs, pairs[-1].change)
    size = np.linalg.norm(inverse, 2) * np.linalg.norm(pairs[-1].change)
    np.testing.assert_allclose(undone, -pairs[-1].step, rtol=0, atol=1e4 * np.finfo(np.float64).eps * size)


def test_without_pairs_it_is_the_preconditioner() -> None:
    rng, shape = fresh_rng(), (3, 4)
    matrix, gradient = definite(rng, shape), zero_sum(rng, shape)
    found = lbfgs_direction(Matrix(matrix), [], gradient)
    size = np.linalg.norm(matrix, 2) * np.linalg.norm(gradient)
    expected = -matrix @ gradient.ravel()
    np.testing.assert_allclose(found.ravel(), expected, rtol=0, atol=50 * np.finfo(np.float64).eps * size)


def test_a_pair_that_is_lost_in_rounding_is_left_out() -> None:
    rng, shape = fresh_rng(), (3, 4)
    hessian, matrix = definite(rng, shape), definite(rng, shape)
    step, gradient = zero_sum(rng, shape), zero_sum(rng, shape)
    pair = Pair(step, (hessian @ step.ravel()).reshape(shape))
    lost = [Pair(step, np.zeros(shape)), Pair(step, -pair.change)]
    with_them = lbfgs_direction(Matrix(matrix), [lost[0], pair, lost[1]], gradient)
    np.testing.assert_array_equal(with_them, lbfgs_direction(Matrix(matrix), [pair], gradient))


def passes_of(solver: str, data: data_sets.DataSet, monkeypatch: pytest.MonkeyPatch, **parameters: Any) -> list[int]:
    """Evaluations and products of a fit, each a pass over the rows; evaluations before the first product."""
    evaluations = products = before = 0
    evaluate, multiply = PenalisedLoss.value_and_gradient, Hessian.product_and_bend

    def counted_evaluation(self: PenalisedLoss, theta: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal evaluations
        evaluations += 1
        return evaluate(self, theta)

    def counted_product(self: Hessian, direction: np.ndarray) -> tuple[np.ndarray, float]:
        nonlocal products, before
        before = before or evaluations
        products += 1
        return multiply(self, direction)

    with monkeypatch.context() as patch:
        patch.setattr(PenalisedLoss, "value_and_gradient", counted_evaluation)
        patch.setattr(Hessian, "product_and_bend", counted_product)
        model = SoftmaxRegression(solver=solver, **parameters).fit(*data)
    assert model.converged_
    return [evaluations, products, before]


def test_it_saves_most_products_where_many_classes_are_nearly_separable(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_sets.random(fresh_rng(), rows=1000, features=100, classes=100, strength=4.0)
    evaluations, products, before = passes_of("lbfgs-gram", data, monkeypatch)
    newton_evaluations, newton_products, newton_before = passes_of("newton-gram", data, monkeypatch)
    assert newton_before == 1
    assert before > 8
    assert evaluations + products < 0.8 * (newton_evaluations + newton_products)


def test_a_loose_tolerance_takes_no_longer_than_a_tight_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_sets.random(fresh_rng(), rows=1000, features=100, classes=100, strength=4.0)
    tight, loose = (sum(passes_of("lbfgs-blocks", data, monkeypatch, tol=tol)[:2]) for tol in (1e-6, 0.1))
    assert loose <= tight


def test_no_fewer_promises_than_show_how_they_fall_end_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hessian of the first exact step may hold for a small part of the way, and promise as little."""
    promises = []
    step = _newton.newton_step

    def seen(*given: Any, **options: Any) -> Any:
        newton = step(*given, **options)
        promises.append(newton.decrease / options["ceiling"])
        return newton

    monkeypatch.setattr(_newton, "newton_step", seen)
    # As where the Hessian changes over the step.
    monkeypatch.setattr(_newton, "_gap_reached", lambda *_: np.inf)
    data = data_sets.random(fresh_rng(), rows=400, features=10, classes=30)
    model = SoftmaxRegression(solver="lbfgs-blocks", tol=1e-2).fit(*data)
    assert model.converged_
    assert promises[0] < 1e-2
    assert len(promises) == 3


def test_diagonal_blocks_save_half_the_passes_of_many_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_sets.random(fresh_rng(), rows=3000, features=30, classes=100, strength=4.0)
    blocks, gram = (sum(passes_of(solver, data, monkeypatch)[:2]) for solver in ("lbfgs-blocks", "lbfgs-gram"))
    assert blocks < 0.6 * gram


def test_the_diagonal_blocks_are_made_once_where_they_last(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    make = Hessian.sampled_diagonal_blocks

    def counted(self: Hessian, count: int, function: Any) -> Any:
        nonlocal made
        made += 1
        return make(self, count, function)

    monkeypatch.setattr(Hessian, "sampled_diagonal_blocks", counted)
    data = data_sets.random(fresh_rng(), rows=2000, features=20, classes=30)
    SoftmaxRegression(solver="lbfgs-blocks").fit(*data)
    assert made == 1
    monkeypatch.setattr(_diagonal_blocks, "_COST", 0)
    model = SoftmaxRegression(solver="lbfgs-blocks", tol=1e-12).fit(*data)
    assert model.converged_
    assert made > 2


def test_exact_steps_take_over_where_the_optimum_does_not_come_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """With next to nothing to hold the coefficients L-BFGS takes several times as many iterations to 1e-12."""
    iterations = 0
    search, make = _lbfgs.line_search, Hessian.sampled_diagonal_blocks

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal iterations
        iterations += 1
        return search(*arguments, **options)

    def counted_from_here(self: Hessian, *arguments: Any) -> Any:
        nonlocal iterations
        iterations = 0
        return make(self, *arguments)

    monkeypatch.setattr(_lbfgs, "line_search", counted)
    monkeypatch.setattr(Hessian, "sampled_diagonal_blocks", counted_from_here)
    monkeypatch.setattr(_lbfgs, "_NEAR", 0.0)
    monkeypatch.setattr(_newton, "newton_step", None)
    rng = fresh_rng()
    X, y = data_sets.random(rng, rows=1500, features=30, classes=40, strength=3.0)
    X = X @ rng.standard_normal((30, 30)) * rng.standard_exponential((1500, 1)) ** 2
    with pytest.raises(TypeError):
        SoftmaxRegression(solver="lbfgs-blocks", C=1e6, tol=1e-12).fit(X, y)
    assert iterations == _lbfgs._MOST_NEAR


@pytest.mark.parametrize("solver", ["lbfgs-blocks", "lbfgs-gram", "lbfgs-diagonal"])
@pytest.mark.parametrize("tol", [0.3, 1e-3, 1e-9])
def test_the_end_is_left_to_newton(solver: str, tol: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """L-BFGS knows no bound of the gap."""
    data = data_sets.random(fresh_rng(), rows=800, features=10, classes=12, strength=2.0)
    best = SoftmaxRegression(tol=1e-12).fit(*data)
    model = SoftmaxRegression(solver=solver, tol=tol).fit(*data)
    assert model.solver_ == solver
    assert model.converged_
    assert model.loss_curve_[-1] / best.loss_curve_[-1] - 1.0 <= max(tol, 10 * best.tol)
    # Newton's method is taken away, so that a call of it shows.
    monkeypatch.setattr(_lbfgs, "_NEAR", 0.0)
    monkeypatch.setattr(_newton, "newton_step", None)
    with pytest.raises(TypeError):
        SoftmaxRegression(solver=solver, tol=tol).fit(*data)


def test_it_starts_near_the_optimum_with_newton(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_sets.random(fresh_rng(), rows=800, features=10, classes=12)
    model = SoftmaxRegression(solver="lbfgs-gram", warm_start=True).fit(*data)
    monkeypatch.setattr(_lbfgs, "line_search", None)
    assert model.fit(*data).n_iter_ == 1
