"""SoftmaxRegression: multinomial logistic regression with an elastic-net penalty, as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags

from softgrad._float_mode import in_ieee_mode
from softgrad.linear_model._callbacks import CallbackSupport, FitTask, with_callbacks
from softgrad.linear_model._data._class_weights import ClassWeight, checked_class_weights, weighted
from softgrad.linear_model._data._labels import Labels
from softgrad.linear_model._data._row_space import RowSpace
from softgrad.linear_model._data._rows import ArrayRows, RowSource, class_totals
from softgrad.linear_model._data._used_features import UsedFeatures
from softgrad.linear_model._fit import Coefficients, FitParameters, Fitted, fit_rows
from softgrad.linear_model._inference import Inference
from softgrad.linear_model._partial_fit import PartialFit
from softgrad.linear_model._predictions import Predictions
from softgrad.linear_model._scikit_learn import (
    Interval,
    ParameterNames,
    StrOptions,
    checks_parameters,
    row_weights,
    rows_and_labels,
)
from softgrad.linear_model._solvers._choice import LARGEST_FACTOR, SOLVERS, SolverName
from softgrad.linear_model._solvers._iteration import IterationReport, State
from softgrad.linear_model._solvers._separable import SeparableClasses
from softgrad.linear_model._stream_fit import StreamFit


class SoftmaxRegression(
    StreamFit,
    PartialFit,
    Inference,
    Predictions,
    ParameterNames,
    CallbackSupport,  # type: ignore[misc]
    ClassifierMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Softmax (multinomial logistic) regression, solved to a stated distance from the optimum.

    It minimises, over the coefficients W (K x d) and the intercepts b,

        C * sum_i s_i * loss_i + (1 - r) / 2 * ||W||^2 + r * ||W||_1,   loss_i = -log softmax(W x_i + b)[y_i],

    the objective of scikit-learn's LogisticRegression, with s_i the sample weight times the class weight and r the
    `l1_ratio`.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the penalty; positive. The intercepts are not penalised. With inf there is no penalty, and
        of all optima that is taken which finite C come near to: the smallest coefficients, see Notes.
    tol : float, default 1e-6
        The fit ends when (objective - optimum) / objective is estimated to be at most this, or bounded where C is inf
        or `l1_ratio` above 0; positive.
    max_iter : int, default 1000
        The most iterations; at least 1.
    fit_intercept : bool, default True
        Whether there are intercepts; else they are 0.
    l1_ratio : float, default 0.0
        In [0, 1]: the share of the absolute values in the penalty. Above 0 it makes coefficients exactly 0.
    class_weight : dict, "balanced" or None, default None
        Weight of the rows of each class; a class that the dict does not name has 1. "balanced" gives every class the
        same total.
    label_smoothing : float, default 0.0
        In [0, 1): this share of a row's target is spread evenly over the classes.
    solver : str, default "auto"
        The way to the optimum: "auto" or one of the names in Notes. With an `l1_ratio` above 0 there is "auto" alone.
    polish : bool, default False
        Whether a fit to float32 X goes on in float64 when it has reached what float32 can know. The rows are widened
        block by block, without a copy of X.
    warm_start : bool, default False
        Start from the coefficients of the previous fit.
    random_state : int, RandomState or None, default None
        The order in which `partial_fit` takes the rows of a call. `fit` uses no random numbers.
    n_threads : int or None, default None
        Threads that share the rows; None: `softgrad.get_num_threads()`. Results do not depend on it. During a fit BLAS
        works on one thread in the whole process.
    verbose : int, default 0
        Above 0 each iteration prints a line.
    callback : callable or None, default None
        Called with an `IterationReport` after each iteration; what it returns is ignored. What it raises ends the fit.
        scikit-learn's own callbacks, where it has them (1.9), are set with `set_callbacks`.

    Attributes
    ----------
    coef_ : ndarray, shape (K, d), float64
        One row per class, also for two classes; each column sums to 0 unless `l1_ratio` is above 0.
    intercept_ : ndarray, shape (K,), float64
        Sums to 0.
    classes_ : ndarray, shape (K,)
        The labels in the order of the rows of `coef_`.
    n_iter_ : int
        Iterations, those of L-BFGS and of Newton's method.
    loss_curve_ : list of float
        The objective divided by C * sum_i s_i, so the mean loss plus the penalty: at the start, then after each
        iteration. It falls, to within rounding: that of float32 after an iteration of L-BFGS with the float32 copy of
        X, see Notes.
    relative_gap_ : float
        The last estimate that was compared with `tol`.
    converged_ : bool
        Whether it was at most `tol`.
    solver_ : str
        The way that was taken to the optimum; see Notes.
    solver_reason_ : str
        Why: what decided it.
    n_features_in_ : int
    feature_names_in_ : ndarray, shape (d,)
        Only where X had names that are all strings.

    Raises
    ------
    ValueError
        X has no rows, NaN or inf, or another number of rows than y; a label is missing, of another kind than the first,
        or an integer beyond int64 and uint64; y has fewer than two classes with positive weight; a weight is negative;
        a parameter is out of its range; `warm_start` meets other classes or features; or a solver with blocks was
        asked for where the probabilities are not kept in memory. Where C is inf also if the classes are separable, see
        Notes, or `l1_ratio` is above 0.
    FloatingPointError
        The logits at the start overflow the dtype of X.

    Warns
    -----
    ConvergenceWarning
        The tolerance was not reached; `converged_` is then False.

    Notes
    -----
    The solver is a truncated Newton method on standardised features: neither their units nor their offsets change the
    iterations. Each iteration solves the Newton equations by preconditioned conjugate gradients. The preconditioner
    follows from the shape of the data:

    - "newton-cholesky", where (K - 1) * (d + 1) <= 128: the Hessian itself.
    - "lbfgs-blocks", where d <= 4096, for sparse X d <= 1024, X and the probabilities are in memory, (d + 1)^2 <= 16 n
      and K * (d + 1)^2 <= 2^28: L-BFGS with 20 pairs, then Newton's method. The preconditioner is at first the mean
      covariance of the class probabilities times the Gram matrix of the features at the starting point, by Cholesky
      factors of order d; and where the model of L-BFGS promises less than 1e-3 of the objective the diagonal block of
      the Hessian for each class, made from 6 (d + 1) rows if there are twice as many. Newton's method takes over where
      less than 3e-5 is promised, or after 15 iterations with these blocks; it makes them anew where that pays. The
      blocks take d + 1 times the memory of `coef_`, or half of that as float32; the pairs take 40 times.
    - "lbfgs-gram", for the same d: the first of these preconditioners throughout.
    - "newton-diagonal": the diagonal of the Hessian, without L-BFGS.
    - "newton-blocks", "newton-gram" and "lbfgs-diagonal" are only taken where they are asked for: the preconditioners
      of their names, with L-BFGS or without.
    - ", row space" follows the name where X is dense, d > n and n <= 4096: the fit was made in the space that the rows
      span, with n features. This takes about three times the memory of X as float64.
    - "elastic net", with an `l1_ratio` above 0: Newton steps on the coefficients that are not at 0 or would
      leave it; what crosses 0 in a step is set to 0.

    The Hessian of float64 X of 2^16 entries or more is that of a standardised float32 copy, which takes half the memory
    of X: a direction need not be exact. Objective and gradient are those of X, but in L-BFGS. Smaller dense X is
    standardised once, in float64, for all of them. Of sparse X the copy has the entries in units of their feature's
    spread, which takes a third of its memory; there is none where a feature is farther from 0 than it spreads, so 0 in
    no row. Features that are 0 in every row of sparse X are left out, and do not count in d.

    The gap is estimated by the decrease that the quadratic model promises for an exact Newton step, g^T H^-1 g / 2. It
    is divided by 1 - r, where r is the larger of the last two ratios of a promise to the one before it, at most 0.9,
    and by the length of the step where the line search made it shorter than 1; it is multiplied by the square of the
    length where that is above 1. The step is taken before the fit ends, so that the remaining gap is smaller, as a rule
    by orders of magnitude. What L-BFGS reports is what its own model promises, often a fifth of the gap; it is above
    `tol`, and does not end the fit. After a step that kept its length the same is known of the point reached: g^T M^-1
    g / (2 a) with its g, the preconditioner M of the step and the smallest eigenvalue a of M^-1 H that the conjugate
    gradients saw. It is multiplied by exp((c / 0.035)^2), where c, by the same measure, is how much of the step the
    change of H spoiled; where that is the lower of the two, the fit ends by it. It is an estimate: where classes are
    nearly separable in several ways and C is large, the remaining gap has been seen at up to five times `tol`. With
    features of heavy tails, Cauchy's, 27 of 3000 fits missed a `tol` of 1e-3, by up to 70 times, and 3 one of 1e-6, two
    of them by less than five times and one by 700: a flat stretch hid the way down.

    With an `l1_ratio` above 0 the gap is no estimate: it is bounded by that to a dual feasible point.

    Without a penalty, C = inf, the gap that ends a fit is a bound as well, at the point that the last step starts from.
    With p the probabilities of a row, d the Newton step and u what it adds to the logits of the row,
    p' = p (1 + u - <p, u>) is a feasible point of the dual problem where it is positive, since the gradient is
    g + H d = 0 with p' for p; so the gap is at most the mean of KL(p' || p). Of what rounding and conjugate gradients
    leave of g + H d its part in the bound is estimated. That there is such a p' also says that there is an optimum, and
    a fit does not converge without one: it must keep half of each p. With float32 X, or where rounding hides what is
    left to gain, a fit may end in a warning.

    Without a penalty there is no optimum where the classes are separable: where the coefficients can move in a
    direction that raises the loss of no row and lowers that of some, without end. This may be a direction that only
    some rows notice, such as the coefficient of a feature that only one class has, and a class without weight has one.
    Where all rows are classified as their labels say, or the promise is small and no p' was found, such a direction is
    looked for, and tested on all rows in float64 to within 2^16 roundings of the logits; the error names its largest
    entries, in units of the features' spread. With (K - 1) * (d + 1) > 2048 one that some rows do not notice is not
    looked for. Where none is found and the promise fell below 1e-11 of the objective without a p', the optimum is too
    far out for float64 if there is one, and the error says that. Soft labels without a 0, and a `label_smoothing` above
    0, are never separable. Features that are combinations of others, to within the rounding of the Gram matrix, so to
    about 5e-7 of their spread, are left out of the fit with up to 4096 features, and share in the smallest coefficients
    afterwards; with more features the optimum is one of several. The Gram matrix takes 8 d^2 bytes, and one pass.

    With float32 X its matrix products are float32; parameters, penalty and the decision to stop are float64. On iris,
    wine, digits and breast cancer, as they are and with C from 1e-6 to 1e6, this reaches a `tol` of 1e-7; a fit with
    1e-9 or less may end in a warning.

    Where there are intercepts, a feature that varies by less than 4e-15 of its mean is taken as constant; its
    coefficients are 0. A class whose rows all have weight 0 is kept with a probability of about 1e-16, as its optimal
    intercept is -inf.

    For two classes scikit-learn's LogisticRegression fits one vector w = W_1 - W_0. Its optimum at 2 C is that of this
    class at C, because ||w||^2 = 2 ||W||^2 where W_1 = -W_0.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from softgrad.linear_model import SoftmaxRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxRegression().fit(X, y)
    >>> model.solver_, model.converged_, model.relative_gap_ < 1e-6
    ('newton-cholesky', True, True)
    >>> round(model.score(X, y), 3)
    0.973
    >>> model.predict_proba(X[:1]).round(3)
    array([[0.982, 0.018, 0.   ]])
    """

    _parameter_constraints: ClassVar[dict[str, list[object]]] = {
        "C": [Interval(Real, 0, None, closed="right")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "fit_intercept": ["boolean"],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "solver": [StrOptions({"auto", *SOLVERS})],
        "polish": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "n_threads": [Interval(Integral, 1, 1024, closed="both"), None],
        "verbose": ["verbose"],
        "callback": [callable, None],
    }

    def __init__(
        self,
        *,
        C: float = 1.0,
        tol: float = 1e-6,
        max_iter: int = 1000,
        fit_intercept: bool = True,
        l1_ratio: float = 0.0,
        class_weight: ClassWeight = None,
        label_smoothing: float = 0.0,
        solver: SolverName = "auto",
        polish: bool = False,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        verbose: int = 0,
        callback: Callable[[IterationReport], object] | None = None,
    ) -> None:
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.solver = solver
        self.polish = polish
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose
        self.callback = callback

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @checks_parameters
    @with_callbacks
    @in_ieee_mode
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to rows and their labels.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)
            float32 is kept; everything else is taken as float64. Sparse X, a matrix or array of SciPy's of any format,
            is taken as CSR.
        y : array_like, shape (n,) or (n, K)
            Labels of at least two classes: integers, text, booleans or whole floats, none missing, in an array, a list
            or a column of pandas, polars or Arrow. `classes_` and `predict` have the same kind: integers are int64 or
            uint64, or as wide as those of an array. Or, with K at least 2, the probability of each class: none
            negative, a row adding up to 1; the classes are then 0 to K - 1.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, none negative; 1 if not given. 2 is as the row given twice, 0 as the row left out.

        Returns
        -------
        SoftmaxRegression
            Itself.
        """
        data, y = rows_and_labels(self, X, y, probabilities=True)
        labels = Labels.of(y)
        weights = np.ones(data.shape[0]) if sample_weight is None else row_weights(sample_weight, data)
        totals = class_totals(labels.values, weights, len(labels.classes))
        class_weights = checked_class_weights(self.class_weight, labels.classes, totals)
        values, weights = weighted(labels.values, weights, class_weights)
        counted = weights > 0
        if not counted.all():
            data, values, weights = data[counted], values[counted], weights[counted]
        previous = self._previous_fit(labels.classes, data.shape[1])
        task = FitTask(self, data, y, sample_weight, int(self.max_iter))
        rows, features = data.shape
        space: RowSpace | UsedFeatures | None = None
        if sparse.issparse(data):
            space = UsedFeatures(data)
        elif rows < features and rows <= LARGEST_FACTOR and not self.l1_ratio:
            space = RowSpace(data)
        source = ArrayRows(data if space is None else space.data, values, weights)
        return self._fit_rows(source, labels.classes, task, previous, space=space)

    def _fit_parameters(self) -> FitParameters:
        return FitParameters(
            C=float(self.C),
            tol=float(self.tol),
            max_iter=int(self.max_iter),
            fit_intercept=bool(self.fit_intercept),
            l1_ratio=float(self.l1_ratio),
            label_smoothing=float(self.label_smoothing),
            solver=self.solver,
            polish=bool(self.polish),
            n_threads=self.n_threads,
        )

    def _fit_rows(
        self,
        source: RowSource,
        classes: NDArray[Any],
        task: FitTask,
        previous: Coefficients | None,
        *,
        space: RowSpace | UsedFeatures | None = None,
        state: State | None = None,
        keep: Callable[[State], object] | None = None,
    ) -> Self:
        """Fit to rows of these classes, from a state, the previous fit or the start."""

        def attributes(coefficients: Coefficients) -> dict[str, NDArray[Any]]:
            return {"coef_": coefficients.coef, "intercept_": coefficients.intercept, "classes_": classes}

        def report(told: IterationReport, coefficients: Callable[[], Coefficients]) -> bool:
            self._report(told)
            return task.end_iteration(lambda: attributes(coefficients()))

        try:
            fitted = fit_rows(
                source,
                len(classes),
                self._fit_parameters(),
                report,
                start=previous,
                space=space,
                state=state,
                before_iteration=task.begin_iteration,
                keep=keep,
            )
        except SeparableClasses as error:
            names = getattr(self, "feature_names_in_", None)
            raise error.named(classes.tolist(), None if names is None else names.tolist()) from None
        for name, value in attributes(fitted.coefficients).items():
            setattr(self, name, value)
        # partial_fit begins anew from here.
        if hasattr(self, "_steps"):
            del self._steps
        self._record(fitted)
        task.end()
        return self

    def _previous_fit(self, classes: NDArray[Any], n_features: int) -> Coefficients | None:
        """The coefficients to start from, of a fit to the same classes and as many features."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        if self.coef_.shape[1] != n_features:
            raise ValueError(f"X has {n_features} features; warm_start starts from a fit with {self.coef_.shape[1]}")
        if not np.array_equal(self.classes_, classes):
            raise ValueError(f"y has the classes {classes}; warm_start starts from a fit with {self.classes_}")
        return Coefficients(self.coef_, self.intercept_)

    def _report(self, report: IterationReport) -> None:
        if self.verbose:
            print(
                f"iteration {report.iteration}/{report.max_iter}: objective {report.objective:.9g}, "
                f"relative gap before it {report.relative_gap:.2e}"
            )
        if self.callback is not None:
            self.callback(report)

    def _record(self, fitted: Fitted) -> None:
        solution = fitted.solution
        self.solver_, self.solver_reason_ = fitted.solver, fitted.solver_reason
        self.n_iter_ = solution.iterations
        self.loss_curve_ = solution.objectives
        self.relative_gap_ = solution.relative_gap
        self.converged_ = solution.obstacle is None
        if fitted.shortfall is not None:
            self._warn_of(fitted.shortfall)

    def _warn_of(self, shortfall: str) -> None:
        # Whoever calls fit: between are `_record`, `_fit_rows` and the wrappers of three decorators.
        warnings.warn(shortfall, ConvergenceWarning, stacklevel=8)
