"""`softgrad predict`: label and probabilities of each row, as CSV."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from softgrad.cli.applied import AppliedRows
from softgrad.cli.columns import Features
from softgrad.cli.data import Data
from softgrad.cli.errors import UserError
from softgrad.cli.files import check_files, replacing
from softgrad.cli.model import Model
from softgrad.cli.model_file import load_model
from softgrad.cli.origin import Origin
from softgrad.cli.reading import Reading
from softgrad.cli.report import note
from softgrad.cli.svmlight import SvmlightFiles, is_svmlight, parts_for
from softgrad.cli.tables import BoolArray, IntArray
from softgrad.linear_model._data._compression import ENDINGS
from softgrad.linear_model._data._read_options import FORMATS


def predict(model: Path, data: Data, reading: Reading, output: Path | None) -> None:
    """Run the command."""
    check_files(inputs={"MODEL": [model]}, outputs={"--output": output})
    if output is not None and output.suffix.lower() in {*(f".{form}" for form in FORMATS), *ENDINGS} - {".csv"}:
        raise UserError(f"--output {output}: predictions are written as plain CSV; let the name end in .csv")
    trained = load_model(model)
    options = reading.options(data, trained.options)
    check_files(inputs={"DATA": data.local_files(options)}, outputs={"--output": output})
    if is_svmlight(data, options):
        files = SvmlightFiles(data, options)
        svmlight = parts_for(trained, files, reading.unseen)
        parts = [_predictions(trained, features, files.origin, row_numbers) for features, _, row_numbers in svmlight]
    else:
        rows = AppliedRows(trained, data, options, reading.unseen)
        parts = [
            _placed(_predictions(trained, part.features, rows.origin, part.part.row_numbers), part.usable)
            for part in rows
        ]
        for line in rows.notes():
            note(line)
    predictions = pa.concat_tables(parts)
    if output is None:
        _write(predictions, sys.stdout.buffer)
        return
    with replacing(output) as file:
        _write(predictions, file)


def _predictions(model: Model, features: Features, origin: Origin, row_numbers: IntArray) -> pa.Table:
    probabilities = model.probabilities(features, origin, row_numbers)
    labels = pa.array(model.classes.labels).take(pa.array(probabilities.argmax(axis=1)))
    return pa.table(
        [labels, *(pa.array(column) for column in probabilities.T)],
        names=["prediction", *(f"probability_{name}" for name in model.classes.names)],
    )


def _placed(predictions: pa.Table, usable: BoolArray) -> pa.Table:
    """With a line for every row; it is empty for those that cannot be used."""
    if usable.all():
        return predictions
    places = np.where(usable, np.cumsum(usable) - 1, 0)
    return predictions.take(pa.array(places, mask=~usable))


def _write(predictions: pa.Table, file: BinaryIO) -> None:
    pyarrow.csv.write_csv(predictions, file, pyarrow.csv.WriteOptions(quoting_style="needed"))
