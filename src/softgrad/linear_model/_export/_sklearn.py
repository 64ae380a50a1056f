"""A fitted SoftmaxRegression as scikit-learn's LogisticRegression."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from softgrad.linear_model._cross_validation import SoftmaxRegressionCV
from softgrad.linear_model._estimator import SoftmaxRegression


def to_sklearn(model: SoftmaxRegression | SoftmaxRegressionCV) -> LogisticRegression:
    """A LogisticRegression with the same classes and predictions, fitted to nothing itself.

    Parameters
    ----------
    model : SoftmaxRegression or SoftmaxRegressionCV
        Fitted.

    Returns
    -------
    sklearn.linear_model.LogisticRegression
        With the coefficients, the number of iterations, the names of the features, and of the parameters those that
        both have. For two classes it has one vector, the difference of the two; its `C` is then twice that of the model
        if the penalty has no absolute values, under which this is its optimum too. `label_smoothing` it has none: to
        fit it again is to fit without.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        The model is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softgrad.linear_model import SoftmaxRegression, to_sklearn
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegression().fit(X, y)
    >>> bool(abs(to_sklearn(model).predict_proba(X) - model.predict_proba(X)).max() < 1e-12)
    True
    """
    check_is_fitted(model)
    parameters = model.get_params(deep=False)
    names = ("fit_intercept", "l1_ratio", "class_weight", "warm_start", "random_state", "max_iter", "tol", "verbose")
    shared = {name: parameters[name] for name in names if name in parameters}
    C = model.C if isinstance(model, SoftmaxRegression) else model.C_
    coef, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        C = C if shared["l1_ratio"] else 2 * C
    solver = "saga" if shared["l1_ratio"] else "lbfgs"
    # Before 1.8 the share of the absolute values counts for a penalty of that name alone.
    if not shared["l1_ratio"]:
        del shared["l1_ratio"]
    export = LogisticRegression(C=C, solver=solver, **shared)
    export.classes_, export.coef_, export.intercept_ = model.classes_.copy(), coef.copy(), intercept.copy()
    export.n_iter_ = np.array([model.n_iter_], dtype=np.int32)
    export.n_features_in_ = model.n_features_in_
    if hasattr(model, "feature_names_in_"):
        export.feature_names_in_ = model.feature_names_in_.copy()
    return export
