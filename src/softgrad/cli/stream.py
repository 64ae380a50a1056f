"""`softgrad train --stream`: the same as `train` from a file that need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from softgrad.cli import stream_svmlight
from softgrad.cli.errors import UserError
from softgrad.cli.model import Model, Scores
from softgrad.cli.report import Output
from softgrad.cli.stream_encoding import Encoding
from softgrad.cli.stream_labels import Division
from softgrad.cli.stream_svmlight import SvmlightRows
from softgrad.cli.stream_table import StreamedTable
from softgrad.cli.svmlight import is_svmlight
from softgrad.cli.tables import IntArray
from softgrad.cli.training import Trained, fit, target_of, with_scores
from softgrad.cli.training_gradient import MOST_ROWS, check_before
from softgrad.cli.training_request import Request


def train(request: Request, output: Output) -> Trained:
    """Learn the encoding in one pass over the file, fit in many, score in the last."""
    rows, target = _rows_and_target(request)
    count = rows.train_rows + rows.test_rows
    output.line(f"{request.data}: {count} rows, {len(rows.columns)} columns, target {target!r}")

    features, codes = next(iter(TrainingRows(rows)))
    if isinstance(rows, SvmlightRows):
        features = stream_svmlight.dense_sample(features, MOST_ROWS)
    worst = check_before(features, codes[: len(features)], len(rows.classes.labels), request.seed, output)
    fitted = fit(
        request,
        request.C,
        lambda estimator: estimator.fit_stream(
            TrainingRows(rows), checkpoint=request.checkpoint, resume=request.resume
        ),
    )
    record = fitted.record(request, train_rows=rows.train_rows, test_rows=rows.test_rows)
    estimator = fitted.estimator
    model = Model(target, rows.columns, rows.classes, estimator.coef_, estimator.intercept_, record)
    scores = _scores(model, rows)
    return Trained(with_scores(model, scores), fitted, scores, worst)


def _rows_and_target(request: Request) -> tuple[Encoding | SvmlightRows, str]:
    division = Division(request.test_fraction, request.seed)
    if is_svmlight(request.data):
        if request.target is not None:
            raise UserError(f"--target {request.target}: the labels of {request.data} are at the start of its lines")
        return SvmlightRows(request.data, division), stream_svmlight.TARGET
    table = StreamedTable(request.data)
    target = target_of(table, request.target)
    return Encoding(table, target, division), target


class TrainingRows:
    """The training rows, as often as they are asked for."""

    def __init__(self, rows: Encoding | SvmlightRows) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Any, IntArray]]:
        for features, codes, train in self._rows.parts():
            yield (features, codes) if train.all() else (features[train], codes[train])


def _scores(model: Model, rows: Encoding | SvmlightRows) -> dict[str, Scores]:
    """How the model does on the rows for the training and on those for the test, if there are any."""
    parts: dict[str, list[Scores]] = {"training": [], "test": []}
    for features, codes, train in rows.parts():
        for name, chosen in (("training", train), ("test", ~train)):
            if not chosen.any():
                continue
            parts[name].append(model.score(features[chosen], codes[chosen]))
    return {name: Scores.total(scores) for name, scores in parts.items() if scores}
