"""scikit-learn's own checks of an estimator, with no exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from softgrad.linear_model import SoftmaxRegression, SoftmaxRegressionCV

ESTIMATORS = [
    SoftmaxRegression(),
    SoftmaxRegression(C=0.01, class_weight="balanced"),
    SoftmaxRegression(l1_ratio=0.5),
    SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3),
]


@parametrize_with_checks(ESTIMATORS)
def test_estimator_checks(estimator: SoftmaxRegression, check: Callable[[Any], None]) -> None:
    check(estimator)
