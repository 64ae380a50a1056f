"""The method that takes rows as they come, and does not reach the optimum."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from softgrad._float_mode import in_ieee_mode
from softgrad.linear_model._data._class_weights import ClassWeight, checked_class_weights, weighted
from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._labels import Labels
from softgrad.linear_model._data._rows import Array, Rows
from softgrad.linear_model._scikit_learn import available_if, checks_parameters, row_weights, rows_and_labels
from softgrad.linear_model._solvers._averaged_steps import AveragedSteps


class PartialFit:
    """The method of an estimator with the parameters and attributes of `SoftmaxRegression`."""

    C: float
    fit_intercept: bool
    l1_ratio: float
    class_weight: ClassWeight
    label_smoothing: float
    random_state: int | np.random.RandomState | None

    coef_: Array
    intercept_: Array
    classes_: NDArray[Any]
    n_iter_: int
    loss_curve_: list[float]
    relative_gap_: float
    converged_: bool
    solver_: str
    solver_reason_: str

    def _takes_steps(self) -> bool:
        if self.class_weight == "balanced":
            raise AttributeError('class_weight="balanced" needs all rows; partial_fit takes a dict or None')
        if self.l1_ratio:
            raise AttributeError(f"steps along gradients give no zeros; l1_ratio is {self.l1_ratio:g}, and must be 0")
        return True

    @available_if(_takes_steps)
    @checks_parameters
    @in_ieee_mode
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Take steps along the gradients of some rows, in mini-batches of 256, and average where they lead.

        This does not reach the optimum, and does not know how far it is: `relative_gap_` is inf and `converged_` False.
        `fit`, or `fit_stream` for rows larger than memory, is what does. The first call begins at the coefficients of a
        fit if there was one.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)
        y : array_like, shape (n,) or (n, K)
            As in `fit`.
        classes : array_like, shape (K,), optional
            All labels that there will be; needed in the first call.
        sample_weight : array_like, shape (n,), optional
            Weight of each row, none negative.

        Returns
        -------
        SoftmaxRegression
            Itself. `loss_curve_` has for each call the mean loss of its mini-batches, each before its step.

        Raises
        ------
        ValueError
            As in `fit`; also if the first call names no classes, or a label is none of them.
        AttributeError
            `class_weight` is "balanced", which needs all rows, or `l1_ratio` is above 0, to whose zeros steps along
            gradients do not lead.
        FloatingPointError
            The loss or the coefficients overflow; the coefficients before the call are kept.
        """
        begun = getattr(self, "_steps", None)
        first = begun is None and not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("the first call of partial_fit needs classes: all labels that there will be")
        data, y = rows_and_labels(self, X, y, probabilities=True, reset=first)
        named = None if classes is None else np.unique(label_array(classes, "classes[{}]".format))
        known = self.classes_ if named is None or not first else named
        if named is not None and not np.array_equal(named, known):
            raise ValueError(f"classes are {named}; the first call had {known}")
        weights = row_weights(sample_weight, data)
        labels = Labels.among(y, known)
        class_weights = checked_class_weights(self.class_weight, known, None)
        values, weights = weighted(labels.values, weights, class_weights)
        counted = np.flatnonzero(weights > 0)
        if begun is None:
            shape = (len(known), data.shape[1])
            coef, intercept = (np.zeros(shape), np.zeros(len(known))) if first else (self.coef_, self.intercept_)
            begun = AveragedSteps(coef, intercept, fit_intercept=self.fit_intercept)
        steps = copy.deepcopy(begun)
        curve = list(self.loss_curve_) if hasattr(self, "_steps") else []
        if counted.size:
            order = check_random_state(self.random_state).permutation(counted)
            smoothing = float(self.label_smoothing)
            curve.append(steps.take(Rows(data, values, weights), order, C=float(self.C), label_smoothing=smoothing))
            if not np.isfinite(curve[-1]):
                raise FloatingPointError(f"the loss overflows {data.dtype} in partial_fit; rescale X")
        if not steps.is_finite():
            raise FloatingPointError(f"the coefficients overflow {data.dtype} in partial_fit; rescale X or lower C")
        self._steps, self.classes_ = steps, known
        self.coef_, self.intercept_ = steps.coef.copy(), steps.intercept - steps.intercept.mean()
        self.n_iter_, self.loss_curve_ = steps.steps, curve
        self.relative_gap_, self.converged_ = np.inf, False
        self.solver_, self.solver_reason_ = "averaged mini-batches", "partial_fit"
        return self
