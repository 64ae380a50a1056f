"""`softgrad train`: from a table to a model, with the gradient checked before and the accuracy told after."""

from __future__ import annotations

from pathlib import Path

from softgrad.cli import preprocessing, split, stream, tables, targets
from softgrad.cli.model import Model
from softgrad.cli.model_file import save_model
from softgrad.cli.report import Output, confusion_as_json
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.cli.training import Trained, fit, target_of, training_warnings, with_scores
from softgrad.cli.training_gradient import MOST_ROWS, check_before, check_gradient
from softgrad.cli.training_request import Request
from softgrad.linear_model import SoftmaxRegressionCV


def train(request: Request, output: Output) -> None:
    """Run the command."""
    request.check()
    if request.stream:
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
            "seconds": trained.fit.seconds,
            "gradient_check": trained.gradient_check,
            "warning": trained.fit.warning,
            "loss_curve": trained.fit.estimator.loss_curve_,
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
        C, path = _select_C(train_features, train_codes, request, output)
    fitted = fit(request, C, lambda estimator: estimator.fit(train_features, train_codes))
    estimator = fitted.estimator
    record = fitted.record(request, train_rows=len(parts.train), test_rows=len(parts.test))
    if path is not None:
        record["C_scores"] = path
    model = Model(target, columns, classes, estimator.coef_, estimator.intercept_, record)
    scores = {"training": model.score(train_features, train_codes)}
    if parts.test.size:
        scores["test"] = model.score(features[parts.test], codes[parts.test])
    trained = Trained(with_scores(model, scores), fitted, scores, worst)
    _show(trained, request, output)
    if request.report is not None:
        # Most trainings write none.
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
            rows_checked=min(len(train_codes), MOST_ROWS),
            seconds=fitted.seconds,
            warning=fitted.warning,
            part=trained.shown,
            scores=scores[trained.shown],
        )
        write_report(findings, request.report)
        output.line(f"report written to {request.report}")
    return trained


def _select_C(
    features: Float64Array, codes: IntArray, request: Request, output: Output
) -> tuple[float, list[tuple[float, float]]]:
    """The C with the best mean score over folds of the training rows, and the score of each."""
    with training_warnings() as caught:
        chosen = SoftmaxRegressionCV(max_iter=request.max_iter).fit(features, codes)
    scores = list(zip(chosen.Cs_.tolist(), chosen.scores_.mean(axis=0).tolist(), strict=True))
    output.line(f"C {chosen.C_:.6g}, of {len(scores)} by the mean log-probability over {len(chosen.scores_)} folds")
    for message in caught:
        output.line(f"warning: {message}")
    return chosen.C_, scores


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

        estimator = trained.fit.estimator
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
    output.line(f"time {trained.fit.seconds:.2f} s")
    if trained.fit.warning is not None:
        output.line(f"warning: not converged: {trained.fit.warning}")
    for part, score in trained.scores.items():
        output.line(f"{part} loss {score.loss:.6g}")
        output.line(f"{part} accuracy {score.accuracy:.4f}")
