"""What scikit-learn checks for its own estimators, and for ours; its private names are here and nowhere else.

Parameters are declared, `fit` is wrapped and row weights are checked by names that scikit-learn has not made public.
Tested with scikit-learn 1.6, 1.7, 1.8 and 1.9.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if as _available_if
from sklearn.utils.validation import _check_sample_weight, validate_data

from softgrad.linear_model._data._label_array import label_array
from softgrad.linear_model._data._rows import Array, canonical

__all__ = [
    "FLOATS",
    "Interval",
    "ParameterNames",
    "StrOptions",
    "are_plain_rows",
    "available_if",
    "checks_parameters",
    "row_weights",
    "rows_and_labels",
]

# What X is taken as: the first, unless it is of the second.
FLOATS = [np.dtype(np.float64), np.dtype(np.float32)]

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Callable[..., Any])


def available_if(check: Callable[[Any], bool]) -> Callable[[M], M]:
    """scikit-learn's decorator of a method that only some parameters have, with the types it leaves out."""
    available: Callable[[M], M] = _available_if(check)
    return available


def checks_parameters(method: Callable[P, R]) -> Callable[P, R]:
    """A method that checks the parameters of its estimator by `_parameter_constraints` before anything else."""
    checking: Callable[P, R] = _fit_context(prefer_skip_nested_validation=True)(method)
    return checking


class ParameterNames:
    """Reads the names of an estimator's parameters from its signature once: that takes as long as a Newton step."""

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        names: list[str] = super()._get_param_names()  # type: ignore[misc]
        return names


def rows_and_labels(
    estimator: BaseEstimator, X: ArrayLike, y: ArrayLike, *, probabilities: bool, reset: bool = True
) -> tuple[Any, NDArray[Any]]:
    """X, dense and C-contiguous or CSR, float32 or float64, and y as an array.

    Parameters
    ----------
    estimator : BaseEstimator
        Its numbers and names of features are set from X.
    X, y : array_like
    probabilities : bool
        Whether y may have a column for each class.
    reset : bool
        Whether the features of X are the first ones seen; else they must be those of the estimator.

    Raises
    ------
    ValueError, TypeError
        X or y is not as the fit needs it; the message names the place.
    """
    data, labels = canonical(X), label_array(y, "y[{}]".format)
    data, labels = validate_data(
        estimator,
        data,
        labels,
        accept_sparse="csr",
        dtype=FLOATS,
        order="C",
        multi_output=probabilities,
        reset=reset,
        skip_check_array=are_plain_rows(data) and _are_plain_labels(labels, data),
    )
    return data, np.asarray(labels)


def are_plain_rows(X: Any) -> bool:
    """Whether scikit-learn's checks would find and change nothing; they take as long as an iteration of a small fit."""
    if not (type(X) is np.ndarray and X.ndim == 2 and X.size and X.dtype in FLOATS and X.flags.c_contiguous):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def _are_plain_labels(labels: Any, X: Any) -> bool:
    """Whether labels, as `label_array` gives them with all floats finite, are one for each row and need no check."""
    return type(labels) is np.ndarray and labels.shape == X.shape[:1] and labels.dtype.kind in "biuf"


def row_weights(sample_weight: ArrayLike | None, X: Any) -> Array:
    """A weight for each row of X, float64; 1 where none is given.

    Raises
    ------
    ValueError
        One is negative or not finite, or there are more or fewer than rows.
    """
    weights: Array = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    return weights
