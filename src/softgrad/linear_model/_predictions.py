"""What a fitted softmax regression says about rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted, validate_data

from softgrad._float_mode import in_ieee_mode
from softgrad.functional import log_softmax, softmax
from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._rows import Array, Rows, canonical
from softgrad.linear_model._scikit_learn import FLOATS, are_plain_rows


class Predictions:
    """The methods of an estimator that has `coef_`, `intercept_` and `classes_`."""

    coef_: Array
    intercept_: Array
    classes_: NDArray[Any]
    feature_names_in_: NDArray[Any]

    @in_ieee_mode
    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """The logits; for two classes the logit of the second less that of the first.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)

        Returns
        -------
        ndarray, shape (n, K), or (n,) for two classes; the dtype of X if that is float32, else float64
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest class of each row.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)

        Returns
        -------
        ndarray, shape (n,), dtype of `classes_`
        """
        likeliest = self._logits(X).argmax(axis=1)
        predicted: NDArray[Any] = self.classes_[likeliest]
        return predicted

    @in_ieee_mode
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """The probability of each class.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)

        Returns
        -------
        ndarray, shape (n, K); the dtype of X if that is float32, else float64
            `softgrad.softmax` of the logits. Columns in the order of `classes_`.
        """
        logits = self._logits(X)
        return softmax(logits, out=logits)

    @in_ieee_mode
    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """The logarithm of the probability of each class.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)

        Returns
        -------
        ndarray, shape (n, K); the dtype of X if that is float32, else float64
            `softgrad.log_softmax` of the logits: exact also where the probability would be rounded to 0 or 1.
        """
        logits = self._logits(X)
        return log_softmax(logits, out=logits)

    @in_ieee_mode
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The share of rows whose likeliest class is their label.

        Parameters
        ----------
        X : array_like or sparse, shape (n, d)
        y : array_like, shape (n,)
            Labels, as in `fit`.
        sample_weight : array_like, shape (n,), optional
            Weight of each row.

        Returns
        -------
        float
            In [0, 1].
        """
        labels = label_array(y, "y[{}]".format)
        return float(accuracy_score(labels, self.predict(X), sample_weight=sample_weight))

    def _logits(self, X: ArrayLike) -> NDArray[Any]:
        check_is_fitted(self)
        data = canonical(X)
        data = validate_data(
            self, data, accept_sparse="csr", dtype=FLOATS, reset=False, skip_check_array=are_plain_rows(data)
        )
        rows = Rows(data, np.empty(0), np.empty(0))
        return rows.logits(self.coef_.astype(data.dtype), self.intercept_.astype(data.dtype))
