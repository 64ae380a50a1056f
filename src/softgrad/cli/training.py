"""What a training does and leaves, whether its rows are in memory or come from a file part by part."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import softgrad
from softgrad.cli.errors import UserError, is_full, listing
from softgrad.cli.model import Model, Scores
from softgrad.cli.progress import training_progress
from softgrad.cli.stream_table import StreamedTable
from softgrad.cli.tables import Table
from softgrad.cli.training_request import Request


@dataclass(frozen=True)
class Fit:
    """An estimator that is fitted, the seconds that took, and what it warned of."""

    estimator: softgrad.SoftmaxRegression
    seconds: float
    warning: str | None

    def record(self, request: Request, *, train_rows: int, test_rows: int) -> dict[str, object]:
        """How the model came about."""
        return {
            "rows": train_rows + test_rows,
            "train_rows": train_rows,
            "test_rows": test_rows,
            "features": self.estimator.n_features_in_,
            "C": self.estimator.C,
            "seed": request.seed,
            "test_fraction": request.test_fraction,
            "solver": self.estimator.solver_,
            "iterations": self.estimator.n_iter_,
            "converged": self.estimator.converged_,
        }


@dataclass(frozen=True)
class Trained:
    """What a training comes to. `scores` are those of the training rows and, if there are any, of the test rows."""

    model: Model
    fit: Fit
    scores: dict[str, Scores]
    gradient_check: float

    @property
    def shown(self) -> str:
        """Which rows the confusion matrix is of."""
        return list(self.scores)[-1]


def target_of(table: Table | StreamedTable, asked: str | None) -> str:
    """The column to predict; there are others besides it."""
    target = table.target if asked is None else asked
    if target is None:
        raise UserError(f"which column is the target? Say --target; the columns are {listing(table.names)}")
    if table.names == [target]:
        raise UserError(f"{table.source} has no column besides the target {target!r}")
    return target


def fit(request: Request, C: float, run: Callable[[softgrad.SoftmaxRegression], object]) -> Fit:
    """What `run` makes of an estimator."""
    estimator = softgrad.SoftmaxRegression(C=C, max_iter=request.max_iter)
    start = time.perf_counter()
    with training_progress(estimator.tol) as callback, training_warnings() as caught:
        run(estimator.set_params(callback=callback))
    return Fit(estimator, time.perf_counter() - start, "; ".join(caught) or None)


@contextmanager
def training_warnings() -> Iterator[list[str]]:
    """A list that holds what was warned of when the block has ended, each message once; errors are the user's."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        # The warning of no convergence is a UserWarning.
        warnings.simplefilter("always", UserWarning)
        try:
            yield messages
        except (ValueError, FloatingPointError, OSError) as error:
            if isinstance(error, OSError) and is_full(error):
                raise
            raise UserError(f"the training failed: {error}") from None
    messages.extend(dict.fromkeys(str(entry.message) for entry in caught))


def with_scores(model: Model, scores: dict[str, Scores]) -> Model:
    """The model with its scores in the record of the training."""
    found = {
        f"{part}_{name}": value
        for part, score in scores.items()
        for name, value in (("loss", score.loss), ("accuracy", score.accuracy))
    }
    return replace(model, training={**model.training, **found})
