"""The objective, its gradient and its Hessian against the textbook sums over the rows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from softgrad.linear_model._data._rows import ArrayRows
from softgrad.linear_model._model import _hessian, _objective
from softgrad.linear_model._model._objective import SoftmaxObjective
from tests.linear_model import data_sets
from tests.oracles import differences
from tests.oracles.inputs import fresh_rng

EPS = np.finfo(np.float64).eps


class Setting:
    """A data set with features in different units, weights with zeros, and everything the textbook needs."""

    def __init__(self, *, fit_intercept: bool, rows: int = 70, dtype: type = np.float64) -> None:
        self.rng = fresh_rng()
        data = data_sets.random(self.rng, rows=rows, features=5, classes=4)
        units = np.array([0.1, 1.0, 3.0, 1e3, 1e7])
        self.X = np.ascontiguousarray((data.X + np.array([0.0, 5.0, -2.0, 0.3, 0.0])) * units, dtype)
        self.y = data.y
        self.weights = self.rng.uniform(0.2, 3.0, rows)
        self.weights[::7] = 0.0
        self.C = 0.7
        self.objective = SoftmaxObjective(
            ArrayRows(self.X, self.y, self.weights), n_classes=4, C=self.C, fit_intercept=fit_intercept
        )
        self.share = self.weights / self.weights.sum()

    def theta(self, scale: float = 1.0) -> np.ndarray:
        theta = scale * self.rng.standard_normal(self.objective.shape)
        return theta - theta.mean(axis=0)

    def textbook(self, theta: np.ndarray) -> float:
        coef, intercept = self.objective.coefficients(theta)
        return data_sets.objective(self.X, self.y, coef, intercept, self.C, self.weights)

    def columns(self) -> np.ndarray:
        """The standardised features, and the ones that go with an intercept."""
        X = self.X.astype(np.float64)
        centre = self.share @ X if self.objective.fit_intercept else np.zeros(5)
        columns = (X - centre) / np.abs(X - centre).max(axis=0)
        return np.column_stack([columns, np.ones(len(X))]) if self.objective.fit_intercept else columns

    def ridge(self) -> np.ndarray:
        X = self.X.astype(np.float64)
        centre = self.share @ X if self.objective.fit_intercept else np.zeros(5)
        ridge = 1.0 / (self.C * self.weights.sum() * np.abs(X - centre).max(axis=0) ** 2)
        return np.append(ridge, 0.0) if self.objective.fit_intercept else ridge

    def probabilities(self, theta: np.ndarray) -> np.ndarray:
        logits = self.columns() @ theta.T
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """(K P, K P), row by row: s (diag p - p p^T) (x) x x^T, plus the ridge."""
        total = np.kron(np.eye(4), np.diag(self.ridge()))
        for share, p, x in zip(self.share, self.probabilities(theta), self.columns(), strict=True):
            total += share * np.kron(np.diag(p) - np.outer(p, p), np.outer(x, x))
        return total


both = pytest.mark.parametrize("fit_intercept", [True, False])


def grounded(classes: int, ground: int) -> np.ndarray:
    """The coordinates of `Hessian.matrix`: units of all classes but one, centred; (classes, classes - 1)."""
    basis = np.delete(np.eye(classes), ground, axis=1)
    return basis - basis.mean(axis=0)


def symmetric(lower: np.ndarray) -> np.ndarray:
    return np.tril(lower) + np.tril(lower, -1).T


@both
def test_value_is_the_textbook_sum(fit_intercept: bool) -> None:
    setting = Setting(fit_intercept=fit_intercept)
    for scale in (0.0, 1.0, 30.0):
        theta = setting.theta(scale)
        value, _ = setting.objective.value_and_gradient(theta)
        assert value == pytest.approx(setting.textbook(theta), rel=1e3 * EPS, abs=0.0)


@both
def test_gradient_is_the_slope_of_the_textbook_sum(fit_intercept: bool) -> None:
    setting = Setting(fit_intercept=fit_intercept)
    theta = setting.theta()
    _, gradient = setting.objective.value_and_gradient(theta)
    for _ in range(6):
        direction = setting.theta()
        slope = differences.along(lambda h, direction=direction: setting.textbook(theta + h * direction))
        # Values of 64 EPS each over the steps; what is left of the extrapolation is of this order, too.
        rounding = 512 * EPS * setting.textbook(theta) / differences.STEP
        rounding += differences.METHOD_ERROR * np.linalg.norm(direction)
        assert np.vdot(gradient, direction) == pytest.approx(slope, rel=0, abs=rounding)


@both
def test_gradient_sums_to_zero_over_the_classes(fit_intercept: bool) -> None:
    setting = Setting(fit_intercept=fit_intercept)
    _, gradient = setting.objective.value_and_gradient(setting.theta())
    assert np.abs(gradient).max() > 0.001
    assert np.abs(gradient.sum(axis=0)).max() <= 8 * EPS * np.abs(gradient).max()


@both
def test_rows_as_they_are_give_what_standardised_ones_do(fit_intercept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(fit_intercept=fit_intercept)
    theta = setting.theta()
    value, gradient = setting.objective.value_and_gradient(theta)
    monkeypatch.setattr(_objective, "_FEW_ENTRIES", 0)
    source = ArrayRows(setting.X, setting.y, setting.weights)
    plain = SoftmaxObjective(source, n_classes=4, C=setting.C, fit_intercept=fit_intercept)
    plain_value, plain_gradient = plain.value_and_gradient(theta)
    assert plain_value == pytest.approx(value, rel=1e3 * EPS, abs=0.0)
    np.testing.assert_allclose(plain_gradient, gradient, rtol=0, atol=1e3 * EPS * np.abs(gradient).max())
    assert not np.array_equal(plain_gradient, gradient)


@both
def test_hessian_product_is_the_textbook_hessian(fit_intercept: bool) -> None:
    setting = Setting(fit_intercept=fit_intercept)
    theta = setting.theta()
    curvature, hessian = setting.objective.hessian(theta), setting.hessian(theta)
    for _ in range(3):
        direction = setting.theta()
        expected = (hessian @ direction.ravel()).reshape(direction.shape)
        rounding = 4096 * EPS * np.abs(expected).max()
        np.testing.assert_allclose(curvature.product(direction), expected, rtol=0, atol=rounding)


@both
@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_products_of_many_sparse_rows_are_those_of_dense_ones(
    offset: float, fit_intercept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32; not where a feature without zeros would lose what it varies by."""
    monkeypatch.setattr(_objective, "_FEW_ENTRIES", 0)
    rng = fresh_rng()
    X = rng.standard_normal((200, 6)) * np.array([1e-3, 1.0, 5.0, 1e3, 1e7, 1.0])
    X[rng.random(X.shape) < 0.6] = 0.0
    X[:, 5] = offset + rng.standard_normal(200)
    y = np.arange(200) % 3
    objectives = [
        SoftmaxObjective(ArrayRows(rows, y, np.ones(200)), n_classes=3, C=1.0, fit_intercept=fit_intercept)
        for rows in (scipy.sparse.csr_array(X), X)
    ]
    theta, direction = rng.standard_normal((2, *objectives[0].shape))
    found, expected = (objective.hessian(theta).product(direction) for objective in objectives)
    single = np.finfo(np.float32).eps
    np.testing.assert_allclose(found, expected, rtol=0, atol=64 * single * np.abs(expected).max())
    assert found.dtype == np.float64
    kept = objectives[0].hessian(theta)._rows.source.dtype
    assert kept == (np.float64 if offset and fit_intercept else np.float32)


