"""`softgrad train`: from a table to a model, with the gradient checked before and the accuracy told after."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import softgrad
from softgrad.cli import preprocessing, split, tables, targets
from softgrad.cli.errors import UserError, is_full, listing
from softgrad.cli.files import check_files
from softgrad.cli.model import Model, Scores
from softgrad.cli.model_file import save_model
from softgrad.cli.progress import training_progress
from softgrad.cli.report import Output, confusion_as_json
from softgrad.cli.tables import Float64Array, IntArray, Table
from softgrad.linear_model import SoftmaxRegressionCV
from softgrad.linear_model._solvers._checkpoint import checkpoint_place

if TYPE_CHECKING:
    from softgrad.cli.stream_table import StreamedTable

# Enough rows to involve every part of the gradient, few enough for thousands of evaluations.
ROWS_IN_GRADIENT_CHECK = 32


@dataclass(frozen=True)
class Request:
    """What the command line asked for."""

    data: str
    target: str | None
    test_fraction: float
    seed: int
    inverse_penalty: float | None
    select_C: bool
    max_iter: int
    model: Path | None
    plot: Path | None
    report: Path | None
    stream: bool
    checkpoint: Path | None
    resume: bool

    @property
    def C(self) -> float:
        return 1.0 if self.inverse_penalty is None else self.inverse_penalty

    def check(self) -> None:
        """Refuse what cannot end well before any work is done."""
        check_files(
            inputs={"DATA": tables.file_of(self.data)},
            outputs={
                "--model": self.model,
                "--plot": self.plot,
                "--report": self.report,
                "--checkpoint": self.checkpoint,
            },
        )
        if not 0.0 <= self.test_fraction < 1.0:
            raise UserError(f"--test-fraction is {self.test_fraction}; it must be at least 0 and below 1")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"--seed is {self.seed}; it must be from 0 to {2**32 - 1}")
        if self.inverse_penalty is not None:
            if not (self.inverse_penalty > 0.0 and math.isfinite(self.inverse_penalty)):
                raise UserError(f"-C is {self.inverse_penalty}; it must be positive and finite")
            if self.select_C:
                raise UserError(f"-C {self.inverse_penalty} and --select-C: which of the two?")
        if self.select_C and self.stream:
            raise UserError("--select-C: the folds need all rows in memory, which --stream avoids")
        if self.max_iter < 1:
            raise UserError(f"--max-iter is {self.max_iter}; it must be at least 1")
        if self.plot is not None and self.plot.suffix.lower() != ".png":
            raise UserError(f"--plot {self.plot}: the picture is a PNG, its name must end in .png")
        if self.report is not None and self.report.suffix.lower() not in (".html", ".htm"):
            raise UserError(f"--report {self.report}: the report is HTML, its name must end in .html")
        if self.stream and self.report is not None:
            raise UserError(f"--report {self.report}: the report needs all rows in memory, which --stream avoids")
        if self.checkpoint is not None and not self.stream:
            raise UserError(f"--checkpoint {self.checkpoint}: only a training with --stream has one")
        if self.resume and self.checkpoint is None:
            raise UserError("--resume: from where? Say --checkpoint")
        try:
            checkpoint_place(self.checkpoint, resume=self.resume, source=tables.file_of(self.data))
        except OSError as error:
            raise UserError(str(error)) from None


@dataclass(frozen=True)
class Trained:
    """What a training comes to. `scores` are those of the training rows and, if there are any, of the test rows."""

    model: Model
    estimator: softgrad.SoftmaxRegression
    scores: dict[str, Scores]
    seconds: float
    gradient_check: float
    warning: str | None

    @property
    def shown(self) -> str:
        """Which rows the confusion matrix is of."""
        return list(self.scores)[-1]


def train(request: Request, output: Output) -> None:
    """Run the command."""
    request.check()
    if request.stream:
        from softgrad.cli import stream

        trained = stream.train(request, output)
        _show(trained, request, output)
    else:
        trained = _train_in_memory(request, output)
    confusion = trained.scores[trained.shown]
    output.result(
        {
            "data": request.data,
            "target": trained.model.target,
            **trained.model.training,
            "classes": list(trained.model.classes.labels),
            "seconds": trained.seconds,
            "gradient_check": trained.gradient_check,
            "warning": trained.warning,
            "loss_curve": trained.estimator.loss_curve_,
            "confusion_rows": trained.shown,
            "confusion_matrix": confusion_as_json(confusion),
            "model": None if request.model is None else str(request.model),
            "plot": None if request.plot is None else str(request.plot),
            "report": None if request.report is None else str(request.report),
        }
    )


def _train_in_memory(request: Request, output: Output) -> Trained:
    table = tables.load(request.data)
    target = target_of(table, request.target)
    names = [name for name in table.names if name != target]
    if not names:
        raise UserError(f"{request.data} has no column besides the target {target!r}")
    classes, codes = targets.learn(table, target)
    values = preprocessing.read(table, names)
    parts = split.stratified(codes, classes, request.test_fraction, request.seed)
    columns = preprocessing.learn(values, names, parts.train)
    features = preprocessing.encode(columns, values, table.rows)
    train_features, train_codes = features[parts.train], codes[parts.train]
    output.line(f"{request.data}: {table.rows} rows, {len(names)} columns, target {target!r}")
    if parts.singles:
        output.line(f"note: {parts.singles} of the classes have a single row, which is in the training part")

    worst = check_before(train_features, train_codes, len(classes.labels), request.seed, output)
    C, path = request.C, None
    if request.select_C:
        C, path = select_C(train_features, train_codes, request, output)
    estimator, seconds, warning = fit(request, C, lambda estimator: estimator.fit(train_features, train_codes))
    record = training_record(request, len(parts.train), len(parts.test), estimator)
    if path is not None:
        record["C_scores"] = path
    model = Model(target, columns, classes, estimator.coef_, estimator.intercept_, record)
    scores = {"training": model.score(train_features, train_codes)}
    if parts.test.size:
        scores["test"] = model.score(features[parts.test], codes[parts.test])
    trained = Trained(recorded(model, scores), estimator, scores, seconds, worst, warning)
    _show(trained, request, output)
    if request.report is not None:
        from softgrad.cli.html_report import Findings, write_report

        checks = check_gradient(train_features, train_codes, estimator.coef_, estimator.intercept_, request.seed)
        findings = Findings(
            source=request.data,
            values=values,
            codes=codes,
            features=features,
            parts=parts,
            model=trained.model,
            estimator=estimator,
            checks=checks,
            rows_checked=min(len(train_codes), ROWS_IN_GRADIENT_CHECK),
            seconds=seconds,
            warning=warning,
            part=trained.shown,
            scores=scores[trained.shown],
        )
        write_report(findings, request.report)
        output.line(f"report written to {request.report}")
    return trained


def target_of(table: Table | StreamedTable, asked: str | None) -> str:
    """The column to predict."""
    target = table.target if asked is None else asked
    if target is None:
        raise UserError(f"which column is the target? Say --target; the columns are {listing(table.names)}")
    return target


def check_before(features: Float64Array, codes: IntArray, classes: int, seed: int, output: Output) -> float:
    """Check the gradient that the training follows, at a random point.

    Returns
    -------
    float
        The worst relative error.

    Raises
    ------
    UserError
        If the gradient is wrong.
    """
    generator = np.random.default_rng(seed)
    coef = generator.standard_normal((classes, features.shape[1])) / math.sqrt(features.shape[1])
    reports = check_gradient(features, codes, coef, generator.standard_normal(classes), seed).values()
    worst = max(reports, key=lambda report: report.worst_error)
    output.line(f"gradient check: worst relative error {worst.worst_error:.1e}")
    for report in reports:
        if report.verdict == "fail":
            raise UserError(f"the gradient is wrong on this machine, nothing was trained ({report})")
        if report.verdict == "inconclusive":
            output.line(f"warning: the gradient check could not tell ({report})")
    return worst.worst_error


def check_gradient(
    features: Float64Array, codes: IntArray, coef: Float64Array, intercept: Float64Array, seed: int
) -> dict[str, softgrad.GradientReport]:
    """Compare the gradient of the mean loss of some rows, chosen by the seed, with finite differences."""
    rows = np.random.default_rng(seed).choice(len(codes), size=min(len(codes), ROWS_IN_GRADIENT_CHECK), replace=False)
    arrays = (features[rows], coef, codes[rows], intercept)
    return {
        name: softgrad.check_gradient(softgrad.linear_cross_entropy, *arrays, wrt=wrt)
        for name, wrt in (("coefficients", 1), ("intercepts", 3))
    }


def select_C(
    features: Float64Array, codes: IntArray, request: Request, output: Output
) -> tuple[float, list[tuple[float, float]]]:
    """The C with the best mean score over folds of the training rows, and the score of each."""
    with _warnings() as caught:
        chosen = SoftmaxRegressionCV(max_iter=request.max_iter).fit(features, codes)
    scores = list(zip(chosen.Cs_.tolist(), chosen.scores_.mean(axis=0).tolist(), strict=True))
    output.line(f"C {chosen.C_:.6g}, of {len(scores)} by the mean log-probability over {len(chosen.scores_)} folds")
    for message in caught:
        output.line(f"warning: {message}")
    return chosen.C_, scores


def fit(
    request: Request, C: float, run: Callable[[softgrad.SoftmaxRegression], object]
) -> tuple[softgrad.SoftmaxRegression, float, str | None]:
    """The estimator that `run` has fitted, the seconds it took and what it warned of."""
    estimator = softgrad.SoftmaxRegression(C=C, max_iter=request.max_iter)
    start = time.perf_counter()
    with training_progress(estimator.tol) as callback, _warnings() as caught:
        run(estimator.set_params(callback=callback))
    seconds = time.perf_counter() - start
    return estimator, seconds, "; ".join(caught) or None


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """A list that holds what was warned of when the block has ended, each message once; errors are the user's."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        # ConvergenceWarning is one of them.
        warnings.simplefilter("always", UserWarning)
        try:
            yield messages
        except (ValueError, FloatingPointError, OSError) as error:
            if isinstance(error, OSError) and is_full(error):
                raise
            raise UserError(f"the training failed: {error}") from None
    messages.extend(dict.fromkeys(str(entry.message) for entry in caught))


