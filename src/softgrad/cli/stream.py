"""`softgrad train --stream`: the same as `train` from a file that need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from softgrad.cli.errors import UserError
from softgrad.cli.model import Model, Scores
from softgrad.cli.report import Output
from softgrad.cli.stream_encoding import EncodedRows
from softgrad.cli.stream_labels import Division
from softgrad.cli.stream_svmlight import SvmlightRows
from softgrad.cli.stream_table import StreamedTable
from softgrad.cli.svmlight import is_svmlight
from softgrad.cli.training import Trained, fit, target_of, with_scores
from softgrad.cli.training_gradient import check_before
from softgrad.cli.training_request import Request
from softgrad.linear_model._data._batches import Batch, Batches

Rows = EncodedRows | SvmlightRows


def train(request: Request, output: Output) -> Trained:
    """Learn the encoding in one pass over the file, fit in many, score in the last."""
    rows = _rows(request)
    count = rows.train_rows + rows.test_rows
    output.line(f"{request.data}: {count} rows, {len(rows.columns)} columns, target {rows.target!r}")

    worst = check_before(*rows.sample(), len(rows.classes.labels), request.seed, output)
    fitted = fit(
        request,
        request.C,
        lambda estimator: estimator.fit_stream(
            TrainingRows(rows), checkpoint=request.checkpoint, resume=request.resume
        ),
    )
    estimator = fitted.estimator
    record = fitted.record(request, train_rows=rows.train_rows, test_rows=rows.test_rows)
    model = Model(rows.target, rows.columns, rows.classes, estimator.coef_, estimator.intercept_, record)
    scores = _scores(model, rows)
    return Trained(with_scores(model, scores), fitted, scores, worst)


def _rows(request: Request) -> Rows:
    division = Division(request.test_fraction, request.seed)
    if is_svmlight(request.data):
        if request.target is not None:
            raise UserError(f"--target {request.target}: the labels of {request.data} are at the start of its lines")
        return SvmlightRows(request.data, division)
    table = StreamedTable(request.data)
    return EncodedRows(table, target_of(table, request.target), division)


class TrainingRows(Batches):
    """The training rows, checked and with their class numbers, as often as they are asked for."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Batch]:
        numbers = list(range(len(self._rows.classes.labels)))
        for features, codes in self._rows.training():
            yield Batch(features, numbers, codes, np.ones(len(codes)))


def _scores(model: Model, rows: Rows) -> dict[str, Scores]:
    """How the model does on the rows for the training and on those for the test, if there are any."""
    parts: dict[str, list[Scores]] = {"training": [], "test": []}
    for features, codes, train in rows.parts():
        for name, chosen in (("training", train), ("test", ~train)):
            if chosen.any():
                parts[name].append(model.score(features[chosen], codes[chosen]))
    return {name: Scores.total(scores) for name, scores in parts.items() if scores}
