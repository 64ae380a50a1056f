"""linear-classifier: every step against the program in plain NumPy, the optimum against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from softgrad.linear_model import SoftmaxRegression
from tests.examples.results import result_of

EPS = np.finfo(np.float64).eps
X, X_TEST, Y, Y_TEST = train_test_split(
    load_digits().data / 16.0, load_digits().target, test_size=0.2, random_state=0, stratify=load_digits().target
)


def objective(logits: np.ndarray, weight: np.ndarray) -> float:
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log(probabilities[np.arange(len(Y)), Y]).mean() + 0.5e-3 * np.sum(weight**2)


def test_every_step_against_plain_numpy() -> None:
    weight = 0.01 * np.random.default_rng(0).standard_normal((10, 64)).T
    bias = np.zeros(10)
    expected = []
    for _ in range(200):
        logits = X @ weight + bias
        expected.append(objective(logits, weight))
        by_logits = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        by_logits[np.arange(len(Y)), Y] -= 1.0
        by_logits /= len(Y)
        weight, bias = weight - (X.T @ by_logits + 1e-3 * weight), bias - by_logits.sum(axis=0)
    expected.append(objective(X @ weight + bias, weight))
    result = result_of("linear-classifier")
    # Each step adds its roundings, over sums of 64 and 1437 terms; the descent does not magnify them.
    np.testing.assert_allclose(result.objectives, expected, rtol=200 * 64 * EPS)
    np.testing.assert_allclose(
        result.descended.weight, weight.T, rtol=0.0, atol=200 * 64 * EPS * np.max(np.abs(weight))
    )
    assert result.descended.objective == result.objectives[-1]
    assert result.descended.test_accuracy == np.mean((X_TEST @ weight + bias).argmax(axis=1) == Y_TEST)


def test_the_optimum_against_scikit_learn() -> None:
    model = LogisticRegression(C=1.0 / (1e-3 * len(Y)), tol=1e-10, max_iter=10_000).fit(X, Y)
    optimum = objective(X @ model.coef_.T + model.intercept_, model.coef_)
    result = result_of("linear-classifier")
    assert result.optimal.objective == pytest.approx(optimum, rel=SoftmaxRegression().tol, abs=0.0)
    assert optimum < 0.95 * result.descended.objective < 0.95 * 0.3
    assert abs(result.optimal.test_accuracy - model.score(X_TEST, Y_TEST)) <= 1.0 / len(Y_TEST)


def test_accuracies() -> None:
    result = result_of("linear-classifier")
    for found in (result.descended, result.optimal):
        assert 0.94 < found.test_accuracy < 1.0
        assert 0.95 < found.training_accuracy < 1.0
