"""What a small fit leaves out since it would take as long as an iteration, and where it is not left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.utils.validation

from softgrad.linear_model import SoftmaxRegression
from tests.linear_model import data_sets

has_callbacks = pytest.mark.skipif(
    not hasattr(SoftmaxRegression, "set_callbacks"), reason="scikit-learn has callbacks since 1.9"
)


class CalledError(Exception):
    """What must not be called was called."""


def refuse(*_arguments: object, **_options: object) -> None:
    raise CalledError


def beginning_with(*values: float) -> Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    def change(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        X = X.copy()
        X[0, : len(values)] = values
        return X, y

    return change


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_that_need_no_check_are_not_checked(monkeypatch: pytest.MonkeyPatch, dtype: type) -> None:
    data = data_sets.real("iris")
    X = data.X.astype(dtype)
    expected = SoftmaxRegression().fit(X.tolist() if dtype is np.float64 else np.asfortranarray(X), data.y)
    monkeypatch.setattr(sklearn.utils.validation, "check_X_y", refuse)
    model = SoftmaxRegression().fit(X, data.y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert model.n_features_in_ == data.X.shape[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda X, y: (X.tolist(), y),
        lambda X, y: (np.asfortranarray(X), y),
        lambda X, y: (X.astype(np.int64), y),
        lambda X, y: (X.astype(">f8"), y),
        lambda X, y: (X.view(np.matrix), y),
        lambda X, y: (X[:, :0], y),
        lambda X, y: (X[:0], y[:0]),
        lambda X, y: (X[0], y),
        beginning_with(np.nan),
        beginning_with(np.inf),
        beginning_with(np.inf, -np.inf),
        lambda X, y: (X, y[:-1]),
        lambda X, y: (X, y[:, None]),
        lambda X, y: (X, y.astype(complex)),
        lambda X, y: (X, y.astype(str)),
        lambda X, y: (X, np.eye(3)[y]),
    ],
)
def test_all_others_are_checked(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[np.ndarray, np.ndarray], tuple[Any, Any]]
) -> None:
    data = data_sets.real("iris")
    monkeypatch.setattr(sklearn.utils.validation, "check_X_y", refuse)
    with pytest.raises(CalledError):
        SoftmaxRegression().fit(*change(data.X, data.y))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_to_predict_that_need_no_check_are_not_checked(monkeypatch: pytest.MonkeyPatch, dtype: type) -> None:
    data = data_sets.real("iris")
    X = data.X.astype(dtype)
    model = SoftmaxRegression().fit(X, data.y)
    expected = model.predict_proba(np.asfortranarray(X))
    monkeypatch.setattr(sklearn.utils.validation, "check_array", refuse)
    found = model.predict_proba(X)
    tolerance = 64 * np.finfo(dtype).eps
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(model.decision_function(X)).max())
    for other in (X.tolist(), np.asfortranarray(X), X[:0], X[0], np.full_like(X, np.nan)):
        with pytest.raises(CalledError):
            model.predict(other)
    with pytest.raises(ValueError, match="X has 3 features, but SoftmaxRegression is expecting 4"):
        model.predict(X[:, :3].copy())


def test_names_of_features_of_another_fit_are_forgotten() -> None:
    data = data_sets.real("iris")
    pandas = pytest.importorskip("pandas")
    model = SoftmaxRegression().fit(pandas.DataFrame(data.X, columns=list("abcd")), data.y)
    assert model.feature_names_in_.tolist() == list("abcd")
    model.fit(data.X, data.y)
    assert not hasattr(model, "feature_names_in_")


class Renamed(SoftmaxRegression):
    """An estimator of other parameters than the one it is derived from."""

    def __init__(self, strength: float = 1.0) -> None:
        super().__init__(C=strength)
        self.strength = strength


def test_each_class_has_the_parameters_of_its_own_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "C" in SoftmaxRegression().get_params()
    assert Renamed().get_params() == {"strength": 1.0}
    monkeypatch.setattr("sklearn.base.inspect.signature", refuse)
    assert Renamed(2.0).get_params() == {"strength": 2.0}


@has_callbacks
def test_without_callbacks_there_are_no_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SoftmaxRegression, "_init_callback_context", refuse)
    data = data_sets.real("iris")
    assert SoftmaxRegression().fit(data.X, data.y).converged_


@has_callbacks
def test_the_tasks_of_a_fit_inside_another_are_told_without_callbacks_of_its_own() -> None:
    data = data_sets.real("iris")
    outer, inner = SoftmaxRegression(), SoftmaxRegression()
    context = outer._init_callback_context(max_subtasks=1)
    task = context.subcontext(task_name="inner")
    with task.propagate_callback_context(inner):
        inner.fit(data.X, data.y)
    assert [told.task_name for told in context].count("iteration") == inner.n_iter_
