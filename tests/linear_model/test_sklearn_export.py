"""to_sklearn: the same predictions from scikit-learn's own class, and an optimum of its objective."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from softgrad.linear_model import SoftmaxRegression, SoftmaxRegressionCV, to_sklearn
from tests.linear_model import bounds, data_sets


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_predictions_and_parameters(name: str, ratio: float) -> None:
    data = data_sets.real(name, standardised=True)
    names = np.array(["a", "b", "c"])[data.y]
    model = SoftmaxRegression(C=0.5, l1_ratio=ratio, max_iter=77).fit(data.X, names)
    export = to_sklearn(model)
    assert type(export) is LogisticRegression
    np.testing.assert_array_equal(export.predict(data.X), model.predict(data.X))
    for method in ("predict_proba", "decision_function"):
        theirs, ours = (getattr(each, method)(data.X) for each in (export, model))
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=512 * bounds.EPS * max(1.0, np.abs(ours).max()))
    assert export.max_iter == 77
    assert export.n_features_in_ == data.X.shape[1]
    assert export.n_iter_.tolist() == [model.n_iter_]


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_it_is_at_the_optimum_of_its_own_objective(name: str) -> None:
    data = data_sets.real(name, standardised=True)
    model = SoftmaxRegression(tol=1e-12).fit(*data)
    export = to_sklearn(model)
    coef = export.coef_.copy()
    again = export.set_params(solver="newton-cholesky", tol=1e-8).fit(*data)
    # scikit-learn's coefficients of several classes sum to 0 too, where it starts from zeros.
    np.testing.assert_allclose(again.coef_, coef, rtol=0, atol=2 * bounds.of_coefficients(model, len(data.y)))


def test_the_cross_validated_one_and_errors() -> None:
    data = data_sets.real("iris")
    model = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3).fit(*data)
    assert to_sklearn(model).C == model.C_
    with pytest.raises(NotFittedError):
        to_sklearn(SoftmaxRegression())
