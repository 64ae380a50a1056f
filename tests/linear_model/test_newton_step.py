"""The preconditioners against the Hessian they stand for, and the conjugate gradients on spectra made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg

from softgrad.linear_model._data._rows import ArrayRows
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._model._columns import Columns
from softgrad.linear_model._model._hessian import Hessian
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._model._zero_sums import zero_sum_basis
from softgrad.linear_model._solvers import _preconditioners
from softgrad.linear_model._solvers._conjugate_gradients import newton_step
from softgrad.linear_model._solvers._diagonal_blocks import DiagonalBlockPreconditioner
from softgrad.linear_model._solvers._iteration import Point
from softgrad.linear_model._solvers._line_search import line_search
from softgrad.linear_model._solvers._preconditioners import (
    DiagonalPreconditioner,
    GramPreconditioner,
    HessianPreconditioner,
    Preconditioner,
)
from tests.linear_model import bounds, data_sets
from tests.oracles.inputs import fresh_rng

ALL = [HessianPreconditioner, DiagonalBlockPreconditioner, GramPreconditioner, DiagonalPreconditioner]
each = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)


def make_objective(rng: np.random.Generator, *, C: float = 1.0, fit_intercept: bool = True) -> SoftmaxObjective:
    data = data_sets.random(rng, rows=200, features=6, classes=5)
    X = data.X @ rng.standard_normal((6, 6)) + 2.0
    return SoftmaxObjective(ArrayRows(X, data.y, np.ones(200)), n_classes=5, C=C, fit_intercept=fit_intercept)


def matrix_of(preconditioner: Preconditioner, shape: tuple[int, int]) -> np.ndarray:
    """The preconditioner on the coordinates of the zero sums."""
    basis = zero_sum_basis(shape[0])
    size = basis.shape[1] * shape[1]
    rows = [basis.T @ preconditioner.solve(basis @ unit.reshape(-1, shape[1]))[0] for unit in np.eye(size)]
    return np.array(rows).reshape(size, size)


def hessian_of(curvature: Hessian, shape: tuple[int, int]) -> np.ndarray:
    """The Hessian on the coordinates of the zero sums, by its products."""
    basis = zero_sum_basis(shape[0])
    size = basis.shape[1] * shape[1]
    rows = [basis.T @ curvature.product(basis @ unit.reshape(-1, shape[1])) for unit in np.eye(size)]
    return np.array(rows).reshape(size, size)


def test_hessian_preconditioner_is_the_inverse() -> None:
    rng = fresh_rng()
    objective = make_objective(rng)
    curvature = objective.hessian(rng.standard_normal(objective.shape))
    preconditioner = HessianPreconditioner(objective)
    preconditioner.update(curvature, 0)
    hessian = hessian_of(curvature, objective.shape)
    product = matrix_of(preconditioner, objective.shape) @ hessian
    # The least lift of the diagonal counts as the condition makes it.
    rounding = (bounds.EPS + _preconditioners._LEAST_LIFT) * np.linalg.cond(hessian)
    np.testing.assert_allclose(product, np.eye(len(product)), rtol=0, atol=64 * rounding)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [1e-4, 1.0, 1e4])
def test_gram_preconditioner_is_within_a_factor_of_two_where_every_row_has_the_same_probabilities(
    C: float, fit_intercept: bool
) -> None:
    objective = make_objective(fresh_rng(), C=C, fit_intercept=fit_intercept)
    curvature = objective.hessian(objective.start())
    preconditioner = GramPreconditioner(objective)
    preconditioner.update(curvature, 0)
    inverse = matrix_of(preconditioner, objective.shape)
    eigenvalues = scipy.linalg.eigvalsh(hessian_of(curvature, objective.shape), np.linalg.inv(inverse))
    assert eigenvalues.min() > 0.49
    assert eigenvalues.max() < 2.01


@each
def test_preconditioners_are_symmetric_and_positive(kind: type) -> None:
    rng = fresh_rng()
    objective = make_objective(rng)
    preconditioner = kind(objective)
    preconditioner.update(objective.hessian(3 * rng.standard_normal(objective.shape)), 0)
    matrix = matrix_of(preconditioner, objective.shape)
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=2**18 * bounds.EPS * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix).min() > 0


@each
def test_a_preconditioner_remembers_nothing_of_the_point_before(kind: type) -> None:
    rng = fresh_rng()
    objective = make_objective(rng)
    moved, fresh = kind(objective), kind(objective)
    here = objective.hessian(4 * rng.standard_normal(objective.shape))
    moved.update(objective.hessian(objective.start()), 0)
    before = matrix_of(moved, objective.shape)
    moved.update(here, 1000)
    fresh.update(here, 1000)
    np.testing.assert_array_equal(matrix_of(moved, objective.shape), matrix_of(fresh, objective.shape))
    assert np.abs(before - matrix_of(moved, objective.shape)).max() > 0.01 * np.abs(before).max()


def test_diagonal_blocks_are_kept_until_a_step_took_more_products_than_they_cost() -> None:
    rng = fresh_rng()
    objective = make_objective(rng)
    moved, fresh = DiagonalBlockPreconditioner(objective), DiagonalBlockPreconditioner(objective)
    here = objective.hessian(rng.standard_normal(objective.shape))
    residual = rng.standard_normal(objective.shape)
    fresh.update(here, 0)
    moved.update(objective.hessian(objective.start()), 0)
    before, _ = moved.solve(residual)
    moved.update(here, 10)
    np.testing.assert_array_equal(moved.solve(residual)[0], before)
    moved.update(here, 11)
    np.testing.assert_array_equal(moved.solve(residual)[0], fresh.solve(residual)[0])
    assert np.any(before != fresh.solve(residual)[0])


def test_factors_are_kept_while_the_curvature_stays_near(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    original = _preconditioners.dpotrf

    def counting(matrix: np.ndarray) -> tuple[np.ndarray, int]:
        made.append(len(matrix))
        return original(matrix)

    monkeypatch.setattr(_preconditioners, "dpotrf", counting)
    objective = make_objective(fresh_rng())
    preconditioner = GramPreconditioner(objective)
    preconditioner.update(objective.hessian(objective.start()), 0)
    first = len(made)
    preconditioner.update(objective.hessian(objective.start()), 0)
    assert set(made) == {6}
    assert len(made) == first <= 4


class Spectrum:
    """A Hessian that multiplies each of two classes' coordinates by eigenvalues, and counts its products."""

    def __init__(self, eigenvalues: np.ndarray) -> None:
        self.eigenvalues, self.products = eigenvalues, 0
        self.columns = Columns((2, len(eigenvalues)), Workers(1))

    def product_and_bend(self, direction: np.ndarray) -> tuple[np.ndarray, float]:
        self.products += 1
        product = direction * self.eigenvalues
        return product, float(np.vdot(direction, product))


