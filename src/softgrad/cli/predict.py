"""`softgrad predict`: label and probabilities of each row, as CSV."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv
from scipy.sparse import csr_array

from softgrad.cli import tables
from softgrad.cli.errors import UserError
from softgrad.cli.files import check_files, replacing
from softgrad.cli.model import Model
from softgrad.cli.model_file import load_model
from softgrad.cli.svmlight import is_svmlight, parts_for
from softgrad.cli.tables import FORMATS, Float64Array


def predict(model: Path, data: str, output: Path | None) -> None:
    """Run the command."""
    check_files(inputs={"MODEL": model, "DATA": tables.file_of(data)}, outputs={"--output": output})
    if output is not None and output.suffix.lower() in {*FORMATS, ".gz"} - {".csv"}:
        raise UserError(f"--output {output}: predictions are written as plain CSV; let the name end in .csv")
    trained = load_model(model)
    if is_svmlight(data):
        parts = [_predictions(trained, features) for features, _ in parts_for(trained, data)]
        predictions = pa.concat_tables(parts)
    else:
        predictions = _predictions(trained, trained.features(tables.load(data)))
    if output is None:
        _write(predictions, sys.stdout.buffer)
        return
    with replacing(output) as file:
        _write(predictions, file)


def _predictions(model: Model, features: Float64Array | csr_array) -> pa.Table:
    probabilities = model.probabilities(features)
    labels = pa.array(model.classes.labels).take(pa.array(probabilities.argmax(axis=1)))
    return pa.table(
        [labels, *(pa.array(column) for column in probabilities.T)],
        names=["prediction", *(f"probability_{name}" for name in model.classes.names)],
    )


def _write(predictions: pa.Table, file: BinaryIO) -> None:
    pyarrow.csv.write_csv(predictions, file, pyarrow.csv.WriteOptions(quoting_style="needed"))
