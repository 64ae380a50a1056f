"""Standard errors are those of statsmodels, and of the inverse information written out; what has none is refused."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import norm

from softgrad.linear_model import SoftmaxRegression, Summary
from tests.linear_model import bounds, data_sets, unpenalised
from tests.oracles.inputs import fresh_rng

TOL = 1e-14


def fitted(data: data_sets.DataSet, weights: np.ndarray | None = None, **parameters: Any) -> SoftmaxRegression:
    return SoftmaxRegression(C=np.inf, tol=TOL, **parameters).fit(data.X, data.y, weights)


def assert_same(summary: Summary, coef: np.ndarray, covariances: np.ndarray) -> None:
    """The coefficients (K - 1, p), and the standard errors of their covariances (K - 1, p, p).

    What solving with the information costs is its condition; the errors that a gap of TOL leaves are far below that.
    """
    std_err = np.sqrt(np.einsum("kpp->kp", covariances))
    condition = max(np.linalg.cond(covariance) for covariance in covariances)
    slack = 64 * bounds.EPS * condition + 2 * np.sqrt(TOL)
    np.testing.assert_allclose(summary.std_err, std_err, rtol=slack)
    np.testing.assert_allclose(summary.coef, coef, rtol=0, atol=slack * np.abs(coef).max())
    np.testing.assert_allclose(summary.z, coef / std_err, rtol=0, atol=slack * np.abs(coef / std_err).max())


@pytest.mark.parametrize(
    ("name", "columns"), [("wine", [0, 4]), ("breast_cancer", [0, 1, 8]), ("iris", [1]), ("digits", [2, 10, 20])]
)
def test_the_numbers_of_statsmodels(name: str, columns: list[int]) -> None:
    api = pytest.importorskip("statsmodels.api")
    data = data_sets.real(name)
    data = data_sets.DataSet(data.X[:, columns], data.y)
    with warnings.catch_warnings():
        # With a tolerance below rounding its Newton's method goes on to the last iteration, and warns.
        warnings.simplefilter("ignore")
        peer = api.MNLogit(data.y, api.add_constant(data.X)).fit(method="newton", tol=TOL, maxiter=30, disp=0)
    summary = fitted(data).summary(data.X, data.y, alpha=0.1)
    condition = np.linalg.cond(peer.cov_params())
    slack = 64 * bounds.EPS * condition + 2 * np.sqrt(TOL)
    # What was promised: six digits.
    assert slack < 10 * np.sqrt(TOL)
    np.testing.assert_allclose(summary.std_err, peer.bse.T, rtol=slack)
    np.testing.assert_allclose(summary.coef, peer.params.T, rtol=0, atol=slack * np.abs(peer.params).max())
    np.testing.assert_allclose(summary.z, peer.tvalues.T, rtol=0, atol=slack * np.abs(peer.tvalues).max())
    # The logarithm of p falls by about z for each unit of z.
    np.testing.assert_allclose(
        summary.p_value, peer.pvalues.T, rtol=2 * slack * (1 + peer.tvalues**2).max(), atol=bounds.EPS**4
    )
    limits = peer.conf_int(alpha=0.1).reshape(summary.conf_int.shape)
    np.testing.assert_allclose(summary.conf_int, limits, rtol=0, atol=slack * np.abs(limits).max())


@pytest.mark.parametrize("kind", ["dense", "sparse", "float32", "without intercepts", "stream", "many"])
def test_the_inverse_of_the_information(kind: str) -> None:
    """Rows count as often as their weight says, in whatever form they come."""
    rng = fresh_rng()
    rows = 12000 if kind == "many" else 500
    data = data_sets.random(rng, rows=rows, features=6, classes=4)
    X = np.where(rng.random(data.X.shape) < 0.7, data.X, 0.0) * np.logspace(-3, 3, 6) + (kind != "sparse") * 5.0
    X = X.astype(np.float32).astype(np.float64)
    weights = rng.integers(0, 3, rows).astype(float)
    intercept = kind != "without intercepts"
    columns = unpenalised.with_ones(X, intercept=intercept)
    model = SoftmaxRegression(C=np.inf, tol=TOL, fit_intercept=intercept)
    given: Any = sparse.csr_array(X) if kind == "sparse" else X
    if kind == "stream":
        half = rows // 2
        model.fit_stream([(X[:half], data.y[:half], weights[:half]), (X[half:], data.y[half:], weights[half:])])
    else:
        model.fit(given, data.y, weights)
    given = X.astype(np.float32) if kind == "float32" else given
    summary = model.summary(given, data.y, weights, baseline=2)
    assert (summary.baseline, summary.classes.tolist()) == (2, [0, 1, 3])
    # In units in which the information can be inverted; the intercept comes first.
    units = np.abs(columns).max(axis=0)
    theta = np.column_stack([model.coef_, model.intercept_])[:, : columns.shape[1]]
    information = unpenalised.information(columns / units, theta * units, weights)
    kept = np.delete(np.arange(theta.size).reshape(theta.shape), 2, axis=0).ravel()
    covariance = np.linalg.inv(information[np.ix_(kept, kept)]).reshape(3, len(units), 3, len(units))
    of_classes = np.einsum("kpkq->kpq", covariance) / np.outer(units, units)
    order = np.roll(np.arange(len(units)), 1) if intercept else np.arange(len(units))
    assert_same(summary, np.delete(theta - theta[2], 2, axis=0)[:, order], of_classes[:, order][:, :, order])


def test_p_values_and_intervals_follow_from_the_errors() -> None:
    data = data_sets.random(fresh_rng(), rows=400, features=3, classes=3)
    summary = fitted(data).summary(data.X, data.y, alpha=0.01)
    np.testing.assert_allclose(summary.p_value, 2 * norm.sf(np.abs(summary.z)), rtol=256 * bounds.EPS)
    reach = norm.ppf(0.995) * summary.std_err
    limits = np.stack([summary.coef - reach, summary.coef + reach], axis=-1)
    np.testing.assert_allclose(summary.conf_int, limits, rtol=0, atol=64 * bounds.EPS * np.abs(limits).max())


def test_the_intervals_cover_what_the_labels_are_drawn_from() -> None:
    """At 80 %, over 400 coefficients: fewer than 70 % or more than 90 % of them come once in a million runs."""
    rng = fresh_rng()
    truth = np.array([[0.3, 0.5, -0.4], [-0.2, 0.1, 0.6]])
    covered = []
    for _ in range(67):
        X = rng.standard_normal((300, 2))
        logits = np.column_stack([np.zeros(300), truth[:, 0] + X @ truth[:, 1:].T])
        y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
        summary = SoftmaxRegression(C=np.inf).fit(X, y).summary(X, y, alpha=0.2)
        covered.append((summary.conf_int[:, :, 0] < truth) & (truth < summary.conf_int[:, :, 1]))
    assert 0.7 < np.mean(covered) < 0.9


def test_names_and_tables() -> None:
    pandas = pytest.importorskip("pandas")
    rng = fresh_rng()
    data = data_sets.random(rng, rows=300, features=2, classes=3)
    frame = pandas.DataFrame(data.X, columns=["height", "width"])
    y = np.array(["oak", "ash", "elm"])[data.y]
    summary = SoftmaxRegression(C=np.inf, tol=TOL).fit(frame, y).summary(frame, y, baseline="elm")
    assert summary.terms == ("intercept", "height", "width")
    assert (summary.baseline, summary.classes.tolist()) == ("elm", ["ash", "oak"])
    table = summary.to_frame()
    assert table.loc[("oak", "width"), "std_err"] == summary.std_err[1, 2]
    assert table.loc[("ash", "height"), "upper"] == summary.conf_int[0, 1, 1]
    lines = str(summary).splitlines()
    assert [line for line in lines if "against" in line] == ["class 'ash' against 'elm'", "class 'oak' against 'elm'"]
    row = [line for line in lines if line.startswith("width")][1].split()
    assert row[1:3] == [f"{summary.coef[1, 2]:.4f}", f"{summary.std_err[1, 2]:.4f}"]
    assert row[5:] == [f"{limit:.4f}" for limit in summary.conf_int[1, 2]]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 1e6}, "C is 1000000.0: what is fitted is no likelihood; summary needs C=inf"),
        ({"C": np.inf, "class_weight": "balanced"}, "class_weight is balanced: .* summary needs class_weight=None"),
        ({"C": np.inf, "label_smoothing": 0.1}, "label_smoothing is 0.1: .* summary needs label_smoothing=0"),
    ],
)
def test_what_is_no_likelihood_is_refused(parameters: dict[str, Any], message: str) -> None:
    data = data_sets.random(fresh_rng(), rows=300, features=2, classes=3)
    model = SoftmaxRegression(**parameters).fit(data.X, data.y)
    with pytest.raises(ValueError, match=message):
        model.summary(data.X, data.y)


def test_bad_arguments() -> None:
    rng = fresh_rng()
    data = data_sets.random(rng, rows=300, features=2, classes=3)
    model = fitted(data)
    with pytest.raises(ValueError, match=re.escape("baseline is 7; the classes are [0, 1, 2]")):
        model.summary(data.X, data.y, baseline=7)
    with pytest.raises(ValueError, match=r"alpha is 1\.5; it must be above 0 and below 1"):
        model.summary(data.X, data.y, alpha=1.5)
    with pytest.raises(ValueError, match="y has probabilities of the classes"):
        model.summary(data.X, np.full((300, 3), 1 / 3))
    with pytest.raises(ValueError, match="X has 1 features"):
        model.summary(data.X[:, :1], data.y)
    for X, y, weights in (
        (data.X, rng.permutation(data.y), None),
        (data.X[:150], data.y[:150], None),
        (data.X, data.y, rng.integers(1, 4, 300)),
    ):
        with pytest.raises(ValueError, match=r"standard errors from the optimum of these rows; at most 0\.1"):
            model.summary(X, y, weights)
    # Steep logits, so that the optimum is more than a step away.
    y = (data.X @ [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]] + rng.gumbel(size=(300, 3))).argmax(axis=1)
    loose = SoftmaxRegression(C=np.inf, max_iter=1)
    with pytest.warns(UserWarning, match="max_iter=1 iterations were not enough"):
        loose.fit(data.X, y)
    with pytest.raises(ValueError, match="standard errors from the optimum"):
        loose.summary(data.X, y)


def test_dependent_features_are_named() -> None:
    pandas = pytest.importorskip("pandas")
    data = data_sets.random(fresh_rng(), rows=300, features=3, classes=3)
    frame = pandas.DataFrame(data.X, columns=["a", "b", "c"])
    y = data.y
    doubled = frame.assign(total=frame["a"] - 3.0 * frame["c"] + 2.0)
    with pytest.raises(ValueError, match="the features 'a', 'c', 'total' are dependent"):
        SoftmaxRegression(C=np.inf).fit(doubled, y).summary(doubled, y)
    constant = frame.assign(same=4.0)
    with pytest.raises(ValueError, match="the features 'same' are dependent"):
        SoftmaxRegression(C=np.inf).fit(constant, y).summary(constant, y)
