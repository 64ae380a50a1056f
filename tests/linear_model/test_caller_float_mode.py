"""A fit and its predictions have the same bits whatever floating-point mode the program has set for its thread."""

from __future__ import annotations

import numpy as np
import pytest

from softgrad.linear_model import SoftmaxRegression, SoftmaxRegressionCV
from tests.float_modes import MODES, caller_in
from tests.oracles.inputs import fresh_rng

modes = pytest.mark.parametrize("mode", MODES)


def data(size: float) -> tuple[np.ndarray, np.ndarray]:
    X = size * fresh_rng().standard_normal((600, 4))
    return X, X[:, :3].argmax(axis=1)


def bits(model: SoftmaxRegression | SoftmaxRegressionCV) -> bytes:
    return b"".join(np.ascontiguousarray(array).tobytes() for array in (model.coef_, model.intercept_))


@pytest.mark.parametrize("n_threads", [1, 2])
@modes
def test_fits(mode: str, n_threads: int) -> None:
    # The squares of these features, of which a standardisation is made, are subnormal.
    X, y = data(2.0**-520)

    def fitted() -> list[SoftmaxRegression | SoftmaxRegressionCV]:
        model = SoftmaxRegression(n_threads=n_threads)
        parts = [(X[:300], y[:300]), (X[300:], y[300:])]
        return [
            model.fit(X, y),
            SoftmaxRegression(n_threads=n_threads).fit_stream(parts),
            SoftmaxRegression(random_state=0).partial_fit(X, y, classes=[0, 1, 2]),
            SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=2).fit(X, y),
        ]

    expected = fitted()
    with caller_in(mode):
        found = fitted()
    assert [bits(model) for model in found] == [bits(model) for model in expected]


@modes
def test_predictions(mode: str) -> None:
    X, y = data(1.0)
    model = SoftmaxRegression(C=1e3).fit(X, y)
    # Scores some 720 apart: the probabilities of the others are subnormal.
    far = np.abs(X)[:, :1] * np.array([[1.0, 0.0, 0.0, 0.0]])
    logits = model.decision_function(far)
    far *= (720.0 / np.ptp(logits, axis=1))[:, None]

    def predictions() -> list[bytes]:
        verbs = (model.decision_function, model.predict_proba, model.predict_log_proba)
        return [verb(array).tobytes() for verb in verbs for array in (X, far)]

    expected = predictions()
    with caller_in(mode):
        found = predictions()
    assert found == expected
    probabilities = model.predict_proba(far)
    assert np.any((probabilities > 0.0) & (probabilities < np.finfo(np.float64).smallest_normal))