class Identity:
    is_exact = False

    def update(self, hessian: Any, products: int) -> None: ...

    def solve(self, residual: np.ndarray) -> tuple[np.ndarray, float]:
        return residual.copy(), float(np.vdot(residual, residual))


# Most of the decrease lies in the first two, half of it in the many slow ones.
SLOW = np.concatenate([[1.0, 0.9], np.logspace(-7, -5, 200)])
SHARES = np.concatenate([[0.3, 0.2], np.full(200, 0.5 / 200)])


def solve(eigenvalues: np.ndarray, shares: np.ndarray, **options: float) -> tuple[float, int]:
    """The estimated decrease, where the exact one is 1, and the number of products."""
    half = np.sqrt(shares * eigenvalues)
    spectrum = Spectrum(eigenvalues)
    defaults = {"forcing": 0.1, "negligible": 0.0, "ceiling": np.inf, "smallest": np.inf}
    step = newton_step(spectrum, Identity(), np.stack([half, -half]), **{**defaults, **options})  # type: ignore[arg-type]
    return step.decrease, spectrum.products


def test_exact_solution_in_as_many_products_as_eigenvalues() -> None:
    """One product more shows that nothing is left."""
    decrease, products = solve(np.array([1.0, 2.0, 5.0]), np.array([0.2, 0.3, 0.5]), forcing=1e-9)
    assert products == 4
    assert decrease == pytest.approx(1.0, rel=64 * bounds.EPS, abs=0.0)


def test_a_decrease_that_would_end_the_fit_is_bounded_from_above() -> None:
    hasty, few = solve(SLOW, SHARES)
    assert hasty < 0.7
    bounded, many = solve(SLOW, SHARES, negligible=0.9, smallest=SLOW.min())
    assert bounded > 0.9
    assert many > few


def test_no_more_products_than_the_target_needs() -> None:
    _, few = solve(SLOW, SHARES)
    bounded, products = solve(SLOW, SHARES, negligible=1e9, smallest=SLOW.min())
    assert products < few
    assert 1.0 <= bounded <= 1e9


