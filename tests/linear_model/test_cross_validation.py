"""SoftmaxRegressionCV against a loop over folds and values, and what it refuses."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from softgrad.linear_model import SoftmaxRegression, SoftmaxRegressionCV
from tests.linear_model import bounds, data_sets
from tests.oracles.inputs import fresh_rng

CS = [10.0, 1e-3, 0.1]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_scores_are_those_of_separate_fits(n_jobs: int | None) -> None:
    data = data_sets.real("wine", standardised=True)
    folds = list(StratifiedKFold(3).split(*data))
    model = SoftmaxRegressionCV(Cs=CS, cv=folds, n_jobs=n_jobs).fit(*data)
    expected = np.zeros((3, 3))
    for fold, (train, test) in enumerate(folds):
        for place, C in enumerate(sorted(CS)):
            fitted = SoftmaxRegression(C=C).fit(data.X[train], data.y[train])
            expected[fold, place] = -log_loss(data.y[test], fitted.predict_proba(data.X[test]))
    # Along the path a fit starts from another point; a gap moves probabilities by its root.
    np.testing.assert_allclose(model.scores_, expected, rtol=np.sqrt(bounds.TOL))
    assert model.Cs_.tolist() == sorted(CS)
    assert model.C_ == sorted(CS)[expected.mean(axis=0).argmax()] != 1e-3
    whole = SoftmaxRegression(C=model.C_).fit(*data)
    np.testing.assert_array_equal(model.coef_, whole.coef_)
    assert model.n_iter_ == whole.n_iter_
    assert model.converged_
    assert model.score(*data) == whole.score(*data)


def test_scoring_weights_groups_and_sparse_rows() -> None:
    rng = fresh_rng()
    data = data_sets.rare_flags(rng)
    weights, groups = rng.uniform(0.5, 2.0, 1200), np.arange(1200) % 4
    Cs = [0.01, 0.1]
    model = SoftmaxRegressionCV(Cs=Cs, cv=GroupKFold(4), scoring="accuracy", l1_ratio=0.5, tol=1e-4)
    model.fit(sparse.csr_array(data.X), data.y, weights, groups)
    assert model.scores_.shape == (4, 2)
    train, test = next(GroupKFold(4).split(data.X, data.y, groups))
    first = SoftmaxRegression(C=0.01, l1_ratio=0.5, tol=1e-4).fit(data.X[train], data.y[train], weights[train])
    accuracy = first.score(data.X[test], data.y[test], weights[test])
    # A few rows are so near a border that the gap decides.
    assert model.scores_[0, 0] == pytest.approx(accuracy, abs=2 * weights.max() / weights[test].sum())
    assert 0 < np.mean(model.coef_ == 0) < 1
    assert SoftmaxRegressionCV(Cs=3, cv=3).fit(*data_sets.real("iris", standardised=True)).Cs_.tolist() == [
        1e-4,
        1.0,
        1e4,
    ]


def test_a_tie_goes_to_the_smallest() -> None:
    data = data_sets.real("iris")
    model = SoftmaxRegressionCV(Cs=CS, cv=3, scoring=lambda *_arguments, **_options: 0.5).fit(*data)
    assert model.C_ == 1e-3


@pytest.mark.parametrize(
    ("Cs", "message"),
    [
        ([1.0, 0.0], r"Cs\[1\] is 0.0; it must be positive and finite"),
        ([np.nan], r"Cs\[0\] is nan"),
        ([], r"Cs has shape \(0,\)"),
        ([[1.0]], r"Cs has shape \(1, 1\)"),
        (0, r"'Cs' parameter .* Got 0"),
    ],
)
def test_bad_values(Cs: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SoftmaxRegressionCV(Cs=Cs).fit(*data_sets.real("iris"))  # type: ignore[arg-type]


def test_a_fold_without_a_class_is_an_error() -> None:
    data = data_sets.real("iris")
    rows = np.arange(150)
    with pytest.raises(ValueError, match="fold 0 of cv scores rows of class 2 and fits to none"):
        SoftmaxRegressionCV(cv=[(rows[:100], rows[100:])]).fit(*data)


def test_folds_in_threads_have_the_bits_of_one_after_the_other() -> None:
    # So many features that BLAS divides a sum where it has several threads, which its caller has asked for.
    rng = fresh_rng()
    X = rng.standard_normal((800, 520))
    y = (X @ rng.standard_normal((520, 10))).argmax(axis=1)

    def scoring(model: SoftmaxRegression, X: np.ndarray, y: object, sample_weight: object) -> float:  # noqa: ARG001
        return float(crc32(model.coef_.tobytes() + model.predict_log_proba(X).tobytes()))

    options = {"Cs": [1e-4], "cv": KFold(2), "scoring": scoring, "tol": 1e-2}
    one, two = (SoftmaxRegressionCV(**options, n_jobs=n_jobs) for n_jobs in (1, 2))  # type: ignore[arg-type]
    with threadpool_limits(1, user_api="blas"):
        expected = one.fit(X, y).scores_
    for model in (one, two):
        with threadpool_limits(2, user_api="blas"):
            np.testing.assert_array_equal(model.fit(X, y).scores_, expected)


def test_warnings_name_the_fit_and_point_to_the_caller() -> None:
    data = data_sets.real("iris", standardised=True)
    with pytest.warns(ConvergenceWarning) as caught:
        SoftmaxRegressionCV(Cs=[1.0], cv=2, max_iter=1).fit(*data)
    told = [str(warning.message).partition(": SoftmaxRegression stopped")[0] for warning in caught]
    assert told == ["fold 0 of cv, C=1", "fold 1 of cv, C=1", "all rows, C=1"]
    assert {warning.filename for warning in caught} == {__file__}


def test_an_error_of_a_scorer_names_the_fold() -> None:
    def scoring(model: SoftmaxRegression, X: object, y: np.ndarray, sample_weight: object) -> float:  # noqa: ARG001
        if len(y) == 40 and model.C == 0.1:
            raise LookupError("no such score")
        return 0.0

    folds = [(np.arange(150), np.arange(30)), (np.arange(150), np.arange(40))]
    with pytest.raises(LookupError, match="no such score") as caught:
        SoftmaxRegressionCV(Cs=CS, cv=folds, scoring=scoring).fit(*data_sets.real("iris"))
    assert caught.value.__notes__ == ["in fold 1 of cv, with C=0.1"]
