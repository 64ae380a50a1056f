"""What a training does and leaves, whether its rows are in memory or come from a file part by part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from softgrad._files import is_full
from softgrad.cli.columns import feature_names
from softgrad.cli.errors import UserError, listing
from softgrad.cli.model import Model, Scores
from softgrad.cli.progress import training_progress
from softgrad.cli.tables import Table
from softgrad.cli.training_request import Request
from softgrad.cli.training_rows import Rows
from softgrad.linear_model._data._streams import Stream
from softgrad.linear_model._fit import FitParameters, Fitted, fit_rows
from softgrad.linear_model._solvers._iteration import IterationReport
from softgrad.linear_model._solvers._separable import SeparableClasses
from softgrad.linear_model._stream_start import stream_start


@dataclass(frozen=True)
class Trained:
    """What a training comes to.

    `seconds` are those of the fit, `scores` those of the training rows and, if there are any, of the test rows.
    """

    model: Model
    fitted: Fitted
    seconds: float
    scores: Mapping[str, Scores]
    gradient_check: float

    @property
    def untested(self) -> list[str]:
        """The classes without a row in the test."""
        names = self.model.classes.names
        if "test" not in self.scores:
            return names
        rows = self.scores["test"].confusion.sum(axis=1).tolist()
        return [name for name, count in zip(names, rows, strict=True) if not count]

    @property
    def shown(self) -> str:
        """Which rows the confusion matrix is of."""
        return list(self.scores)[-1]


def target_of(table: Table, asked: Sequence[str]) -> str:
    """The column to predict; it is there, with others besides it."""
    target = asked[0] if asked else table.target
    if target is None:
        raise UserError(f"which column is the target? Say --target; the columns are {listing(table.names)}")
    table.place(target)
    if len(table.names) == 1:
        raise UserError(f"{table.name} has no column besides the target {target!r}")
    return target


def fit(request: Request, C: float, rows: Rows, stream: Stream) -> Fitted:
    """Fit to the stream of the rows for the training; the checkpoint was checked with the request."""
    parameters = FitParameters(C=C, max_iter=request.max_iter, label_smoothing=request.label_smoothing)
    with training_progress(parameters.tol, rows.reading) as show, training_errors():
        start = stream_start(stream, request.class_weight, parameters, request.checkpoint, resume=request.resume)

        def report(told: IterationReport, _: object) -> bool:
            show(told)
            return False

        try:
            return fit_rows(
                start.rows, len(start.survey.classes), parameters, report, state=start.state, keep=start.keep
            )
        except SeparableClasses as error:
            names = [rows.classes.names[number] for number in start.survey.classes]
            raise error.named(names, feature_names(rows.columns)) from None


@contextmanager
def training_errors() -> Iterator[None]:
    """What a training refuses is the user's error."""
    try:
        yield
    except (ValueError, FloatingPointError, OSError) as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        raise UserError(f"the training failed: {error}") from None


def record(request: Request, rows: Rows, fitted: Fitted) -> dict[str, object]:
    """How the model came about."""
    solution, C = fitted.solution, fitted.parameters.C
    return {
        "rows": rows.train_rows + rows.test_rows,
        "train_rows": rows.train_rows,
        "test_rows": rows.test_rows,
        "features": fitted.coefficients.coef.shape[1],
        # JSON has no inf.
        "C": C if math.isfinite(C) else str(C),
        "seed": request.seed,
        "test_fraction": request.test_fraction,
        "solver": fitted.solver,
        "iterations": solution.iterations,
        "converged": solution.obstacle is None,
    }


def with_scores(model: Model, scores: Mapping[str, Scores]) -> Model:
    """The model with its scores in the record of the training."""
    found = {
        f"{part}_{name}": value
        for part, score in scores.items()
        for name, value in (("loss", score.loss), ("accuracy", score.accuracy))
    }
    return replace(model, training={**model.training, **found})
