"""SoftmaxRegression as an object: what it predicts, reports, keeps, and refuses."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from scipy.special import log_softmax as scipy_log_softmax
from scipy.special import softmax as scipy_softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import softgrad
from softgrad.linear_model import IterationReport, SoftmaxRegression
from tests.linear_model import bounds, data_sets
from tests.oracles.inputs import fresh_rng


@pytest.fixture(scope="module")
def wine() -> data_sets.DataSet:
    return data_sets.real("wine", standardised=True)


@pytest.fixture(scope="module")
def fitted(wine: data_sets.DataSet) -> SoftmaxRegression:
    return SoftmaxRegression().fit(*wine)


def test_it_is_the_public_name() -> None:
    assert softgrad.SoftmaxRegression is SoftmaxRegression


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_predictions_are_those_of_the_scores(dtype: type, wine: data_sets.DataSet, fitted: SoftmaxRegression) -> None:
    X = wine.X.astype(dtype)
    logits = X.astype(float) @ fitted.coef_.T + fitted.intercept_
    tolerance = {"rtol": 0, "atol": 100 * float(np.finfo(dtype).eps) * np.abs(logits).max()}
    results = {
        "decision_function": logits,
        "predict_proba": scipy_softmax(logits, axis=1),
        "predict_log_proba": scipy_log_softmax(logits, axis=1),
    }
    for name, expected in results.items():
        result = getattr(fitted, name)(X)
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, **tolerance)
    np.testing.assert_array_equal(fitted.predict(X), logits.argmax(axis=1))
    assert fitted.score(X, wine.y) == np.mean(logits.argmax(axis=1) == wine.y) > 0.98


def test_two_classes() -> None:
    data = data_sets.real("breast_cancer", standardised=True)
    model = SoftmaxRegression().fit(data.X, np.array(["malignant", "benign"])[data.y])
    logits = data.X @ model.coef_.T + model.intercept_
    decision = model.decision_function(data.X)
    assert model.coef_.shape == (2, 30)
    assert model.classes_.tolist() == ["benign", "malignant"]
    rounding = 128 * bounds.EPS * np.abs(logits).max()
    np.testing.assert_allclose(decision, logits[:, 1] - logits[:, 0], rtol=0, atol=rounding)
    np.testing.assert_array_equal(model.predict(data.X), model.classes_[(decision > 0).astype(int)])
    assert model.predict_proba(data.X).shape == (569, 2)
    assert model.score(data.X, np.array(["malignant", "benign"])[data.y]) > 0.98


def test_log_probabilities_of_confident_rows_keep_their_digits(
    wine: data_sets.DataSet, fitted: SoftmaxRegression
) -> None:
    far = 10 * wine.X[:1]
    logits = np.sort((far @ fitted.coef_.T + fitted.intercept_)[0])
    assert fitted.predict_proba(far).max() == 1.0
    expected = -np.exp(logits[:2] - logits[2]).sum()
    # An exponential has the roundings of its argument.
    rounding = 64 * bounds.EPS * np.abs(logits).max()
    assert fitted.predict_log_proba(far).max() == pytest.approx(expected, rel=rounding, abs=0.0)


def test_attributes(fitted: SoftmaxRegression) -> None:
    assert fitted.coef_.shape == (3, 13)
    assert fitted.intercept_.shape == (3,)
    assert fitted.coef_.dtype == fitted.intercept_.dtype == np.float64
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert fitted.n_features_in_ == 13
    assert type(fitted.n_iter_) is int
    assert type(fitted.converged_) is bool
    assert type(fitted.solver_) is str
    assert all(type(value) is float for value in [*fitted.loss_curve_, fitted.relative_gap_])
    assert fitted.relative_gap_ <= fitted.tol


@pytest.mark.parametrize("C", [1e-4, 1.0, 1e6])
def test_loss_curve_falls_from_the_class_frequencies_to_the_fit(wine: data_sets.DataSet, C: float) -> None:
    model = SoftmaxRegression(C=C).fit(*wine)
    curve = np.array(model.loss_curve_)
    frequencies = np.bincount(wine.y) / len(wine.y)
    assert len(curve) == model.n_iter_ + 1
    assert curve[0] == pytest.approx(-np.sum(frequencies * np.log(frequencies)), rel=512 * bounds.EPS, abs=0.0)
    assert curve[-1] == pytest.approx(
        data_sets.objective(*wine, model.coef_, model.intercept_, C), rel=2**18 * bounds.EPS, abs=0.0
    )
    assert np.all(np.diff(curve) < 0)


def test_callback_is_given_what_the_attributes_say(wine: data_sets.DataSet) -> None:
    reports: list[IterationReport] = []
    model = SoftmaxRegression(max_iter=50, callback=reports.append).fit(*wine)
    assert [report.iteration for report in reports] == list(range(1, model.n_iter_ + 1))
    assert {report.max_iter for report in reports} == {50}
    assert [report.objective for report in reports] == model.loss_curve_[1:]
    assert reports[-1].relative_gap == model.relative_gap_
    assert all(report.relative_gap > model.tol for report in reports[:-1])
    with pytest.raises(AttributeError):
        reports[0].iteration = 3  # type: ignore[misc]


def test_what_the_callback_raises_ends_the_fit(wine: data_sets.DataSet) -> None:
    class Enough(Exception):
        pass

    def stop(report: IterationReport) -> None:
        if report.iteration == 2:
            raise Enough

    model = SoftmaxRegression(callback=stop)
    with pytest.raises(Enough):
        model.fit(*wine)
    assert not hasattr(model, "coef_")


def test_verbose_prints_a_line_per_iteration(wine: data_sets.DataSet, capsys: pytest.CaptureFixture[str]) -> None:
    model = SoftmaxRegression().fit(*wine)
    assert capsys.readouterr().out == ""
    model.set_params(verbose=1).fit(*wine)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    assert lines[0].startswith(f"iteration 1/1000: objective {model.loss_curve_[1]:.9g}, relative gap before it ")


def test_warm_start_continues(wine: data_sets.DataSet) -> None:
    for data in (wine, data_sets.real("digits"), data_sets.random(fresh_rng(), rows=60, features=300, classes=4)):
        cold = SoftmaxRegression(C=2.0).fit(*data)
        warm = SoftmaxRegression(C=1.0, warm_start=True).fit(*data).set_params(C=2.0).fit(*data)
        assert warm.n_iter_ < cold.n_iter_
        assert warm.loss_curve_[0] < 0.5 * cold.loss_curve_[0]
        assert warm.loss_curve_[-1] == pytest.approx(cold.loss_curve_[-1], rel=2 * cold.tol, abs=0.0)
        assert warm.fit(*data).n_iter_ == 1


def test_warm_start_takes_coefficients_set_by_hand(wine: data_sets.DataSet) -> None:
    """Whatever their sum over the classes is."""
    expected = SoftmaxRegression(tol=1e-12).fit(*wine)
    model = SoftmaxRegression(tol=1e-12, warm_start=True).fit(*wine)
    model.coef_, model.intercept_ = model.coef_ + 1.0, model.intercept_ - 2.0
    model.fit(*wine)
    assert model.n_iter_ == 1
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=bounds.of_coefficients(model, len(wine.y)))


def test_without_warm_start_a_fit_forgets(wine: data_sets.DataSet) -> None:
    once = SoftmaxRegression().fit(*wine)
    twice = SoftmaxRegression().fit(wine.X[:100], wine.y[:100]).fit(*wine)
    np.testing.assert_array_equal(once.coef_, twice.coef_)
    assert once.loss_curve_ == twice.loss_curve_


def test_copies(wine: data_sets.DataSet, fitted: SoftmaxRegression) -> None:
    for other in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.predict_proba(wine.X), fitted.predict_proba(wine.X))
    fresh = clone(SoftmaxRegression(C=3.0, class_weight={0: 2.0}, callback=print))
    assert fresh.get_params() == SoftmaxRegression(C=3.0, class_weight={0: 2.0}, callback=print).get_params()
    assert not hasattr(clone(fitted), "coef_")
    assert repr(SoftmaxRegression(C=3.0)) == "SoftmaxRegression(C=3.0)"


def test_fit_changes_none_of_its_arguments() -> None:
    data = data_sets.real("iris")
    weights = np.linspace(0.0, 2.0, 150)
    copies = [np.array(values) for values in (data.X, data.y, weights)]
    SoftmaxRegression(class_weight="balanced").fit(data.X, data.y, weights)
    for values, before in zip((data.X, data.y, weights), copies, strict=True):
        np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("layout", ["fortran", "every second row", "reversed", "read-only", "integers", "lists"])
def test_layouts_of_X(layout: str) -> None:
    data = data_sets.real("digits")
    X = data.X[:300]
    given = {
        "fortran": np.asfortranarray(X),
        "every second row": np.repeat(X, 2, axis=0)[::2],
        "reversed": np.ascontiguousarray(X[::-1])[::-1],
        "read-only": X.copy(),
        "integers": X.astype(np.int16),
        "lists": X.tolist(),
    }[layout]
    if layout == "read-only":
        given.flags.writeable = False
    expected = SoftmaxRegression().fit(X.copy(), data.y[:300])
    np.testing.assert_array_equal(SoftmaxRegression().fit(given, data.y[:300]).coef_, expected.coef_)


def test_it_works_inside_scikit_learn() -> None:
    X, y = data_sets.real("wine")
    weights = np.ones(len(y))
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression())
    search = GridSearchCV(pipeline, {"softmaxregression__C": [1e-4, 1.0]}, cv=3)
    search.fit(X, y, softmaxregression__sample_weight=weights)
    assert search.best_params_ == {"softmaxregression__C": 1.0}
    assert search.score(X, y) > 0.98
    calibrated = CalibratedClassifierCV(SoftmaxRegression(), cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.9


def test_names_of_features(wine: data_sets.DataSet) -> None:
    names = [f"column {i}" for i in range(13)]
    table = pa.table(list(wine.X.T), names)
    model = SoftmaxRegression().fit(table, wine.y)
    assert model.feature_names_in_.tolist() == names
    assert model.score(table, wine.y) > 0.98
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table.select(names[::-1]))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(wine.X)


def test_not_converged_warns_with_numbers(wine: data_sets.DataSet) -> None:
    model = SoftmaxRegression(max_iter=2)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(*wine)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert str(caught[0].message) == (
        f"SoftmaxRegression stopped at a relative gap of about {model.relative_gap_:.2e} (tol=1e-06), after 2 "
        f"iterations at the objective {model.loss_curve_[-1]:.9g}: max_iter=2 iterations were not enough"
    )
    assert model.converged_ is False
    assert model.n_iter_ == 2
    assert model.relative_gap_ > model.tol
    assert model.score(*wine) > 0.9
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit_stream([tuple(wine)])
    assert [warning.filename for warning in caught] == [__file__]


def test_a_tolerance_that_float32_cannot_reach_warns() -> None:
    data = data_sets.real("breast_cancer")
    model = SoftmaxRegression(tol=1e-15)
    with pytest.warns(ConvergenceWarning, match="rounding in float32 hides what is left to gain"):
        model.fit(data.X.astype(np.float32), data.y)
    assert model.converged_ is False
    assert model.n_iter_ < 30
    assert model.tol < model.relative_gap_ < bounds.TOL


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0.0}, r"The 'C' parameter of SoftmaxRegression must be a float in the range \(0.0, inf\]. Got 0.0"),
        ({"C": -1.0}, r"'C' parameter .* Got -1.0"),
        ({"C": np.inf, "l1_ratio": 0.5}, r"l1_ratio is 0.5; with C=inf there is no penalty to share, it must be 0"),
        ({"C": np.nan}, r"'C' parameter .* Got nan"),
        ({"C": "1"}, r"'C' parameter .* Got '1'"),
        ({"tol": 0.0}, r"'tol' parameter .* must be a float in the range \(0.0, inf\). Got 0.0"),
        ({"tol": np.nan}, r"'tol' parameter .* Got nan"),
        ({"max_iter": 0}, r"'max_iter' parameter .* must be an int in the range \[1, inf\). Got 0"),
        ({"max_iter": 10.0}, r"'max_iter' parameter .* Got 10.0"),
        ({"fit_intercept": "no"}, r"'fit_intercept' parameter .* Got 'no'"),
        ({"class_weight": "equal"}, r"'class_weight' parameter .* Got 'equal'"),
        ({"class_weight": {0: -1.0}}, r"class_weight of class 0 is -1.0; it must be finite and not negative"),
        ({"class_weight": {1: np.nan}}, r"class_weight of class 1 is nan"),
        ({"class_weight": {7: 1.0}}, r"The classes, .*, are not in class_weight"),
        ({"callback": 3}, r"'callback' parameter .* Got 3"),
        ({"verbose": -1}, r"'verbose' parameter .* Got -1"),
    ],
)
def test_bad_parameters(parameters: dict[str, Any], message: str, wine: data_sets.DataSet) -> None:
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression(**parameters).fit(*wine)


def changed(values: np.ndarray, at: tuple[int, ...], value: float) -> np.ndarray:
    result = np.array(values, dtype=float)
    result[at] = value
    return result


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda y: np.ones(len(y) - 1), r"sample_weight.shape == \(177,\), expected \(178,\)"),
        (lambda y: np.ones((len(y), 1)), r"Sample weights must be 1D array or scalar"),
        (lambda y: changed(np.ones(len(y)), (3,), -0.5), "Negative values in data passed to `sample_weight`"),
        (lambda y: changed(np.ones(len(y)), (3,), np.nan), "sample_weight contains NaN"),
        (lambda y: np.full(len(y), 1e308), "add up to more than float64 holds"),
        (lambda y: (y == 1).astype(float), "at least 2 classes need a row of positive weight; only class 1 has one"),
    ],
)
def test_bad_sample_weights(weights: Any, message: str, wine: data_sets.DataSet) -> None:
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression().fit(wine.X, wine.y, weights(wine.y))


def test_no_weight_at_all_is_an_error(wine: data_sets.DataSet) -> None:
    # scikit-learn refuses it since 1.8.
    with pytest.raises(ValueError, match=r"at least 2 classes need a row of positive weight|at least one non-zero"):
        SoftmaxRegression().fit(wine.X, wine.y, np.zeros(178))
    with pytest.raises(ValueError, match="at least 2 classes need a row of positive weight; none has one"):
        SoftmaxRegression(class_weight={0: 0.0, 1: 0.0, 2: 0.0}).fit(*wine)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite(value: float, wine: data_sets.DataSet, fitted: SoftmaxRegression) -> None:
    X = changed(wine.X, (5, 2), value)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        SoftmaxRegression().fit(X, wine.y)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        fitted.predict(X)


def test_bad_data(wine: data_sets.DataSet, fitted: SoftmaxRegression) -> None:
    with pytest.raises(ValueError, match="y has 1 class, 2; a classifier needs at least 2"):
        SoftmaxRegression().fit(wine.X, np.full(178, 2))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SoftmaxRegression().fit(wine.X, wine.y[:-1])
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        SoftmaxRegression().fit(wine.X, wine.y + 0.5)
    with pytest.raises(ValueError, match="X has 12 features, but SoftmaxRegression is expecting 13"):
        fitted.predict(wine.X[:, :12])
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(SoftmaxRegression(), method)(wine.X)


def test_warm_start_from_another_problem_is_an_error(wine: data_sets.DataSet) -> None:
    model = SoftmaxRegression(warm_start=True).fit(*wine)
    with pytest.raises(ValueError, match="X has 12 features; warm_start starts from a fit with 13"):
        model.fit(wine.X[:, :12], wine.y)
    model = SoftmaxRegression(warm_start=True).fit(*wine)
    with pytest.raises(ValueError, match=r"y has the classes \[0 1\]; warm_start starts from a fit with \[0 1 2\]"):
        model.fit(wine.X[wine.y < 2], wine.y[wine.y < 2])


def test_overflow_is_an_error(wine: data_sets.DataSet) -> None:
    model = SoftmaxRegression(warm_start=True).fit(*wine)
    model.coef_ = np.sign(model.coef_) * 1e308
    with pytest.raises(
        FloatingPointError, match=r"the objective at the starting point is .*: the logits overflow float64"
    ):
        model.fit(*wine)
    with pytest.raises(ValueError, match="feature 0 of X spreads over"):
        SoftmaxRegression().fit(1e200 * wine.X, wine.y)


def test_importing_without_scikit_learn_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "try:\n    import softgrad.linear_model\n"
        "except ImportError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == 'softgrad.linear_model needs scikit-learn: pip install "softgrad[sklearn]"\n'


def test_no_warning_of_numpy_escapes(wine: data_sets.DataSet) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        separable = SoftmaxRegression(C=1e300).fit(wine.X[:20], np.arange(20) % 2)
        nothing = SoftmaxRegression(C=1e-300).fit(*wine)
    # Next to the penalty, or to its inverse, the rest is nothing.
    assert separable.loss_curve_[-1] < 1e10 / separable.C
    assert np.abs(nothing.coef_).max() < 1e10 * nothing.C


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_features_without_entries_have_no_coefficient(dtype: type) -> None:
    X, y = data_sets.real("iris")
    wide = np.zeros((150, 9), dtype)
    wide[:, [1, 2, 5, 7]] = X
    whole = SoftmaxRegression(tol=1e-5).fit(sparse.csr_array(wide), y)
    narrow = SoftmaxRegression(tol=1e-5).fit(sparse.csr_array(X.astype(dtype)), y)
    assert whole.coef_.shape == (3, 9)
    np.testing.assert_array_equal(whole.coef_[:, [1, 2, 5, 7]], narrow.coef_)
    assert not whole.coef_[:, [0, 3, 4, 6, 8]].any()
    assert whole.solver_ == narrow.solver_
    # A previous fit may have coefficients for what has no entries here.
    whole.set_params(warm_start=True)
    whole.coef_ = whole.coef_ + np.eye(3, 9)
    again = whole.fit(sparse.csr_array(wide), y)
    assert not again.coef_[:, [0, 3, 4, 6, 8]].any()
    assert again.loss_curve_[-1] == pytest.approx(narrow.loss_curve_[-1], rel=2 * narrow.tol, abs=0.0)
