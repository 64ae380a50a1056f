"""`softgrad train --stream`: the same as `train` from a file that need not fit into memory."""

from __future__ import annotations

import numpy as np

from softgrad.cli.errors import UserError
from softgrad.cli.model import Model, Scores
from softgrad.cli.report import Output
from softgrad.cli.stream_encoding import Division, Encoding, TrainingRows
from softgrad.cli.stream_table import StreamedTable
from softgrad.cli.train import Request, Trained, check_before, fit, recorded, target_of, training_record


def train(request: Request, output: Output) -> Trained:
    """Learn the encoding in one pass over the file, fit in many, score in the last."""
    table = StreamedTable(request.data)
    target = target_of(table, request.target)
    if len(table.names) == 1:
        raise UserError(f"{request.data} has no column besides the target {target!r}")
    encoding = Encoding(table, target, Division(request.test_fraction, request.seed))
    rows = encoding.train_rows + encoding.test_rows
    output.line(f"{request.data}: {rows} rows, {len(encoding.columns)} columns, target {target!r}")

    first_features, first_codes = next(iter(TrainingRows(encoding)))
    classes = len(encoding.classes.labels)
    worst = check_before(first_features, first_codes, classes, request.seed, output)
    estimator, seconds, warning = fit(
        request,
        request.C,
        lambda estimator: estimator.fit_stream(
            TrainingRows(encoding), checkpoint=request.checkpoint, resume=request.resume
        ),
    )
    record = training_record(request, encoding.train_rows, encoding.test_rows, estimator)
    model = Model(target, encoding.columns, encoding.classes, estimator.coef_, estimator.intercept_, record)
    scores = _scores(model, encoding)
    return Trained(recorded(model, scores), estimator, scores, seconds, worst, warning)


def _scores(model: Model, encoding: Encoding) -> dict[str, Scores]:
    """How the model does on the rows for the training and on those for the test, if there are any."""
    parts: dict[str, list[Scores]] = {"training": [], "test": []}
    for features, codes, train in encoding.parts():
        for name, chosen in (("training", train), ("test", ~train)):
            if chosen.any():
                parts[name].append(model.score(features[chosen], codes[chosen]))
    return {name: _total(scores) for name, scores in parts.items() if scores}


def _total(parts: list[Scores]) -> Scores:
    rows = np.array([part.rows for part in parts])
    loss = float(rows @ [part.loss for part in parts]) / int(rows.sum())
    return Scores(loss, np.sum([part.confusion for part in parts], axis=0))
