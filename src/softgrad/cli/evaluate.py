"""`softgrad evaluate`: how a trained model does on a table whose classes are known."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from softgrad.cli.applied import AppliedShard, Found, all_found, applied_rows
from softgrad.cli.cluster import Cluster
from softgrad.cli.data import Data
from softgrad.cli.each_shard import each_shard
from softgrad.cli.errors import UserError
from softgrad.cli.model import Model, Scores
from softgrad.cli.model_file import load_model
from softgrad.cli.reading import Reading
from softgrad.cli.report import Output, confusion_as_json
from softgrad.cli.svmlight import is_svmlight


def evaluate(
    path: Path, data: Data, reading: Reading, target: str | None, cluster: Cluster | None, output: Output
) -> None:
    """Run the command; the target is the one of the training unless another column is named."""
    model = load_model(path)
    column = model.target if target is None else target
    options = reading.options(data, model.options)
    if cluster is not None:
        cluster.check(data, options)
    if target is not None and is_svmlight(data, options):
        raise UserError(f"--target {target}: the labels of {data} are at the start of its lines")
    rows = applied_rows(model, data, options, reading.unseen)
    shards = each_shard(rows, partial(_scored, model, target), cluster)
    scored = [scores for scores, _ in shards if scores is not None]
    if not scored:
        raise UserError(f"{data} has no row without a missing value")
    scores = Scores.total(scored)
    notes = [*rows.notes, *all_found(found for _, found in shards).notes()]
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


def _scored(model: Model, target: str | None, _: int, shard: AppliedShard) -> tuple[Scores | None, Found]:
    """The scores of the rows of a shard that can be used, if there are any; and what was found."""
    parts = [
        model.score(features, targets(target), shard.origin, row_numbers)
        for features, row_numbers, usable, targets in shard
        if usable.any()
    ]
    return Scores.total(parts) if parts else None, shard.found
