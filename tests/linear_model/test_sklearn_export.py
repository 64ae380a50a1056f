"""to_sklearn: the same predictions from scikit-learn's own class, and an optimum of its objective."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from softgrad.linear_model import SoftmaxRegression, SoftmaxRegressionCV, to_sklearn
from tests.linear_model import bounds, problems


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_predictions_and_parameters(name: str, ratio: float) -> None:
    problem = problems.real(name, standardised=True)
    names = np.array(["a", "b", "c"])[problem.y]
    model = SoftmaxRegression(C=0.5, l1_ratio=ratio, max_iter=77).fit(problem.X, names)
    export = to_sklearn(model)
    assert type(export) is LogisticRegression
    np.testing.assert_array_equal(export.predict(problem.X), model.predict(problem.X))
    for method in ("predict_proba", "decision_function"):
        theirs, ours = (getattr(each, method)(problem.X) for each in (export, model))
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=512 * bounds.EPS * max(1.0, np.abs(ours).max()))
    assert export.max_iter == 77
    assert export.n_features_in_ == problem.X.shape[1]
    assert export.n_iter_.tolist() == [model.n_iter_]


@pytest.mark.parametrize("name", ["wine", "breast_cancer"])
def test_it_is_at_the_optimum_of_its_own_objective(name: str) -> None:
    problem = problems.real(name, standardised=True)
    model = SoftmaxRegression(tol=1e-12).fit(*problem)
    export = to_sklearn(model)
    coef = export.coef_.copy()
    again = export.set_params(solver="newton-cholesky", tol=1e-8).fit(*problem)
    # scikit-learn's coefficients of several classes sum to 0 too, where it starts from zeros.
    np.testing.assert_allclose(again.coef_, coef, rtol=0, atol=2 * bounds.of_coefficients(model, len(problem.y)))


def test_the_cross_validated_one_and_errors() -> None:
    problem = problems.real("iris")
    model = SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3).fit(*problem)
    assert to_sklearn(model).C == model.C_
    with pytest.raises(NotFittedError):
        to_sklearn(SoftmaxRegression())
