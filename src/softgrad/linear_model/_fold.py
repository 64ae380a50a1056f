"""What becomes of one fold of a cross-validation, here or in another process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.metrics import get_scorer

from softgrad.linear_model._data._one_thread import on_one_thread
from softgrad.linear_model._data._rows import Array
from softgrad.linear_model._estimator import SoftmaxRegression

Scoring = str | Callable[..., float] | None
# The numbers of the rows to fit to, and of those to score.
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


class PathModel(SoftmaxRegression):
    """It keeps what a fit warns of: a warning in another process would not reach the caller.

    Nor can warnings be caught here: where folds are threads, that is a setting of all of them.
    """

    shortfall: str | None = None

    def _warn_of(self, shortfall: str) -> None:
        self.shortfall = shortfall


@dataclass(frozen=True, eq=False)
class FoldRows:
    """All rows, of which a fold takes its own."""

    X: Any
    y: NDArray[Any]
    weights: Array

    def __sizeof__(self) -> int:
        # By this Dask and Ray decide whether to send it once, and not with every task.
        arrays = (self.X.data, self.X.indices, self.X.indptr) if sparse.issparse(self.X) else (self.X,)
        return sum(array.nbytes for array in (*arrays, self.y, self.weights))


class FoldScores(NamedTuple):
    """For each C: the score, and what the fit fell short of."""

    scores: list[float]
    shortfalls: list[str | None]


def scores_of_fold(
    model: PathModel, Cs: Array, scoring: Scoring, rows: FoldRows, number: int, fold: Fold
) -> FoldScores:
    """Fit along the path and score; the model is changed."""
    train, test = ((rows.X[part], rows.y[part], rows.weights[part]) for part in fold)
    unseen = np.setdiff1d(test[1], train[1])
    if unseen.size:
        raise ValueError(f"fold {number} of cv scores rows of class {unseen[0]} and fits to none")
    found = FoldScores([], [])
    for C in Cs:
        model.shortfall = None
        try:
            model.set_params(C=float(C)).fit(*train)
            # A product of many features has other bits on several threads.
            with on_one_thread():
                found.scores.append(_score(model, scoring, *test))
        except Exception as error:
            error.add_note(f"in fold {number} of cv, with C={C:g}")
            raise
        found.shortfalls.append(model.shortfall)
    return found


def _score(model: PathModel, scoring: Scoring, X: Any, y: NDArray[Any], weights: Array) -> float:
    if scoring is None:
        logarithms = model.predict_log_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
        return float(np.average(logarithms, weights=weights if weights.any() else None))
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    return float(scorer(model, X, y, sample_weight=weights))
