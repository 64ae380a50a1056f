"""C=inf: the gap is a bound, separable classes are an error, and of all optima the smallest is taken."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from softgrad.linear_model import IterationReport, SoftmaxRegression
from softgrad.linear_model._solvers import _choice, _unpenalised
from tests.linear_model import bounds, data_sets, unpenalised
from tests.oracles.inputs import fresh_rng


def fitted(data: data_sets.DataSet, **parameters: Any) -> SoftmaxRegression:
    return SoftmaxRegression(C=np.inf, **parameters).fit(data.X, data.y)


def loss_of(model: SoftmaxRegression, data: data_sets.DataSet) -> float:
    return data_sets.objective(data.X, data.y, model.coef_, model.intercept_, np.inf)


def not_separable(rng: np.random.Generator) -> data_sets.DataSet:
    while True:
        data = unpenalised.small_problem(rng)
        if not unpenalised.separable(unpenalised.with_ones(data.X), data.y):
            return data


@pytest.mark.parametrize("solver", _choice.SOLVERS)
def test_the_gap_bounds_the_distance_to_the_optimum(solver: str) -> None:
    """And by no more than it takes: near the optimum the bound is the gap."""
    rng = fresh_rng()
    near = 0
    for _ in range(12):
        data = not_separable(rng)
        _, best = unpenalised.optimum(unpenalised.with_ones(data.X), data.y)
        told: list[IterationReport] = []
        model = fitted(data, solver=solver, callback=told.append)
        assert model.converged_
        assert model.relative_gap_ <= model.tol
        # A loss is a difference of logits, and rounded as they are.
        logits = data.X @ model.coef_.T + model.intercept_
        rounding = 16 * bounds.EPS * (1.0 + float(np.abs(logits).max()) / best)
        assert loss_of(model, data) <= best * (1 + model.tol + rounding)
        for before, report in zip(model.loss_curve_, told, strict=False):
            gap = 1.0 - best / before
            # What conjugate gradients leave is solved for, and the gap more than an estimate, where it ends the fit.
            if solver == "newton-cholesky" or report is told[-1]:
                assert gap <= report.relative_gap + rounding
            if solver == "newton-cholesky" and 1e4 * rounding < gap and report.relative_gap < 0.01:
                near += 1
                assert report.relative_gap <= 1.5 * gap
    assert near > 0 or solver != "newton-cholesky"


@pytest.mark.parametrize("solver", ["auto", "newton-diagonal", "lbfgs-gram"])
def test_separable_are_those_of_a_linear_program(solver: str) -> None:
    rng = fresh_rng()
    found = [0, 0]
    for _ in range(60):
        data = unpenalised.small_problem(rng)
        intercept = bool(rng.random() < 0.7)
        separable = unpenalised.separable(unpenalised.with_ones(data.X, intercept=intercept), data.y)
        found[separable] += 1
        model = SoftmaxRegression(C=np.inf, solver=solver, fit_intercept=intercept)
        if separable:
            with pytest.raises(ValueError, match=r"the classes are separable.*: C=inf has no optimum"):
                model.fit(data.X, data.y)
        else:
            assert model.fit(data.X, data.y).converged_
    assert min(found) > 0


def test_soft_labels_are_separable_as_a_linear_program_says() -> None:
    rng = fresh_rng()
    found = [0, 0]
    for _ in range(60):
        data = unpenalised.small_problem(rng)
        targets = unpenalised.targets_of(data.y)
        # Some rows have two classes.
        shared = rng.random(len(targets)) < rng.choice([0.05, 0.3])
        other = targets[rng.permutation(len(targets))]
        targets[shared] = 0.75 * targets[shared] + 0.25 * other[shared]
        separable = unpenalised.separable(unpenalised.with_ones(data.X), targets)
        found[separable] += 1
        if separable:
            with pytest.raises(ValueError, match="the classes are separable"):
                SoftmaxRegression(C=np.inf).fit(data.X, targets)
        else:
            model = SoftmaxRegression(C=np.inf).fit(data.X, targets)
            _, best = unpenalised.optimum(unpenalised.with_ones(data.X), targets)
            assert model.loss_curve_[-1] <= best * (1 + model.tol) + 64 * bounds.EPS
    assert min(found) > 0


def test_where_every_target_has_all_classes_nothing_is_separable() -> None:
    data = data_sets.real("iris")
    targets = 0.97 * unpenalised.targets_of(data.y) + 0.01
    by_targets = SoftmaxRegression(C=np.inf, tol=1e-12).fit(data.X, targets)
    smoothed = fitted(data, label_smoothing=0.03, tol=1e-12)
    _, best = unpenalised.optimum(unpenalised.with_ones(data.X), targets)
    for model in (by_targets, smoothed):
        assert model.converged_
        assert model.loss_curve_[-1] == pytest.approx(best, rel=2 * model.tol, abs=0.0)


def test_equal_rows_of_more_features_are_not_told_apart() -> None:
    """In the space that they span they differ by rounding, which C=inf would follow without end."""
    rng = fresh_rng()
    for rows in (2, 3, 5):
        X = np.tile(rng.standard_normal(rows + 4), (rows, 1))
        model = SoftmaxRegression(C=np.inf).fit(X, np.arange(rows) % 2)
        assert model.solver_.endswith("row space")
        assert model.converged_
        share = np.mean(np.arange(rows) % 2)
        np.testing.assert_allclose(model.predict_proba(X)[:, 1], share, rtol=64 * bounds.EPS)


def test_the_error_names_the_feature_that_one_class_has_alone() -> None:
    pandas = pytest.importorskip("pandas")
    rng = fresh_rng()
    data = data_sets.random(rng, rows=600, features=4, classes=3)
    names = np.array(["low", "middle", "high"])
    flag = (data.y == 2) & (rng.random(600) < 0.2)
    frame = pandas.DataFrame({"a": data.X[:, 0], "b": data.X[:, 1], "flag": flag, "c": data.X[:, 2]})
    assert SoftmaxRegression(C=np.inf).fit(frame.drop(columns="flag"), names[data.y]).converged_
    with pytest.raises(ValueError, match=r"for class 'high', mostly feature 'flag' \(\+1\).*; choose a finite C"):
        SoftmaxRegression(C=np.inf).fit(frame, names[data.y])
    without_names = re.escape("for class 2, mostly feature 2 (+1)")
    with pytest.raises(ValueError, match=without_names):
        SoftmaxRegression(C=np.inf).fit(frame.to_numpy(dtype=np.float32), data.y)


def hidden_separation(rng: np.random.Generator) -> data_sets.DataSet:
    """Of two classes out of four the rows with a positive first coordinate never are the third, in mixed features."""
    data = data_sets.random(rng, rows=400, features=5, classes=4)
    inner = np.maximum(data.X[:, 0], 0.0)
    y = np.where((inner > 0.5) & (data.y == 2), 3, data.y)
    X = np.column_stack([inner, data.X[:, 1:]]) @ np.linalg.qr(rng.standard_normal((5, 5)))[0]
    # The first coordinate is 0 in half of the rows: they lie in a plane that no class has to itself.
    y[inner == 0.0] = rng.integers(0, 4, int((inner == 0.0).sum()))
    y[inner > 0.0] = np.where(y[inner > 0.0] == 2, 3, y[inner > 0.0])
    return data_sets.DataSet(X, y)


@pytest.mark.parametrize("solver", _choice.SOLVERS)
def test_a_separation_that_many_rows_do_not_notice(solver: str) -> None:
    data = hidden_separation(fresh_rng())
    assert unpenalised.separable(unpenalised.with_ones(data.X), data.y)
    with pytest.raises(ValueError, match="the classes are separable: C=inf"):
        fitted(data, solver=solver)


@pytest.mark.parametrize("solver", _choice.SOLVERS)
def test_where_the_direction_is_not_looked_for_no_fit_converges(solver: str) -> None:
    """Over 2048 unknowns: a direction that some rows do not notice would be worth less than the tolerance."""
    data = hidden_separation(fresh_rng())
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(_unpenalised, "_LARGEST_DECOMPOSITION", 0)
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises((ValueError, ConvergenceWarning), match=r"as far as rounding lets|what is left to gain"):
            fitted(data, solver=solver)


def test_dependent_features_share_the_smallest_coefficients() -> None:
    rng = fresh_rng()
    data = data_sets.random(rng, rows=500, features=6, classes=3)
    mixed = data.X[:, :2] @ rng.standard_normal((2, 3)) + rng.standard_normal(3)
    one_hot = np.eye(4)[rng.integers(0, 4, 500)]
    X = np.column_stack([mixed, data.X, 1e3 * one_hot, np.full(500, 7.0)])
    model = SoftmaxRegression(C=np.inf, tol=1e-13).fit(X, data.y)
    plain = SoftmaxRegression(C=np.inf, tol=1e-13).fit(np.column_stack([data.X, one_hot[:, 1:]]), data.y)
    assert model.loss_curve_[-1] == pytest.approx(plain.loss_curve_[-1], rel=2 * model.tol, abs=0.0)
    # The smallest coefficients are combinations of centred rows.
    rows = X - X.mean(axis=0)
    inside = model.coef_ @ np.linalg.pinv(rows, rcond=1e-10) @ rows
    np.testing.assert_allclose(model.coef_, inside, rtol=0, atol=2**20 * bounds.EPS * np.abs(model.coef_).max())
    assert np.abs(model.coef_[:, :3]).max() > 0.01
    assert np.abs(model.coef_.sum(axis=0)).max() <= 64 * bounds.EPS * np.abs(model.coef_).max()
    assert abs(model.intercept_.sum()) <= 64 * bounds.EPS * np.abs(model.intercept_).max()
    # Which is where finite C lead: at this one the penalty still moves them by less than it leaves them uncertain.
    weak = SoftmaxRegression(C=1e4, tol=1e-15).fit(X, data.y)
    distance = 2 * bounds.of_coefficients(weak, len(X))
    assert distance < 0.01 * np.abs(weak.coef_).max()
    np.testing.assert_allclose(model.coef_, weak.coef_, rtol=0, atol=distance)


def test_an_unpenalised_fit_is_the_same_from_everywhere() -> None:
    rng = fresh_rng()
    data = data_sets.random(rng, rows=900, features=8, classes=3)
    weights = rng.integers(1, 4, 900)
    X = np.where(rng.random(data.X.shape) < 0.5, data.X, 0.0)
    given = {"C": np.inf, "tol": 1e-12}
    model = SoftmaxRegression(**given).fit(X, data.y, weights)
    theta, _ = unpenalised.optimum(unpenalised.with_ones(X), data.y, weights.astype(float))
    # The loss is at most tol above the least; its curvature is that of the information.
    columns = unpenalised.with_ones(X)
    curvature = np.sort(np.linalg.eigvalsh(unpenalised.information(columns, theta, weights / weights.sum())))
    distance = 2.0 * np.sqrt(2.0 * model.tol * model.loss_curve_[-1] / curvature[theta.shape[1]])
    batches = [(X[part], data.y[part], weights[part]) for part in (slice(400), slice(400, None))]
    others = [
        SoftmaxRegression(**given).fit_stream(batches),
        SoftmaxRegression(**given).fit(sparse.csr_array(X), data.y, weights),
        SoftmaxRegression(**given).fit(np.repeat(X, weights, axis=0), np.repeat(data.y, weights)),
    ]
    for each in (model, *others):
        assert each.converged_
        np.testing.assert_allclose(each.coef_, theta[:, :-1] - theta[:, :-1].mean(axis=0), rtol=0, atol=distance)
        np.testing.assert_allclose(each.intercept_, theta[:, -1] - theta[:, -1].mean(), rtol=0, atol=distance)
    with pytest.raises(ValueError, match="the classes are separable"):
        SoftmaxRegression(C=np.inf).fit_stream([(X, (X[:, 0] > 0).astype(int))])


def test_a_fit_goes_on_from_an_unpenalised_one() -> None:
    data = data_sets.random(fresh_rng(), rows=400, features=5, classes=3)
    X = np.column_stack([data.X, data.X[:, :2].sum(axis=1)])
    model = SoftmaxRegression(C=np.inf, warm_start=True).fit(X, data.y)
    first, coef = model.n_iter_, model.coef_
    model.fit(X, data.y)
    assert model.converged_
    assert model.n_iter_ == 1 < first
    np.testing.assert_allclose(model.coef_, coef, rtol=0, atol=4 * np.sqrt(model.tol) * np.abs(coef).max())


def test_float32_without_a_penalty() -> None:
    data = data_sets.random(fresh_rng(), rows=3000, features=10, classes=4)
    X = data.X.astype(np.float32)
    rounded = data_sets.DataSet(X.astype(np.float64), data.y)
    best = fitted(rounded, tol=1e-12).loss_curve_[-1]
    model = SoftmaxRegression(C=np.inf).fit(X, data.y)
    polished = SoftmaxRegression(C=np.inf, tol=1e-12, polish=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "SoftmaxRegression stopped.*rounding in float32", ConvergenceWarning)
        polished.fit(X, data.y)
    assert model.converged_
    assert polished.converged_
    assert loss_of(model, rounded) <= best * (1 + model.tol)
    assert loss_of(polished, rounded) <= best * (1 + 2 * polished.tol)


def test_more_features_than_rows_take_soft_labels() -> None:
    rng = fresh_rng()
    X = rng.standard_normal((20, 50))
    y = rng.dirichlet(np.ones(3), 20)
    model = SoftmaxRegression(C=np.inf, tol=1e-13).fit(X, y)
    assert model.solver_.endswith(", row space")
    # All logits can be had: the loss is the mean entropy of the labels.
    assert model.loss_curve_[-1] == pytest.approx(-np.sum(y * np.log(y)) / 20, rel=2 * model.tol, abs=0.0)
    rows = X - X.mean(axis=0)
    inside = model.coef_ @ np.linalg.pinv(rows, rcond=1e-10) @ rows
    np.testing.assert_allclose(model.coef_, inside, rtol=0, atol=2**20 * bounds.EPS * np.abs(model.coef_).max())
    with pytest.raises(ValueError, match="the classes are separable"):
        SoftmaxRegression(C=np.inf).fit(X, y.argmax(axis=1))


def test_a_class_without_weight_is_separable() -> None:
    data = data_sets.random(fresh_rng(), rows=300, features=3, classes=3)
    with pytest.raises(ValueError, match=r"the classes are separable.* for class 1"):
        SoftmaxRegression(C=np.inf).fit(data.X, data.y, (data.y != 1).astype(float))


def test_a_start_that_has_no_loss_left_is_separated() -> None:
    X, y = np.array([[-1.0], [1.0]]), np.array([0, 1])
    model = SoftmaxRegression(warm_start=True).fit(X, y)
    model.coef_ *= 1e4 / np.abs(model.coef_).max()
    with pytest.raises(ValueError, match="the classes are separable: C=inf has no optimum"):
        model.set_params(C=np.inf).fit(X, y)


def test_the_loss_falls_until_the_end() -> None:
    data = data_sets.random(fresh_rng(), rows=900, features=8, classes=3)
    model = fitted(data)
    assert all(after <= before * (1 + 8 * bounds.EPS) for before, after in pairwise(model.loss_curve_))
