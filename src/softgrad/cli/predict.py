"""`softgrad predict`: label and probabilities of each row, as CSV."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

from softgrad import _files
from softgrad.cli.applied import AppliedRows, AppliedShard, Found, all_found, applied_rows
from softgrad.cli.cluster import Cluster
from softgrad.cli.columns import Features
from softgrad.cli.data import Data
from softgrad.cli.each_shard import each_shard
from softgrad.cli.errors import UserError
from softgrad.cli.files import check_files, new_folder, replacing, write_errors
from softgrad.cli.model import Model
from softgrad.cli.model_file import load_model
from softgrad.cli.origin import Origin
from softgrad.cli.reading import Reading
from softgrad.cli.report import note
from softgrad.cli.tables import BoolArray, IntArray
from softgrad.linear_model._data._compression import ENDINGS
from softgrad.linear_model._data._read_options import FORMATS

_OPTIONS = pyarrow.csv.WriteOptions(quoting_style="needed")


def predict(
    model: Path, data: Data, reading: Reading, output: Path | None, output_dir: Path | None, cluster: Cluster | None
) -> None:
    """Run the command."""
    if output is not None and output_dir is not None:
        raise UserError(f"--output {output} and --output-dir {output_dir}: which of the two?")
    if cluster is not None and output_dir is None:
        raise UserError(f"--ray {cluster.address}: its workers write a file each time; --output-dir says where")
    check_files(inputs={"MODEL": [model]}, outputs={"--output": output})
    if output is not None and output.suffix.lower() in {*(f".{form}" for form in FORMATS), *ENDINGS} - {".csv"}:
        raise UserError(f"--output {output}: predictions are written as plain CSV; let the name end in .csv")
    trained = load_model(model)
    options = reading.options(data, trained.options)
    if cluster is not None:
        cluster.check(data, options)
    check_files(inputs={"DATA": data.local_files(options)}, outputs={"--output": output})
    rows = applied_rows(trained, data, options, reading.unseen)
    if output_dir is not None:
        with new_folder(output_dir) as folder:
            found = each_shard(rows, partial(_write_shard, trained, folder, output_dir), cluster)
        _tell(rows, found)
        return
    predictions = pa.concat_tables(chain.from_iterable(_predictions(trained, shard) for shard in rows.shards))
    _tell(rows, [shard.found for shard in rows.shards])
    if output is None:
        _write(predictions, sys.stdout.buffer)
        return
    with replacing(output) as file:
        _write(predictions, file)


def _tell(rows: AppliedRows, found: Sequence[Found]) -> None:
    for line in (*rows.notes, *all_found(found).notes()):
        note(line)


def _write_shard(model: Model, folder: Path, output_dir: Path, number: int, shard: AppliedShard) -> Found:
    """Write the predictions for a shard as they are made, to a folder that will be `output_dir`."""
    if not folder.is_dir():
        raise UserError(f"--output-dir {output_dir}: the machine of a worker has no such folder; all must share it")
    with write_errors(output_dir), _files.replacing(folder / f"part-{number:05}.csv") as file:
        writer = None
        for predictions in _predictions(model, shard):
            writer = writer or pyarrow.csv.CSVWriter(file, predictions.schema, write_options=_OPTIONS)
            writer.write(predictions)
        assert writer is not None
        writer.close()
    return shard.found


def _predictions(model: Model, shard: AppliedShard) -> Iterator[pa.Table]:
    for features, row_numbers, usable, _ in shard:
        yield _placed(_of_part(model, features, shard.origin, row_numbers), usable)


def _of_part(model: Model, features: Features, origin: Origin, row_numbers: IntArray) -> pa.Table:
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
    pyarrow.csv.write_csv(predictions, file, _OPTIONS)
