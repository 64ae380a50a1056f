"""SoftmaxRegressionCV: the strength of the penalty chosen by cross-validation along a path of C."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import Tags, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed

from softgrad._float_mode import in_ieee_mode
from softgrad.linear_model._data._class_weights import ClassWeight
from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._estimator import SoftmaxRegression
from softgrad.linear_model._fold import Fold, FoldRows, PathModel, scores_of_fold
from softgrad.linear_model._predictions import Predictions
from softgrad.linear_model._scikit_learn import (
    Interval,
    ParameterNames,
    StrOptions,
    checks_parameters,
    row_weights,
    rows_and_labels,
)
from softgrad.linear_model._solvers._choice import SolverName
from softgrad.linear_model._solvers._iteration import IterationReport

_OWN = ("Cs", "cv", "scoring", "n_jobs")


class SoftmaxRegressionCV(
    Predictions,
    ParameterNames,
    ClassifierMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Softmax regression with the `C` that predicts best on rows left out.

    For each fold it goes along the values of C from the smallest, each fit starting from the one before it. The C with
    the best mean score over the folds is fitted to all rows.

    Parameters
    ----------
    Cs : int or array_like of float, default 10
        The values, positive and finite; or how many, at equal ratios from 1e-4 to 1e4.
    cv : int, splitter, iterable or None, default None
        As in scikit-learn: None is 5 folds, stratified.
    scoring : str, callable or None, default None
        As in scikit-learn; None: the mean logarithm of the probability given to the label.
    n_jobs : int or None, default None
        Folds at a time, never more than there are: threads, or tasks of the backend of `joblib.parallel_config`. None:
        as many as the backend does by default; without one 1. -1: as many as there are CPUs, of the whole cluster if
        the backend has one. Dask does as many as its workers have threads, whatever this says.
    tol, max_iter, fit_intercept, l1_ratio, class_weight, label_smoothing, solver, polish, random_state, n_threads
    verbose, callback
        As in `SoftmaxRegression`. `verbose` and `callback` are for the last fit, to all rows.

    Attributes
    ----------
    Cs_ : ndarray, shape (m,)
        Ascending.
    scores_ : ndarray, shape (folds, m)
    C_ : float
        The one chosen; of equal scores the smallest.
    coef_, intercept_, classes_, n_iter_, loss_curve_, relative_gap_, converged_, solver_, solver_reason_
    n_features_in_, feature_names_in_
        As in `SoftmaxRegression`, of the fit to all rows.

    Raises
    ------
    ValueError
        As in `SoftmaxRegression`; also if a fold's rows to fit to lack a class of its rows to score.

    Warns
    -----
    ConvergenceWarning
        As in `SoftmaxRegression`, for every fit: the message says which. Those of the folds come when all have ended,
        from wherever they ran. What a scorer warns of is shown where its fold runs.

    Notes
    -----
    In a process other than the caller's, as with joblib's "loky", "ray" or "dask", a fold has the same bits:
    `scores_`, `C_` and `coef_` depend neither on the backend nor on `n_jobs`. On another processor, or with other
    versions of softgrad or NumPy, the last digits of a score may differ. The fit to all rows is always the caller's.
    `softgrad.distributed.register_ray` makes "ray" a backend that sends the rows once; loky shares arrays of 1 MB or
    more by a file, and Dask's workers pass the rows on.

    What is raised in a fold has a note with the number of the fold and the C.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from softgrad.linear_model import SoftmaxRegressionCV
    >>> X, y = load_wine(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), SoftmaxRegressionCV(Cs=[1e-3, 1e-1, 10.0])).fit(X, y)
    >>> float(model[-1].C_)
    10.0
    """

    _parameter_constraints: ClassVar[dict[str, list[object]]] = {
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "n_jobs": [Integral, None],
        **{
            name: constraint
            for name, constraint in SoftmaxRegression._parameter_constraints.items()
            if name not in ("C", "warm_start")
        },
    }

    C_: float
    Cs_: Array
    scores_: Array
    n_features_in_: int
    n_iter_: int
    loss_curve_: list[float]
    relative_gap_: float
    converged_: bool
    solver_: str
    solver_reason_: str

    def __init__(
        self,
        *,
        Cs: int | ArrayLike = 10,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        n_jobs: int | None = None,
        tol: float = 1e-6,
        max_iter: int = 1000,
        fit_intercept: bool = True,
        l1_ratio: float = 0.0,
        class_weight: ClassWeight = None,
        label_smoothing: float = 0.0,
        solver: SolverName = "auto",
        polish: bool = False,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        verbose: int = 0,
        callback: Callable[[IterationReport], object] | None = None,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.tol = tol
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.solver = solver
        self.polish = polish
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.callback = callback

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @checks_parameters
    @in_ieee_mode
    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Choose C and fit to all rows.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)
        y : array_like, shape (n,)
            Labels of at least two classes, as in `SoftmaxRegression`.
        sample_weight : array_like, shape (n,), optional
            As in `SoftmaxRegression`, for fitting and for scoring.
        groups : array_like, shape (n,), optional
            What the splitter `cv` keeps together.

        Returns
        -------
        SoftmaxRegressionCV
            Itself.
        """
        Cs = self._checked_Cs()
        given = X
        X, y = rows_and_labels(self, X, y, probabilities=False)
        check_classification_targets(y)
        weights = row_weights(sample_weight, X)
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name not in _OWN}
        model = PathModel(**parameters)
        of_path = clone(model).set_params(warm_start=True, verbose=0, callback=None)
        rows = FoldRows(X, y, weights)
        X, y, groups = indexable(X, y, groups)
        cv = check_cv(self.cv, y, classifier=True)
        folds: Iterable[Fold] = cv.split(X, y, groups)
        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads")
        # A backend may start as many processes as it has jobs.
        parallel.n_jobs = min(effective_n_jobs(parallel.n_jobs), cv.get_n_splits(X, y, groups))
        found = parallel(
            delayed(scores_of_fold)(clone(of_path), Cs, self.scoring, rows, number, fold)
            for number, fold in enumerate(folds)
        )
        for number, of_fold in enumerate(found):
            for C, shortfall in zip(Cs, of_fold.shortfalls, strict=True):
                _warn_of(f"fold {number} of cv, C={C:g}", shortfall)
        self.Cs_, self.scores_ = Cs, np.array([of_fold.scores for of_fold in found])
        self.C_ = float(Cs[np.argmax(self.scores_.mean(axis=0))])
        fitted = model.set_params(C=self.C_).fit(given, y, weights)
        _warn_of(f"all rows, C={self.C_:g}", fitted.shortfall)
        for name, value in vars(fitted).items():
            if name.endswith("_"):
                setattr(self, name, value)
        return self

    def _checked_Cs(self) -> Array:
        Cs = np.logspace(-4, 4, self.Cs) if isinstance(self.Cs, Integral) else np.asarray(self.Cs, dtype=np.float64)
        if Cs.ndim != 1 or not len(Cs):
            raise ValueError(f"Cs has shape {Cs.shape}; it must be a number or a list of at least one value")
        for index, C in enumerate(Cs):
            if not 0 < C < np.inf:
                raise ValueError(f"Cs[{index}] is {C}; it must be positive and finite")
        return np.sort(Cs)


def _warn_of(fit: str, shortfall: str | None) -> None:
    if shortfall is not None:
        # Whoever calls `SoftmaxRegressionCV.fit`: between are the wrappers of two decorators.
        warnings.warn(f"{fit}: {shortfall}", ConvergenceWarning, stacklevel=5)
