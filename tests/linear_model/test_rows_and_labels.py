"""What SoftmaxRegression can be fitted to: sparse rows, frames, probabilities, smoothed labels; and how it works."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

import softgrad
from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._solvers import _choice
from tests.linear_model import bounds, data_sets
from tests.oracles.inputs import fresh_rng


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_is_as_dense(container: Any, dtype: type) -> None:
    data = data_sets.rare_flags(fresh_rng())
    dense = SoftmaxRegression().fit(data.X.astype(dtype), data.y)
    X = container(data.X.astype(dtype))
    model = SoftmaxRegression().fit(X, data.y)
    assert model.loss_curve_[-1] == pytest.approx(dense.loss_curve_[-1], rel=2 * bounds.TOL, abs=0.0)
    assert model.predict_proba(X).dtype == dtype
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(model.predict_proba(X), model.predict_proba(X.toarray()), rtol=0, atol=500 * eps)


@pytest.mark.parametrize("solver", _choice.SOLVERS)
@pytest.mark.parametrize("centred", [True, False])
def test_every_solver_takes_sparse_rows(solver: str, centred: bool) -> None:
    data = data_sets.rare_flags(fresh_rng())
    X = data.X[:, ::8]
    expected = SoftmaxRegression(tol=1e-12, fit_intercept=centred).fit(X, data.y)
    model = SoftmaxRegression(solver=solver, fit_intercept=centred).fit(sparse.csr_array(X), data.y)
    assert model.solver_ == solver
    assert model.solver_reason_ == "it was asked for"
    assert model.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=2 * bounds.TOL, abs=0.0)


def test_why_a_solver_was_chosen() -> None:
    digits = data_sets.real("digits")
    model = SoftmaxRegression().fit(digits.X, digits.y)
    assert model.solver_reason_ == "585 unknowns, more than 128; 64 features, at most 4096; 1797 rows; 10 classes"


@pytest.mark.parametrize("weighted", [True, False])
def test_probabilities_are_rows_of_their_weights(weighted: bool) -> None:
    rng = fresh_rng()
    data = data_sets.random(rng, rows=200, features=6, classes=4)
    labels = rng.dirichlet(np.ones(4), 200)
    class_weight = {0: 3.0, 1: 0.5, 2: 1.0, 3: 0.0} if weighted else None
    model = SoftmaxRegression(tol=1e-12, class_weight=class_weight).fit(data.X, labels)
    expected = SoftmaxRegression(tol=1e-12, class_weight=class_weight).fit(
        np.repeat(data.X, 4, axis=0), np.tile(np.arange(4), 200), labels.ravel()
    )
    assert model.classes_.tolist() == [0, 1, 2, 3]
    distance = bounds.of_coefficients(model, (labels * (list(class_weight.values()) if class_weight else 1.0)).sum())
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=distance)


def test_one_hot_probabilities_are_labels() -> None:
    data = data_sets.real("digits")
    expected = SoftmaxRegression(tol=1e-12).fit(data.X, data.y)
    model = SoftmaxRegression(tol=1e-12).fit(data.X, np.eye(10, dtype=np.float32)[data.y])
    distance = bounds.of_coefficients(model, len(data.y))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=distance)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, 0.5, 0.5], r"y\[3\] adds up to 1.5; the probabilities of a row add up to 1"),
        ([1.5, -0.5, 0.0], r"y\[3, 1\] is -0.5; a probability is at least 0"),
        ([np.nan, 1.0, 0.0], r"NaN"),
    ],
)
def test_rows_that_are_no_distribution(row: list[float], message: str) -> None:
    y = np.full((5, 3), 1 / 3)
    y[3] = row
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression().fit(fresh_rng().standard_normal((5, 2)), y)


def test_label_smoothing_is_a_mixture_of_targets() -> None:
    data = data_sets.real("wine", standardised=True)
    smoothed = 0.8 * np.eye(3)[data.y] + 0.2 / 3
    expected = SoftmaxRegression(tol=1e-12).fit(data.X, smoothed)
    model = SoftmaxRegression(tol=1e-12, label_smoothing=0.2).fit(data.X, data.y)
    distance = bounds.of_coefficients(model, len(data.y))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=distance)
    # The features spread over a few units.
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=0, atol=np.abs(data.X).max() * distance)
    plain = SoftmaxRegression(tol=1e-12).fit(data.X, data.y)
    assert np.abs(model.coef_ - plain.coef_).max() > 0.01


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_of_pandas_and_polars(frame: Any) -> None:
    data = data_sets.real("wine")
    names = [f"column {i}" for i in range(13)]
    X = frame(dict(zip(names, data.X.T, strict=True)))
    y = (pd.Series if frame is pd.DataFrame else pl.Series)(np.array(["a", "b", "c"])[data.y])
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression(tol=1e-13))
    pipeline.set_output(transform="pandas" if frame is pd.DataFrame else "polars")
    pipeline.fit(X, y)
    assert pipeline[-1].feature_names_in_.tolist() == names
    assert pipeline[-1].classes_.tolist() == ["a", "b", "c"]
    scaled = (data.X - data.X.mean(axis=0)) / data.X.std(axis=0)
    expected = SoftmaxRegression(tol=1e-13).fit(scaled, data.y)
    # A probability moves by at most half of what the logits do.
    moved = bounds.of_coefficients(expected, len(data.y)) * np.linalg.norm(scaled, axis=1).max()
    np.testing.assert_allclose(pipeline.predict_proba(X), expected.predict_proba(scaled), rtol=0, atol=moved)


def test_sample_weights_are_routed() -> None:
    data = data_sets.real("iris")
    weights = (np.arange(150) % 3 + 1.0) * (data.y != 1)
    with sklearn.config_context(enable_metadata_routing=True):
        model = SoftmaxRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        search = GridSearchCV(model, {"C": [1.0]}, cv=3).fit(data.X, data.y, sample_weight=weights)
        assert 1 not in search.predict(data.X)
        calibrated = CalibratedClassifierCV(model, cv=3).fit(data.X, data.y, sample_weight=weights)
    assert calibrated.score(data.X, data.y) < 0.7


def test_a_polished_fit_to_float32_is_that_of_float64() -> None:
    data = data_sets.real("breast_cancer")
    X = data.X.astype(np.float32)
    exact = SoftmaxRegression(tol=1e-13).fit(X.astype(np.float64), data.y)
    plain = SoftmaxRegression().fit(X, data.y)
    polished = SoftmaxRegression(tol=1e-11, polish=True)
    polished.fit(X, data.y)
    assert polished.converged_
    assert polished.n_iter_ == len(polished.loss_curve_) - 1 > plain.n_iter_
    assert polished.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=2 * polished.tol, abs=0.0)
    distance = bounds.of_coefficients(polished, len(data.y))
    np.testing.assert_allclose(polished.coef_, exact.coef_, rtol=0, atol=distance)
    assert np.abs(plain.coef_ - exact.coef_).max() > distance


def test_the_number_of_threads_changes_no_bit() -> None:
    rng = fresh_rng()
    data = data_sets.random(rng, rows=9000, features=40, classes=5)
    one, three = (SoftmaxRegression(n_threads=n).fit(data.X, data.y) for n in (1, 3))
    np.testing.assert_array_equal(one.coef_, three.coef_)
    assert one.loss_curve_ == three.loss_curve_
    assert one.solver_ == "lbfgs-blocks"


def test_workers_keep_the_order_and_leave_the_threads_of_others_alone() -> None:
    before = softgrad.get_num_threads(), [library["num_threads"] for library in threadpool_info()]
    names: set[str] = set()

    def square(i: int) -> int:
        names.add(threading.current_thread().name)
        return i * i

    with Workers(3) as workers:
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {1}
        assert softgrad.get_num_threads() == 1
        assert list(workers.map(square, range(100))) == [i * i for i in range(100)]
        assert names - {threading.main_thread().name}
        names.clear()
        assert list(workers.map(square, [7])) == [49]
        assert names == {threading.main_thread().name}
    assert before == (softgrad.get_num_threads(), [library["num_threads"] for library in threadpool_info()])


def test_what_a_worker_raises_is_raised() -> None:
    with Workers(2) as workers, pytest.raises(ZeroDivisionError):
        list(workers.map(lambda i: 1 // (i - 5), range(20)))


@pytest.mark.skipif(not hasattr(SoftmaxRegression, "set_callbacks"), reason="scikit-learn has callbacks since 1.9")
class TestScikitLearnCallbacks:
    class Recorder:
        def __init__(self, stop_after: int = 10**9) -> None:
            self.calls: list[tuple[str, str]] = []
            self.losses: list[float] = []
            self.stop_after = stop_after

        def setup(self, estimator: Any, context: Any) -> None:  # noqa: ARG002
            self.calls.append(("setup", context.task_name))

        def teardown(self, estimator: Any, context: Any) -> None:  # noqa: ARG002
            self.calls.append(("teardown", context.task_name))

        def on_fit_task_begin(self, estimator: Any, context: Any) -> None:  # noqa: ARG002
            self.calls.append(("begin", context.task_name))

        def on_fit_task_end(
            self,
            estimator: Any,  # noqa: ARG002
            context: Any,
            *,
            X: Any = None,
            fitted_estimator: Any = None,
        ) -> bool:
            self.calls.append(("end", context.task_name))
            if context.task_name == "iteration":
                self.losses.append(float(fitted_estimator.predict_proba(X).max(axis=1).mean()))
            return len(self.losses) >= self.stop_after

    def test_a_task_for_each_iteration(self) -> None:
        data = data_sets.real("wine", standardised=True)
        recorder = self.Recorder()
        model = SoftmaxRegression().set_callbacks(recorder).fit(data.X, data.y)
        iterations = [("begin", "iteration"), ("end", "iteration")] * model.n_iter_
        assert recorder.calls == [
            ("setup", "fit"), ("begin", "fit"), *iterations, ("end", "fit"), ("teardown", "fit")
        ]  # fmt: skip
        assert recorder.losses[-1] == pytest.approx(
            model.predict_proba(data.X).max(axis=1).mean(), rel=4 * bounds.EPS, abs=0.0
        )
        assert recorder.losses[0] < recorder.losses[-1]

    def test_a_callback_can_end_the_fit(self) -> None:
        data = data_sets.real("wine", standardised=True)
        model = SoftmaxRegression().set_callbacks(self.Recorder(stop_after=2))
        with pytest.warns(UserWarning, match="a callback asked for the end"):
            model.fit(data.X, data.y)
        assert model.n_iter_ == 2
        assert not model.converged_


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"l1_ratio": 1.1}, r"'l1_ratio' parameter .* in the range \[0.0, 1.0\]. Got 1.1"),
        ({"label_smoothing": 1.0}, r"'label_smoothing' parameter .* in the range \[0.0, 1.0\). Got 1.0"),
        ({"solver": "lbfgs"}, r"'solver' parameter .* Got 'lbfgs'"),
        ({"n_threads": 0}, r"'n_threads' parameter .* Got 0"),
        ({"polish": 1.5}, r"'polish' parameter .* Got 1.5"),
        ({"random_state": "x"}, r"'random_state' parameter .* Got 'x'"),
    ],
)
def test_bad_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression(**parameters).fit(*data_sets.real("iris"))
