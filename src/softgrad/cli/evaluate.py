"""`softgrad evaluate`: how a trained model does on a table whose classes are known."""

from __future__ import annotations

from pathlib import Path

from softgrad.cli import tables, targets
from softgrad.cli.errors import UserError
from softgrad.cli.model import Model, Scores
from softgrad.cli.model_file import load_model
from softgrad.cli.report import Output, confusion_as_json
from softgrad.cli.svmlight import is_svmlight, label_numbers, parts_for


def evaluate(path: Path, data: str, target: str | None, output: Output) -> None:
    """Run the command; the target is the one of the training unless another column is named."""
    model = load_model(path)
    column = model.target if target is None else target
    if is_svmlight(data):
        if target is not None:
            raise UserError(f"--target {target}: the labels of {data} are at the start of its lines")
        scores = _of_svmlight(model, data)
    else:
        table = tables.load(data)
        codes = targets.number(table, column, model.classes)
        scores = model.score(model.features(table), codes)
    output.line(f"rows {scores.rows}")
    output.line(f"loss {scores.loss:.6g}")
    output.line(f"accuracy {scores.accuracy:.4f}")
    output.confusion(scores, model.classes, f"rows of {data}")
    output.result(
        {
            "data": data,
            "target": column,
            "rows": scores.rows,
            "loss": scores.loss,
            "accuracy": scores.accuracy,
            "classes": list(model.classes.labels),
            "confusion_matrix": confusion_as_json(scores),
        }
    )


def _of_svmlight(model: Model, data: str) -> Scores:
    parts: list[Scores] = []
    for features, labels in parts_for(model, data):
        first_row = sum(part.rows for part in parts)
        parts.append(model.score(features, label_numbers(labels, model.classes, data, first_row)))
    return Scores.total(parts)