def test_the_smallest_eigenvalue_of_the_step_before_bounds_the_first_product() -> None:
    """A sixteenth of it; the first step of a fit has none before it, and knows nothing yet."""
    direction = np.stack([np.sqrt(SHARES * SLOW)] * 2) * [[1.0], [-1.0]]
    bound = 0.5 * np.sum(direction**2) / (SLOW.min() / 16)
    decrease, products = solve(SLOW, SHARES, negligible=bound, smallest=SLOW.min())
    assert products == 1
    assert 1.0 <= decrease <= bound
    for negligible, smallest in ((1.0, SLOW.min()), (bound, np.inf)):
        assert solve(SLOW, SHARES, negligible=negligible, smallest=smallest)[1] > 1


def test_a_promise_above_the_ceiling_ends_the_iteration() -> None:
    eigenvalues = np.logspace(-4, 0, 50)
    shares = np.full(50, 0.02)
    _, all_of_them = solve(eigenvalues, shares, forcing=1e-6)
    _, products = solve(eigenvalues, shares, forcing=1e-6, ceiling=0.2)
    assert products < all_of_them / 2


def test_no_gradient_no_step() -> None:
    step = newton_step(
        Spectrum(np.ones(3)),  # type: ignore[arg-type]
        Identity(),
        np.zeros((2, 3)),
        forcing=0.1,
        negligible=1.0,
        ceiling=1.0,
        smallest=1.0,
    )
    assert not step.direction.any()
    assert step.decrease == 0.0


def test_an_exact_inverse_needs_no_products() -> None:
    rng = fresh_rng()
    objective = make_objective(rng)
    curvature = objective.hessian(rng.standard_normal(objective.shape))
    preconditioner = HessianPreconditioner(objective)
    preconditioner.update(curvature, 0)
    gradient = rng.standard_normal(objective.shape)
    gradient -= gradient.mean(axis=0)
    step = newton_step(
        curvature, preconditioner, gradient, forcing=0.1, negligible=0.0, ceiling=np.inf, smallest=np.inf
    )
    assert step.products == 0
    hessian = hessian_of(curvature, objective.shape)
    rounding = (bounds.EPS + _preconditioners._LEAST_LIFT) * np.linalg.cond(hessian) * np.abs(gradient).max()
    np.testing.assert_allclose(curvature.product(step.direction), -gradient, rtol=0, atol=64 * rounding)
    assert step.decrease == pytest.approx(-np.vdot(gradient, step.direction) / 2, rel=1024 * bounds.EPS, abs=0.0)


@pytest.mark.parametrize("count", [10**6, 60])
def test_diagonal_blocks_of_classes_are_those_of_the_hessian(count: int) -> None:
    """All rows: exactly. A sample: near it, with half of the exact diagonal or more."""
    rng = fresh_rng()
    objective = make_objective(rng)
    curvature = objective.hessian(rng.standard_normal(objective.shape) / 3)
    units = np.eye(5 * 7).reshape(-1, 5, 7)
    whole = np.array([curvature.product(unit).ravel() for unit in units]).reshape(5, 7, 5, 7)
    for label, found in enumerate(curvature.sampled_diagonal_blocks(count, lambda diagonal_block: diagonal_block)):
        # `product` takes the mean over the classes away, of which the ridge knows nothing.
        expected = whole[label, :, label] - np.diag(objective.ridge)
        others = sum(whole[other, :, label] - 0.0 for other in range(5) if other != label)
        rounding = 1024 * bounds.EPS * np.abs(whole).max()
        np.testing.assert_allclose(expected, -others, rtol=0, atol=rounding)
        found = found - np.diag(objective.ridge)
        if count > 200:
            np.testing.assert_allclose(found, expected, rtol=0, atol=rounding)
        else:
            assert np.all(np.diag(found) >= 0.5 * np.diag(expected) * (1 - 1024 * bounds.EPS))
            assert 0 < np.abs(found - expected).max() < 0.5 * np.abs(expected).max()


def without_intercepts(rng: np.random.Generator, X: np.ndarray) -> tuple[SoftmaxObjective, Hessian]:
    """With next to no penalty, at probabilities of their own in every row."""
    y = rng.integers(0, 3, len(X))
    objective = SoftmaxObjective(ArrayRows(X, y, np.ones(len(X))), n_classes=3, C=1e6, fit_intercept=False)
    return objective, objective.hessian(rng.standard_normal(objective.shape) / 3)


