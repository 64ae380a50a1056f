"""`softgrad evaluate`: how a trained model does on a table whose classes are known."""

from __future__ import annotations

from pathlib import Path

from softgrad.cli.applied import AppliedRows
from softgrad.cli.classes import numbers
from softgrad.cli.data import Data
from softgrad.cli.errors import UserError
from softgrad.cli.model import Model, Scores
from softgrad.cli.model_file import load_model
from softgrad.cli.reading import Reading, Unseen
from softgrad.cli.report import Output, confusion_as_json
from softgrad.cli.svmlight import SvmlightFiles, is_svmlight, label_numbers, parts_for


def evaluate(path: Path, data: Data, reading: Reading, target: str | None, output: Output) -> None:
    """Run the command; the target is the one of the training unless another column is named."""
    model = load_model(path)
    column = model.target if target is None else target
    notes: list[str] = []
    options = reading.options(data, model.options)
    if is_svmlight(data, options):
        if target is not None:
            raise UserError(f"--target {target}: the labels of {data} are at the start of its lines")
        scores = _of_svmlight(model, SvmlightFiles(data, options), reading.unseen)
    else:
        rows = AppliedRows(model, data, options, reading.unseen)
        parts = [
            model.score(features, numbers(part, column, model.classes), rows.origin, part.row_numbers)
            for part, features, usable in rows
            if usable.any()
        ]
        if not parts:
            raise UserError(f"{data} has no row without a missing value")
        scores = Scores.total(parts)
        notes = list(rows.notes())
    for line in notes:
        output.line(f"note: {line}")
    output.line(f"rows {scores.rows}")
    output.line(f"loss {scores.loss:.6g}")
    output.line(f"accuracy {scores.accuracy:.4f}")
    output.confusion(scores, model.classes, f"rows of {data}")
    output.result(
        {
            "data": str(data),
            "target": column,
            "rows": scores.rows,
            "loss": scores.loss,
            "accuracy": scores.accuracy,
            "classes": list(model.classes.labels),
            "confusion_matrix": confusion_as_json(scores),
            "notes": notes,
        }
    )


def _of_svmlight(model: Model, files: SvmlightFiles, unseen: Unseen | None) -> Scores:
    origin = files.origin
    return Scores.total(
        [
            model.score(features, label_numbers(labels, model.classes, origin, row_numbers), origin, row_numbers)
            for features, labels, row_numbers in parts_for(model, files, unseen)
        ]
    )