@both
@pytest.mark.parametrize("is_sparse", [False, True])
def test_the_rough_objective_is_that_of_rounded_rows(
    is_sparse: bool, fit_intercept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after the exact one has kept what it knows of its rows, and without a change to that."""
    monkeypatch.setattr(_objective, "_FEW_ENTRIES", 0)
    rng = fresh_rng()
    rows, labels = data_sets.rare_flags(rng)
    source = ArrayRows(scipy.sparse.csr_array(rows) if is_sparse else rows, labels, np.ones(len(labels)))
    objective = SoftmaxObjective(source, n_classes=labels.max() + 1, C=10.0, fit_intercept=fit_intercept)
    theta = rng.standard_normal(objective.shape)
    value, gradient = objective.value_and_gradient(theta)
    rough = objective.rough()
    assert (objective.dtype, rough.dtype) == (np.float64, np.float32)
    found, slope = rough.value_and_gradient(theta)
    eps = float(np.finfo(np.float32).eps)
    # Scores and losses of a few tens; a gradient is a mean of standardised features, of which the largest counts.
    assert 0 < abs(found - value) <= 100 * eps * value
    np.testing.assert_allclose(slope, gradient, rtol=0, atol=100 * eps)
    assert objective.value_and_gradient(theta)[0] == value


def test_there_is_a_rough_objective_only_where_rows_are_copied() -> None:
    few = Setting(fit_intercept=True).objective
    assert few.rough() is few


@both
@pytest.mark.parametrize("few", [0, 128], ids=["by BLAS", "by the core"])
@pytest.mark.parametrize("ground", range(4))
def test_whole_hessian_is_the_textbook_hessian_on_zero_sums(
    ground: int, few: int, fit_intercept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_hessian, "_FEW_UNKNOWNS", few)
    setting = Setting(fit_intercept=fit_intercept)
    theta = setting.theta()
    wide = np.kron(grounded(4, ground), np.eye(theta.shape[1]))
    expected = wide.T @ setting.hessian(theta) @ wide
    found = symmetric(setting.objective.hessian(theta).matrix(ground))
    np.testing.assert_allclose(found, expected, rtol=0, atol=4096 * EPS * np.abs(expected).max())


@both
def test_class_covariance_and_gram_are_the_textbook_sums(fit_intercept: bool) -> None:
    setting = Setting(fit_intercept=fit_intercept)
    theta = setting.theta()
    covariance = sum(
        share * (np.diag(p) - np.outer(p, p))
        for share, p in zip(setting.share, setting.probabilities(theta), strict=True)
    )
    np.testing.assert_allclose(setting.objective.hessian(theta).class_covariance(), covariance, rtol=4096 * EPS)
    features = setting.columns()[:, :5]
    gram = features.T @ (setting.share[:, None] * features)
    np.testing.assert_allclose(setting.objective.gram(), gram, rtol=0, atol=512 * EPS * np.abs(gram).max())


def test_curvature_of_confident_rows_keeps_its_digits() -> None:
    """With every p within 1e-12 of 0 or 1, p - p^2 would be wrong in the fourth digit."""
    rng = fresh_rng()
    X = rng.uniform(1.0, 2.0, (40, 1))
    y = np.arange(40) % 3
    objective = SoftmaxObjective(ArrayRows(X, y, np.ones(40)), n_classes=3, C=1e30, fit_intercept=False)
    theta = np.array([[40.0], [-20.5], [-19.5]])
    column = (X / X.max())[:, 0]
    logits = np.outer(column, theta[:, 0] - theta[0, 0]).astype(np.longdouble)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert p[:, 1:].max() < 2**18 * EPS
    direction = np.array([[1.0], [1.0], [-2.0]])
    # p_k times the sum over l of p_l (v_k - v_l): no two nearly equal numbers are subtracted.
    spread = np.stack([p @ (value - direction[:, 0]) for value in direction[:, 0]], axis=1)
    expected = (p * spread * column[:, None] ** 2).mean(axis=0)
    curvature = objective.hessian(theta)
    tolerance = {"rtol": 0, "atol": 4096 * EPS * float(np.abs(expected).max())}
    np.testing.assert_allclose(curvature.product(direction)[:, 0], expected.astype(float), **tolerance)
    for ground in range(3):
        differences = np.delete(direction - direction[ground], ground, axis=0)
        reduced = symmetric(curvature.matrix(ground)) @ differences
        np.testing.assert_allclose(reduced[:, 0], np.delete(expected, ground).astype(float), **tolerance)
    variance = float((p[:, 0] * p[:, 1:].sum(axis=1)).mean())
    assert curvature.class_covariance()[0, 0] == pytest.approx(variance, rel=4096 * EPS, abs=0)


@pytest.mark.parametrize("kept_bytes", [0, 1 << 28], ids=["probabilities made again", "probabilities kept"])
def test_blocks_of_rows_change_nothing(kept_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(fit_intercept=True, rows=700)
    theta, direction = setting.theta(), setting.theta()

    def results() -> list[np.ndarray]:
        objective = SoftmaxObjective(
            ArrayRows(setting.X, setting.y, setting.weights), n_classes=4, C=setting.C, fit_intercept=True
        )
        curvature = objective.hessian(theta)
        return [
            objective.standardisation.centre,
            objective.standardisation.scale,
            objective.gram(),
            curvature.product(direction),
            curvature.matrix(2),
            curvature.class_covariance(),
        ]

    whole = results()
    monkeypatch.setattr(_objective, "_LOGIT_BLOCK_BYTES", 1)
    monkeypatch.setattr(_objective, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(_objective, "_LEAST_ROWS", 256)
    monkeypatch.setattr(_hessian, "KEPT_LOGIT_BYTES", kept_bytes)
    assert len(list(ArrayRows(setting.X, setting.y, setting.weights).rows.blocks(256))) == 3
    for parts, expected in zip(results(), whole, strict=True):
        np.testing.assert_allclose(parts, expected, rtol=0, atol=4096 * EPS * np.abs(expected).max())


@both
def test_coordinates_and_coefficients_are_inverse(fit_intercept: bool) -> None:
    setting = Setting(fit_intercept=fit_intercept)
    theta = setting.theta()
    again = setting.objective.coordinates(*setting.objective.coefficients(theta))
    np.testing.assert_allclose(again, theta, rtol=0, atol=4096 * EPS * np.abs(theta).max())


def test_coordinates_of_uncentred_coefficients_lower_the_penalty_alone() -> None:
    setting = Setting(fit_intercept=True)
    coef = setting.rng.standard_normal((4, 5)) / np.array([0.1, 1.0, 3.0, 1e3, 1e7])
    intercept = setting.rng.standard_normal(4)
    shifted = setting.objective.coordinates(coef + coef[0], intercept + 3.0)
    expected = setting.objective.coordinates(coef, intercept)
    np.testing.assert_allclose(shifted, expected, rtol=0, atol=4096 * EPS * np.abs(expected).max())


def test_start_is_the_optimum_without_coefficients() -> None:
    setting = Setting(fit_intercept=True)
    start = setting.objective.start()
    _, gradient = setting.objective.value_and_gradient(start)
    assert np.abs(start[:, :-1]).max() == 0.0
    assert np.abs(gradient[:, -1]).max() <= 8 * EPS
    assert np.abs(gradient[:, :-1]).max() > 0.001


def test_float32_data_give_float64_parameters() -> None:
    setting = Setting(fit_intercept=True, dtype=np.float32)
    theta = setting.theta()
    value, gradient = setting.objective.value_and_gradient(theta)
    product = setting.objective.hessian(theta).product(theta)
    assert gradient.dtype == product.dtype == np.float64
    eps = float(np.finfo(np.float32).eps)
    assert value == pytest.approx(setting.textbook(theta), rel=16 * eps, abs=0.0)
    expected = (setting.hessian(theta) @ theta.ravel()).reshape(theta.shape)
    np.testing.assert_allclose(product, expected, rtol=0, atol=64 * eps * np.abs(expected).max())
    step = 1e-4
    slope = (setting.textbook(theta + step * theta) - setting.textbook(theta - step * theta)) / (2 * step)
    assert np.vdot(gradient, theta) == pytest.approx(slope, rel=64 * eps, abs=64 * eps)


def test_the_mean_of_a_constant_feature_is_the_constant() -> None:
    """With as many rows as this the rounding of a plain mean is beyond what passes for nothing."""
    X = np.column_stack([np.full(300_000, 1.1), np.arange(300_000.0)])
    weights = np.linspace(0.5, 1.5, 300_000)
    # One chain of additions, in an order that no library chooses.
    assert np.cumsum(weights * X[:, 0])[-1] / np.cumsum(weights)[-1] != 1.1
    objective = SoftmaxObjective(ArrayRows(X, np.arange(300_000) % 2, weights), n_classes=2, C=1.0, fit_intercept=True)
    assert objective.standardisation.centre[0] == 1.1
    assert objective.standardisation.scale[0] == 0.0
    assert objective.standardisation.scale[1] > 1e5


@pytest.mark.parametrize(("dtype", "value"), [(np.float64, 1e200), (np.float64, 1.7e308), (np.float32, 1e35)])
def test_a_spread_beyond_the_dtype_names_the_feature(dtype: type, value: float) -> None:
    X = np.zeros((4, 3), dtype)
    X[:, 1] = [-value, value, value, -value]
    with pytest.raises(ValueError, match=rf"feature 1 of X spreads over .*{np.dtype(dtype)} allows up to"):
        SoftmaxObjective(ArrayRows(X, np.array([0, 1, 0, 1]), np.ones(4)), n_classes=2, C=1.0, fit_intercept=True)
