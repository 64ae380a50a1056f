"""`softgrad train`: from a table to a model, with the gradient checked before and the accuracy told after."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from softgrad.cli import description
from softgrad.cli.columns import dense
from softgrad.cli.description import ColumnFacts
from softgrad.cli.encoder import Piece, joined
from softgrad.cli.errors import UserError, listing
from softgrad.cli.learning import Numbers, Texts
from softgrad.cli.model import Model
from softgrad.cli.model_file import save_model
from softgrad.cli.passes import passes_over
from softgrad.cli.readers import readers_of
from softgrad.cli.report import Output, confusion_as_json
from softgrad.cli.svmlight import SvmlightFiles, is_svmlight
from softgrad.cli.svmlight_rows import SvmlightRows
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.cli.training import Trained, fit, record, training_errors, with_scores
from softgrad.cli.training_gradient import MOST_ROWS, check_before, check_gradient
from softgrad.cli.training_request import Request
from softgrad.cli.training_rows import EncodedRows, HeldRows, Rows
from softgrad.cli.training_table import opened, roles_of
from softgrad.linear_model._fit import Fitted

# The gradient check makes thousands of evaluations for each hundred columns.
_COLUMNS_IN_SAMPLE = 64


class Sample(NamedTuple):
    """Some training rows for checks of the gradient, dense: of their features those that stand in `places`.

    `left_out` counts the others that are not 0 in all of the rows.
    """

    features: Float64Array
    targets: IntArray | Float64Array
    places: IntArray
    left_out: int


class Understood(NamedTuple):
    """The rows of a training, what is known of their columns, what is odd, and what was left out or found."""

    rows: Rows
    learnt: Mapping[str, Numbers | Texts]
    columns: Sequence[ColumnFacts]
    warnings: Sequence[str]
    notes: Sequence[str]


def train(request: Request, output: Output) -> None:
    """Run the command: learn the encoding in one pass over the rows, on a cluster two, fit in many, score in the last.

    Of a text file a pass before tells what its columns hold.
    """
    request.check()
    with nullcontext() if request.cluster is None else request.cluster.reached():
        _train(request, output)


def _train(request: Request, output: Output) -> None:
    understood = _understood(request)
    rows = understood.rows
    options = request.reading.options(request.data)
    size = request.data.size(options, rows.train_rows + rows.test_rows, len(rows.columns))
    output.line(f"{request.data}: {size}, target {rows.target!r}")
    for note in understood.notes:
        output.line(f"note: {note}")
    description.show(understood.columns, output)
    for warning in understood.warnings:
        output.line(f"warning: {warning}")
    if request.part_by_part is None:
        rows = HeldRows(rows)
    trained = _trained(request, rows, output)
    if request.model is not None:
        # Before its summary: hours of work must not end with a disk that has no room for a line of that.
        save_model(trained.model, request.model)
    _show(trained, request, output)
    if request.report is not None:
        _write_report(request, rows, understood, trained, request.report, output)
    warnings = list(understood.warnings)
    if request.test_fraction and (untested := trained.untested):
        warnings.append(
            f"{len(untested)} of {len(rows.classes.labels)} classes have no row in the test: {listing(untested)}"
        )
        output.line(f"warning: {warnings[-1]}")
    confusion = trained.scores[trained.shown]
    output.result(
        {
            "data": str(request.data),
            "target": trained.model.target,
            "probability_columns": list(trained.model.probability_columns),
            **trained.model.training,
            "columns": [column.as_json() for column in understood.columns],
            "notes": list(understood.notes),
            "warnings": warnings,
            "classes": list(trained.model.classes.labels),
            "seconds": trained.seconds,
            "gradient_check": trained.gradient_check,
            "warning": trained.fitted.shortfall,
            "loss_curve": trained.fitted.solution.objectives,
            "confusion_rows": trained.shown,
            "confusion_matrix": confusion_as_json(confusion),
            "model": None if request.model is None else str(request.model),
            "plot": None if request.plot is None else str(request.plot),
            "report": None if request.report is None else str(request.report),
        }
    )


def _understood(request: Request) -> Understood:
    options = request.reading.options(request.data)
    if is_svmlight(request.data, options):
        _refuse_for_svmlight(request)
        files = SvmlightFiles.of(request.data, options)
        with readers_of(files, request.cluster) as readers:
            rows = SvmlightRows(files, request.test_fraction, request.seed, readers)
        return Understood(rows, {}, [], [], [])
    table = opened(request)
    with readers_of(table, request.cluster) as readers:
        roles, notes = roles_of(table, request, readers)
        encoded = EncodedRows(table, roles, request.test_fraction, request.seed, readers)
    learnt = encoded.learnt
    if learnt.dropped_rows:
        notes = [*notes, f"rows with a missing value, which are left out: {learnt.dropped_rows}"]
    warnings = list(description.oddities(table, learnt.columns, request.reading.declared))
    columns = [description.facts(table.kind(name), column) for name, column in learnt.columns.items()]
    return Understood(encoded, learnt.columns, columns, warnings, notes)


def _refuse_for_svmlight(request: Request) -> None:
    """What asks for columns by name."""
    given = {
        "--target": next(iter(request.targets), None),
        "--sample-weight": request.sample_weight,
        "--label-as": request.label_as,
        "--report": request.report,
        "--missing": request.reading.missing,
        "--unseen": request.reading.unseen,
        "--number or --text": next(iter(request.reading.declared), None),
    }
    for option, value in given.items():
        if value is not None:
            raise UserError(
                f"{option} {value}: an svmlight file has labels at the start of its lines and features by number, no "
                f"columns with names"
            )
    if request.cache:
        raise UserError("--cache keeps columns that were parsed; an svmlight file has none")


def _trained(request: Request, rows: Rows, output: Output) -> Trained:
    sample = _sample(rows)
    worst = check_before(sample.features, sample.targets, len(rows.classes.labels), request.seed, output)
    C, path = request.C, None
    if request.select_C:
        C, path = _select_C(joined(list(rows.training())), request, output)
    with passes_over(rows, request.cluster) as passes:
        began = time.perf_counter()
        fitted = fit(request, C, rows, passes.stream)
        seconds = time.perf_counter() - began
        model = _model(request, rows, fitted, path)
        scores = passes.scores(model)
    return Trained(with_scores(model, scores), fitted, seconds, scores, worst)


def _model(request: Request, rows: Rows, fitted: Fitted, path: Sequence[tuple[float, float]] | None) -> Model:
    training = record(request, rows, fitted)
    if path is not None:
        training["C_scores"] = path
    reading = request.reading
    return Model(
        rows.target,
        rows.columns,
        rows.classes,
        *fitted.coefficients,
        training,
        replace(reading.options(request.data), columns=None, drop=()),
        reading.missing or "error",
        reading.unseen or "zero",
        rows.probability_columns,
    )


def _sample(rows: Rows) -> Sample:
    """The first training rows; of sparse ones the first features that are not 0 in all of them."""
    piece = next(rows.training())
    features, targets = piece.features, piece.targets.values
    if not isinstance(features, csr_array):
        return Sample(features, targets, np.arange(features.shape[1]), 0)
    head = features[:MOST_ROWS]
    used = np.unique(head.indices) if head.nnz else np.zeros(1, np.int64)
    places = used[:_COLUMNS_IN_SAMPLE]
    return Sample(dense(head[:, places]), targets[:MOST_ROWS], places, len(used) - len(places))


def _select_C(training: Piece, request: Request, output: Output) -> tuple[float, list[tuple[float, float]]]:
    """The C with the best mean score over folds of the training rows, and the score of each."""
    # It imports scikit-learn, which takes a second.
    from softgrad.linear_model import SoftmaxRegressionCV

    with training_errors(), warnings.catch_warnings(record=True) as caught:
        # The warning of no convergence is a UserWarning.
        warnings.simplefilter("always", UserWarning)
        estimator = SoftmaxRegressionCV(
            max_iter=request.max_iter, class_weight=request.class_weight, label_smoothing=request.label_smoothing
        )
        chosen = estimator.fit(training.features, training.codes, sample_weight=training.weights)
    scores = list(zip(chosen.Cs_.tolist(), chosen.scores_.mean(axis=0).tolist(), strict=True))
    output.line(f"C {chosen.C_:.6g}, of {len(scores)} by the mean log-probability over {len(chosen.scores_)} folds")
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        output.line(f"warning: {message}")
    return chosen.C_, scores


def _show(trained: Trained, request: Request, output: Output) -> None:
    """Print what came out, and write the plot."""
    classes, confusion = trained.model.classes, trained.scores[trained.shown]
    _print_summary(trained, output)
    output.confusion(confusion, classes, f"{trained.shown} rows")
    if request.model is not None:
        output.line(f"model written to {request.model}")
    if request.plot is not None:
        # matplotlib takes as long to import as a small training takes.
        from softgrad.cli.plots import draw_training

        fitted = trained.fitted
        solution = fitted.solution
        end = "converged" if solution.obstacle is None else "not converged"
        title = f"{Path(str(request.data)).name}: {fitted.solver}, {solution.iterations} iterations, {end}"
        draw_training(
            request.plot, title, solution.objectives, classes.names, confusion.confusion, f"{trained.shown} rows"
        )
        output.line(f"plot written to {request.plot}")


def _write_report(
    request: Request,
    rows: Rows,
    understood: Understood,
    trained: Trained,
    path: Path,
    output: Output,
) -> None:
    # Most trainings write none.
    from softgrad.cli.html_report import Findings, write_report

    pieces = list(rows.pieces())
    training = joined([piece for piece in pieces if not piece.is_test])
    test = [piece for piece in pieces if piece.is_test]
    model, sample = trained.model, _sample(rows)
    coef = model.coef[:, sample.places]
    checks = check_gradient(sample.features, sample.targets, coef, model.intercept, request.seed)
    findings = Findings(
        origin=rows.origin,
        learnt=understood.learnt,
        remarks=[*understood.notes, *understood.warnings],
        training=training,
        test=joined(test) if test else None,
        model=model,
        fitted=trained.fitted,
        seconds=trained.seconds,
        class_weight=request.class_weight,
        checks=checks,
        rows_checked=min(len(sample.targets), MOST_ROWS),
        features_unchecked=sample.left_out,
        scores=trained.scores[trained.shown],
    )
    write_report(findings, path)
    output.line(f"report written to {path}")


def _print_summary(trained: Trained, output: Output) -> None:
    record = trained.model.training
    output.line(f"rows {record['rows']} ({record['train_rows']} for training, {record['test_rows']} for the test)")
    output.line(f"features {record['features']}")
    output.line(f"classes {len(trained.model.classes.labels)}")
    output.line(f"solver {record['solver']}")
    output.line(f"iterations {record['iterations']}")
    output.line(f"time {trained.seconds:.2f} s")
    if trained.fitted.shortfall is not None:
        output.line(f"warning: not converged: {trained.fitted.shortfall}")
    for part, score in trained.scores.items():
        output.line(f"{part} loss {score.loss:.6g}")
        output.line(f"{part} accuracy {score.accuracy:.4f}")