def test_a_sample_knows_the_combinations_that_are_0_in_every_row() -> None:
    """Along one the Hessian has the ridge alone, and a preconditioner with more makes that a slow direction."""
    rng = fresh_rng()
    # So many that a sample has more than half of the curvature of each feature.
    Z, mixing = rng.standard_normal((3000, 4)), rng.standard_normal((4, 3))
    objective, curvature = without_intercepts(rng, np.hstack([Z, Z @ mixing]))
    combinations = objective.standardisation.theta(np.hstack([mixing.T, -np.eye(3)]), np.zeros(3)).T
    for found in curvature.sampled_diagonal_blocks(600, np.copy):
        rounding = 1024 * bounds.EPS * np.abs(found).max() * np.abs(combinations).max()
        np.testing.assert_allclose(found @ combinations, objective.ridge[:, None] * combinations, rtol=0, atol=rounding)
        assert np.diag(found).min() > 100 * objective.ridge.max()


def test_a_feature_that_no_sampled_row_has_keeps_its_curvature() -> None:
    rng = fresh_rng()
    X = np.hstack([rng.standard_normal((400, 3)), np.zeros((400, 8))])
    X[rng.choice(400, 8, replace=False), np.arange(3, 11)] = 1.0
    curvature = without_intercepts(rng, X)[1]
    exact = curvature.diagonal()
    unseen = 0
    for label, found in enumerate(curvature.sampled_diagonal_blocks(20, np.copy)):
        unseen += np.sum(~found[3:, :3].any(axis=1))
        assert (np.diag(found) >= 0.5 * exact[label] * (1 - 1024 * bounds.EPS)).all()
    assert unseen > 0


def test_a_sample_serves_features_that_are_nearly_combinations_of_each_other() -> None:
    """The variances along their axes span twelve orders; more of a diagonal would fill the smallest of them up."""
    rng = fresh_rng()
    directions = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    X = (rng.standard_normal((3000, 12)) * np.logspace(0, -6, 12)) @ directions
    y = rng.integers(0, 4, 3000)
    objective = SoftmaxObjective(ArrayRows(X, y, np.ones(3000)), n_classes=4, C=1e12, fit_intercept=False)
    curvature = objective.hessian(np.zeros(objective.shape))
    whole, sampled = (list(curvature.sampled_diagonal_blocks(count, np.array)) for count in (10**6, 240))
    for all_rows, few_rows in zip(whole, sampled, strict=True):
        eigenvalues = scipy.linalg.eigh(few_rows, all_rows, eigvals_only=True)
        # Of a Gaussian matrix they are within (1 -+ sqrt(12 / 240))^2 and seldom far from that.
        assert 0.2 < eigenvalues[0] < 0.95
        assert 1.05 < eigenvalues[-1] < 3.0


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_class_covariance_of_rows_that_are_alike_takes_one_of_them(
    fit_intercept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = make_objective(fresh_rng(), fit_intercept=fit_intercept)
    shares = objective.class_shares if fit_intercept else np.full(5, 0.2)
    curvature = objective.hessian(objective.start())
    monkeypatch.setattr(curvature._blocks, "total", None)
    expected = np.diag(shares) - np.outer(shares, shares)
    np.testing.assert_allclose(curvature.class_covariance(), expected, rtol=0, atol=64 * bounds.EPS)


class Valley:
    """cosh(3 (x - 0.3)) of one number, and how often it was asked for."""

    dtype = np.dtype(np.float64)

    def __init__(self) -> None:
        self.asked = 0

    def value_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        self.asked += 1
        return float(np.cosh(3.0 * (theta[0, 0] - 0.3))), 3.0 * np.sinh(3.0 * (theta - 0.3))


@pytest.mark.parametrize("length", [0.01, 0.5, 1.0, 4.0])
def test_a_step_does_not_end_far_up_the_other_side(length: float) -> None:
    """At 0.5 the value is lower, and the slope uphill is 0.62 of that down at the start."""
    valley: Any = Valley()
    origin = Point.of(valley, np.zeros((1, 1)))
    step = line_search(valley, origin, np.ones((1, 1)), length, steep=0.25)
    assert step is not None
    assert step.point.value < origin.value
    assert abs(float(step.point.gradient[0, 0])) <= 0.5 * abs(float(origin.gradient[0, 0]))
    assert valley.asked <= 7
