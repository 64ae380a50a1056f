"""`softgrad evaluate`: how a trained model does on a table whose classes are known."""

from __future__ import annotations

from pathlib import Path

from softgrad.cli import tables, targets
from softgrad.cli.model_file import load_model
from softgrad.cli.report import Output, confusion_as_json


def evaluate(path: Path, data: str, target: str | None, output: Output) -> None:
    """Run the command; the target is the one of the training unless another column is named."""
    model = load_model(path)
    table = tables.load(data)
    column = model.target if target is None else target
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
