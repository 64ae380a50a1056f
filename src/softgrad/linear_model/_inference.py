"""The method that says how certain the coefficients of a fit without a penalty are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import dpocon, dpotrf, dpotri
from scipy.special import erfc, ndtri
from sklearn.utils.validation import check_is_fitted

from softgrad._float_mode import in_ieee_mode
from softgrad.linear_model._data._class_weights import ClassWeight
from softgrad.linear_model._data._labels import Labels
from softgrad.linear_model._data._rows import Array, ArrayRows
from softgrad.linear_model._data._workers import Workers
from softgrad.linear_model._model._objective import SoftmaxObjective
from softgrad.linear_model._scikit_learn import row_weights, rows_and_labels
from softgrad.linear_model._summary import Summary

# How many standard errors the coefficients may be from the optimum of the rows.
_MOST_ERRORS = 0.1


class Inference:
    """The method of an estimator with the parameters and attributes of `SoftmaxRegression`."""

    C: float
    fit_intercept: bool
    class_weight: ClassWeight
    label_smoothing: float
    n_threads: int | None

    coef_: Array
    intercept_: Array
    classes_: NDArray[Any]

    @in_ieee_mode
    def summary(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        baseline: object = None,
        alpha: float = 0.05,
    ) -> Summary:
        """Standard errors, z and p values, and confidence intervals of the coefficients of a fit with C = inf.

        Only differences between classes are known, since the same may be added to the coefficients of all. These are
        the coefficients of a class less those of the baseline.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)
            The rows of the fit, which the model does not keep; in memory, also of a fit to a stream.
        y : array_like, shape (n,)
            Their labels.
        sample_weight : array_like, shape (n,), optional
            Their weights, as in the fit: how often each row was seen.
        baseline : label, optional
            The class that the others are compared with; by default the first of `classes_`.
        alpha : float, default 0.05
            In (0, 1): the intervals cover a coefficient with a probability of 1 - alpha.

        Returns
        -------
        Summary

        Raises
        ------
        ValueError
            C is finite, `class_weight` or `label_smoothing` is set, y has probabilities, or the baseline or a label is
            not of `classes_`; features are dependent, so that their coefficients are not known apart; the information
            is singular; or the coefficients are more than a tenth of a standard error from the optimum of the rows,
            which are then others than those of the fit, or its `tol` is too large for so many.

        Notes
        -----
        The covariance of the m = (K - 1) * (d + 1) differences is the inverse of the Hessian of the negative log
        likelihood at the coefficients, in float64: what the statsmodels package gives for MNLogit. The Hessian and its
        factor take 8 m^2 bytes each, and m^2 n operations. float32 X is copied to float64. A penalty shrinks
        coefficients, and by how much depends on what they are, so that with a finite C there are no such errors.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_wine
        >>> from softgrad.linear_model import SoftmaxRegression
        >>> X, y = load_wine(return_X_y=True)
        >>> summary = SoftmaxRegression(C=np.inf).fit(X[:, :1], y).summary(X[:, :1], y)
        >>> for line in str(summary).splitlines()[:4]:
        ...     print(line)
        class 1 against 0
                         coef     std err           z       P>|z|      [0.025      0.975]
        intercept     68.2270      9.1293       7.473       0.000     50.3339     86.1201
        x0            -5.2245      0.6994      -7.470       0.000     -6.5954     -3.8537
        """
        check_is_fitted(self)
        ground = self._baseline(baseline)
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha is {alpha}; it must be above 0 and below 1")
        for name, neutral, given in (
            ("C", np.inf, self.C),
            ("class_weight", None, self.class_weight),
            ("label_smoothing", 0, self.label_smoothing),
        ):
            if given != neutral:
                raise ValueError(f"{name} is {given}: what is fitted is no likelihood; summary needs {name}={neutral}")
        data, y = rows_and_labels(self, X, y, probabilities=True, reset=False)
        labels = Labels.among(y, self.classes_).values
        if labels.ndim == 2:
            raise ValueError("y has probabilities of the classes; summary needs the label of each row")
        weights = row_weights(sample_weight, data)
        rows = ArrayRows(data.astype(np.float64, copy=False), labels, weights)
        with Workers(self.n_threads) as workers:
            objective = SoftmaxObjective(
                rows, n_classes=len(self.classes_), C=np.inf, fit_intercept=bool(self.fit_intercept), workers=workers
            )
            self._refuse_dependent(objective)
            theta = objective.coordinates(self.coef_, self.intercept_)
            _, gradient = objective.value_and_gradient(theta)
            covariance = _inverse(objective.hessian_of_the_likely(theta, 0.0).matrix(ground)) / rows.total_weight
        score = rows.total_weight * np.delete(gradient, ground, axis=0).ravel()
        errors = float(np.sqrt(score @ covariance @ score))
        if not errors <= _MOST_ERRORS:
            raise ValueError(
                f"the coefficients are {errors:.2g} standard errors from the optimum of these rows; at most "
                f"{_MOST_ERRORS} are allowed: these must be the rows of the fit, with their weights, and its tol small"
            )
        variances = objective.standardisation.variances(covariance, len(self.classes_) - 1)
        return self._summary(variances, ground, float(alpha))

    def _baseline(self, baseline: object) -> int:
        if baseline is None:
            return 0
        names = self.classes_.tolist()
        if baseline not in names:
            raise ValueError(f"baseline is {baseline!r}; the classes are {names}")
        return int(names.index(baseline))

    def _feature_names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{place}" for place in range(self.coef_.shape[1])] if names is None else names.tolist()

    def _refuse_dependent(self, objective: SoftmaxObjective) -> None:
        names = self._feature_names()
        for features in objective.dependent_features():
            listed = ", ".join(repr(names[place]) for place in features)
            raise ValueError(
                f"the features {listed} are dependent: a combination of them is the same in all rows, so that their "
                f"coefficients are not known apart; leave one of them out"
            )

    def _summary(self, variances: Array, ground: int, alpha: float) -> Summary:
        terms = self._feature_names()
        values = self.coef_
        if self.fit_intercept:
            terms = ["intercept", *terms]
            values = np.column_stack([self.intercept_, values])
        coef = np.delete(values - values[ground], ground, axis=0)
        std_err = np.sqrt(variances)
        z = coef / std_err
        reach = float(ndtri(1.0 - alpha / 2)) * std_err
        return Summary(
            baseline=self.classes_.tolist()[ground],
            classes=np.delete(self.classes_, ground),
            terms=tuple(terms),
            coef=coef,
            std_err=std_err,
            z=z,
            p_value=erfc(np.abs(z) / np.sqrt(2.0)),
            conf_int=np.stack([coef - reach, coef + reach], axis=-1),
            alpha=alpha,
        )


def _inverse(matrix: Array) -> Array:
    """The inverse of a symmetric matrix of which the lower triangle counts.

    Raises
    ------
    ValueError
        It is singular to within rounding.
    """
    units = 1.0 / np.sqrt(np.diag(matrix))
    matrix *= units
    matrix *= units[:, None]
    norm = float(np.abs(np.tril(matrix) + np.tril(matrix, -1).T).sum(axis=0).max())
    # The transpose is in the order of LAPACK, and its upper triangle is what counts.
    factor, failed = dpotrf(matrix.T, overwrite_a=True)
    reciprocal = 0.0 if failed else float(dpocon(factor, norm)[0])
    if reciprocal <= len(matrix) * np.finfo(np.float64).eps:
        raise ValueError(
            f"the information of the rows on the {len(matrix)} differences is singular to within rounding: its "
            f"reciprocal condition is {reciprocal:.1g}"
        )
    inverse, _ = dpotri(factor, overwrite_c=True)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    inverse *= units
    inverse *= units[:, None]
    result: Array = inverse
    return result
