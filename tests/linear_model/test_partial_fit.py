"""partial_fit: what mini-batches reach, what they keep, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

from softgrad.linear_model import SoftmaxRegression
from tests.linear_model import bounds, data_sets
from tests.oracles.inputs import fresh_rng


def passes(data: data_sets.DataSet, count: int, **parameters) -> SoftmaxRegression:
    model = SoftmaxRegression(random_state=0, **parameters)
    for _ in range(count):
        for start in range(0, len(data.y), 500):
            part = slice(start, start + 500)
            model.partial_fit(data.X[part], data.y[part], classes=np.unique(data.y))
    return model


@pytest.mark.parametrize("units", [1.0, 1e-4, 1e4])
def test_it_comes_near_the_optimum_in_any_units(units: float) -> None:
    data = data_sets.real("digits")
    data = data_sets.DataSet(data.X * units, data.y)
    model = passes(data, 10, C=units**-2)
    assert model.score(*data) > 0.93
    assert model.converged_ is False
    assert model.relative_gap_ == np.inf
    assert model.solver_ == "averaged mini-batches"
    assert model.n_iter_ == 10 * (2 * 3 + 2)
    curve = np.array(model.loss_curve_)
    assert len(curve) == 40
    assert curve[0] > 1.0 > 0.3 > curve[-1]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_features_whose_squares_are_no_numbers(form: Callable[[np.ndarray], object]) -> None:
    """The squares are subnormal, and that of the inverse of the largest feature is infinite."""
    data = data_sets.real("digits")
    model = SoftmaxRegression(C=1e308, random_state=0)
    model.partial_fit(form(data.X * 2.0**-519), data.y, classes=np.arange(10))
    assert model.score(form(data.X * 2.0**-519), data.y) > 0.8


def test_the_average_is_better_than_chance_after_one_call_on_sparse_rows() -> None:
    data = data_sets.rare_flags(fresh_rng())
    X = sparse.csr_array(data.X)
    model = SoftmaxRegression(random_state=0).partial_fit(X, data.y, classes=np.arange(6))
    dense = SoftmaxRegression(random_state=0).partial_fit(data.X, data.y, classes=np.arange(6))
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=0, atol=4096 * bounds.EPS * np.abs(dense.coef_).max())
    assert model.score(X, data.y) > 0.5


def test_classes_may_come_later_and_names_need_not_be_numbers() -> None:
    data = data_sets.real("iris")
    names = np.array(["x", "y", "z"])[data.y]
    model = SoftmaxRegression(random_state=0)
    model.partial_fit(data.X[:50], names[:50], classes=["z", "x", "y"])
    assert model.classes_.tolist() == ["x", "y", "z"]
    model.partial_fit(data.X[50:], names[50:])
    assert set(model.predict(data.X)) <= {"x", "y", "z"}


def test_the_random_state_decides_and_weights_count() -> None:
    data = data_sets.real("digits")
    labels = np.arange(10)
    one, same, other = (
        SoftmaxRegression(random_state=seed).partial_fit(*data, classes=labels).coef_ for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0
    weights = (data.y != 3).astype(float)
    without = SoftmaxRegression(random_state=1).partial_fit(*data, classes=labels, sample_weight=weights)
    assert 3 not in without.predict(data.X)


def test_it_goes_on_from_a_fit_and_a_fit_forgets_it() -> None:
    data = data_sets.real("digits")
    fitted = SoftmaxRegression(random_state=0).fit(*data)
    accuracy = fitted.score(*data)
    expected = fitted.coef_.copy()
    fitted.partial_fit(data.X[:300], data.y[:300])
    assert fitted.score(*data) > accuracy - 0.05
    np.testing.assert_array_equal(fitted.fit(*data).coef_, expected)
    assert fitted.converged_


def test_errors() -> None:
    data = data_sets.real("iris")
    with pytest.raises(ValueError, match="the first call of partial_fit needs classes"):
        SoftmaxRegression().partial_fit(*data)
    model = SoftmaxRegression().partial_fit(*data, classes=[0, 1, 2])
    before = model.coef_.copy()
    with pytest.raises(ValueError, match=r"y\[2\] is .*7.*; the first call had the classes \[0 1 2\]"):
        model.partial_fit(data.X[:3], [0, 1, 7])
    with pytest.raises(ValueError, match=r"classes are \[0 1\]; the first call had \[0 1 2\]"):
        model.partial_fit(*data, classes=[0, 1])
    with pytest.raises(ValueError, match="X has 3 features, but SoftmaxRegression is expecting 4"):
        model.partial_fit(data.X[:, :3], data.y)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full((1, 4), np.nan), [0])
    np.testing.assert_array_equal(model.coef_, before)
    with pytest.raises(AttributeError, match="partial_fit"):
        SoftmaxRegression(l1_ratio=0.5).partial_fit(*data, classes=[0, 1, 2])
    assert not hasattr(SoftmaxRegression(class_weight="balanced"), "partial_fit")


def test_overflow_is_an_error_and_writes_nothing() -> None:
    data = data_sets.real("iris")
    model = SoftmaxRegression(random_state=0).partial_fit(data.X * 1e-3, data.y, classes=[0, 1, 2])
    before = model.coef_.copy()
    with pytest.raises(FloatingPointError, match="the loss overflows float64 in partial_fit"):
        model.partial_fit(data.X * 2e307, data.y)
    np.testing.assert_array_equal(model.coef_, before)
    assert np.isfinite(model.loss_curve_).all()
    with pytest.raises(FloatingPointError, match="the coefficients overflow float64 in partial_fit"):
        SoftmaxRegression(random_state=0).partial_fit(data.X * 1e-309, data.y, classes=[0, 1, 2])
