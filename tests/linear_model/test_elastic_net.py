"""The elastic net: its optimum against the conditions of optimality, written out with SciPy; its bound; its parts."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax as scipy_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._rows import ArrayRows
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._solvers import _elastic_net
from softgrad.linear_model._solvers._iteration import Course, Solution, State, starting_state
from tests.linear_model import bounds, data_sets
from tests.oracles.inputs import fresh_rng


def penalised(data: data_sets.DataSet, coef: np.ndarray, intercept: np.ndarray, C: float, ratio: float) -> float:
    """The objective with absolute values, divided by C n."""
    n = len(data.y)
    loss = data_sets.objective(data.X, data.y, coef, intercept, np.inf)
    return loss + ((1 - ratio) / 2 * np.sum(coef**2) + ratio * np.abs(coef).sum()) / (C * n)


def violations(data: data_sets.DataSet, model: SoftmaxRegression) -> np.ndarray:
    """How far each coefficient is from satisfying 0 in the subgradient, in units of the penalty's absolute values."""
    C, ratio = model.C, model.l1_ratio
    p = scipy_softmax(data.X @ model.coef_.T + model.intercept_, axis=1)
    p[np.arange(len(p)), data.y] -= 1.0
    gradient = C * p.T @ data.X + (1 - ratio) * model.coef_
    moved = np.abs(gradient + ratio * np.sign(model.coef_))
    return np.where(model.coef_ != 0, moved, np.maximum(np.abs(gradient) - ratio, 0.0)) / ratio


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", ["iris", "wine"])
def test_conditions_of_optimality(name: str, C: float, ratio: float, fit_intercept: bool) -> None:
    data = data_sets.real(name, standardised=True)
    model = SoftmaxRegression(C=C, l1_ratio=ratio, tol=1e-12, fit_intercept=fit_intercept).fit(data.X, data.y)
    assert model.converged_
    assert model.solver_ == "elastic net"
    # A gap of 1e-12 leaves coefficients 1e-6 of their size away, along the flattest directions.
    assert violations(data, model).max() <= 100 * np.sqrt(model.tol)
    assert model.loss_curve_[-1] == pytest.approx(
        penalised(data, model.coef_, model.intercept_, C, ratio), rel=4096 * bounds.EPS, abs=0.0
    )


def test_the_zeros_are_those_of_scikit_learn() -> None:
    data = data_sets.real("wine", standardised=True)
    peer = LogisticRegression(C=0.3, l1_ratio=0.8, solver="saga", tol=1e-8, max_iter=20000).fit(data.X, data.y)
    model = SoftmaxRegression(C=0.3, l1_ratio=0.8, tol=1e-10).fit(data.X, data.y)
    np.testing.assert_array_equal(model.coef_ == 0, peer.coef_ == 0)
    assert 0.3 < np.mean(model.coef_ == 0) < 0.95
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=0, atol=bounds.of_coefficients(model, len(data.y)))


@pytest.mark.parametrize("draw", [data_sets.heavy_tailed, data_sets.rare_flags])
@pytest.mark.parametrize("ratio", [0.3, 1.0])
def test_the_gap_is_a_bound(draw, ratio: float) -> None:
    data = draw(fresh_rng())
    # Rounding may end it early where tails are heavy; it must still be nearer than what is compared with it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        best = SoftmaxRegression(l1_ratio=ratio, tol=1e-9).fit(data.X, data.y)
    tols = (1e-2, 1e-4)
    assert best.relative_gap_ <= min(tols) / 10
    optimum = penalised(data, best.coef_, best.intercept_, 1.0, ratio)
    for tol in tols:
        model = SoftmaxRegression(l1_ratio=ratio, tol=tol).fit(data.X, data.y)
        found = penalised(data, model.coef_, model.intercept_, 1.0, ratio)
        assert found - optimum <= model.relative_gap_ * found <= tol * found
        assert model.n_iter_ < best.n_iter_


def test_it_bounds_what_cannot_converge() -> None:
    data = data_sets.real("digits")
    with pytest.warns(UserWarning, match="max_iter=3 iterations were not enough"):
        model = SoftmaxRegression(l1_ratio=0.5, max_iter=3).fit(data.X, data.y)
    best = SoftmaxRegression(l1_ratio=0.5, tol=1e-7).fit(data.X, data.y).loss_curve_[-1]
    assert not model.converged_
    assert 0 < model.loss_curve_[-1] - best <= model.relative_gap_ * model.loss_curve_[-1]


@pytest.mark.parametrize(("ridge", "absolute"), [(0.3, 1.0), (0.0, 1.0), (2.0, 0.1), (1.0, 0.0)])
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_best_shift_is_the_least_of_a_scan(classes: int, ridge: float, absolute: float) -> None:
    rng = fresh_rng()
    theta = rng.standard_normal((classes, 20))
    shifts = _elastic_net._best_shift(theta, np.full(20, ridge), np.full(20, absolute))

    def cost(column: np.ndarray, shift: float) -> float:
        moved = column - shift
        return float(np.sum(ridge / 2 * moved**2 + absolute * np.abs(moved)))

    for column, shift in zip(theta.T, shifts, strict=True):
        scan = minimize_scalar(lambda s, column=column: cost(column, s), bounds=(-5, 5))
        candidates = [scan.fun, *(cost(column, entry) for entry in column)]
        assert cost(column, shift) <= min(candidates) * (1 + 16 * bounds.EPS)


def test_sparse_rows_and_float32_have_the_same_zeros() -> None:
    from scipy import sparse

    data = data_sets.rare_flags(fresh_rng())
    dense = SoftmaxRegression(l1_ratio=0.5, tol=1e-8).fit(data.X, data.y)
    thin = SoftmaxRegression(l1_ratio=0.5, tol=1e-8).fit(sparse.csr_array(data.X), data.y)
    np.testing.assert_allclose(thin.coef_, dense.coef_, rtol=0, atol=bounds.of_coefficients(dense, len(data.y)))
    single = SoftmaxRegression(l1_ratio=0.5, tol=1e-5).fit(data.X.astype(np.float32), data.y)
    assert single.loss_curve_[-1] == pytest.approx(dense.loss_curve_[-1], rel=2 * single.tol, abs=0.0)
    assert np.mean((single.coef_ == 0) == (dense.coef_ == 0)) > 0.95


def test_it_goes_on_with_the_damping_it_had() -> None:
    """Also where steps were too long, so that there is more of it than at the start."""
    X, y = data_sets.random(fresh_rng(), rows=200, features=6, classes=4)
    objective = SoftmaxObjective(ArrayRows(X, y, np.ones(200)), n_classes=4, C=1.0, fit_intercept=True, l1_ratio=0.5)

    def two_iterations(state: State) -> tuple[list[State], Solution]:
        kept: list[State] = []
        course = Course(tol=0.0, max_iter=2, report=lambda *_: False, keep=kept.append)
        return kept, _elastic_net.minimise(objective, state, course)

    start = starting_state(objective, _elastic_net.evaluate(objective, objective.start()))
    (_, between), whole = two_iterations(start._replace(damping=100.0 * start.damping))
    assert between.damping > start.damping
    _, resumed = two_iterations(between)
    assert resumed.theta.tobytes() == whole.theta.tobytes()
    assert resumed.objectives == whole.objectives
    _, with_less = two_iterations(between._replace(damping=start.damping))
    assert with_less.theta.tobytes() != whole.theta.tobytes()