def training_record(
    request: Request, train_rows: int, test_rows: int, estimator: softgrad.SoftmaxRegression
) -> dict[str, Any]:
    """How a model came about."""
    return {
        "rows": train_rows + test_rows,
        "train_rows": train_rows,
        "test_rows": test_rows,
        "features": estimator.n_features_in_,
        "C": estimator.C,
        "seed": request.seed,
        "test_fraction": request.test_fraction,
        "solver": estimator.solver_,
        "iterations": estimator.n_iter_,
        "converged": estimator.converged_,
    }


def recorded(model: Model, scores: dict[str, Scores]) -> Model:
    """The model with its scores in the record of the training."""
    found = {
        f"{part}_{name}": value
        for part, score in scores.items()
        for name, value in (("loss", score.loss), ("accuracy", score.accuracy))
    }
    return replace(model, training=model.training | found)


def _show(trained: Trained, request: Request, output: Output) -> None:
    """Print what came out, and write the model and the plot."""
    classes, confusion = trained.model.classes, trained.scores[trained.shown]
    _print_summary(trained, output)
    output.confusion(confusion, classes, f"{trained.shown} rows")
    if request.model is not None:
        save_model(trained.model, request.model)
        output.line(f"model written to {request.model}")
    if request.plot is not None:
        # matplotlib takes as long to import as a small training takes.
        from softgrad.cli.plots import draw_training

        estimator = trained.estimator
        end = "converged" if estimator.converged_ else "not converged"
        title = f"{Path(request.data).name}: {estimator.solver_}, {estimator.n_iter_} iterations, {end}"
        draw_training(
            request.plot, title, estimator.loss_curve_, classes.names, confusion.confusion, f"{trained.shown} rows"
        )
        output.line(f"plot written to {request.plot}")


def _print_summary(trained: Trained, output: Output) -> None:
    record = trained.model.training
    output.line(f"rows {record['rows']} ({record['train_rows']} for training, {record['test_rows']} for the test)")
    output.line(f"features {record['features']}")
    output.line(f"classes {len(trained.model.classes.labels)}")
    output.line(f"solver {record['solver']}")
    output.line(f"iterations {record['iterations']}")
    output.line(f"time {trained.seconds:.2f} s")
    if trained.warning is not None:
        output.line(f"warning: not converged: {trained.warning}")
    for part, score in trained.scores.items():
        output.line(f"{part} loss {score.loss:.6g}")
        output.line(f"{part} accuracy {score.accuracy:.4f}")
