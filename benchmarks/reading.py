"""Reading a file: from its bytes to float64 features and labels

Files of 20 MB with ten columns of numbers of six digits and a label in words, in the cache of the system; "bytes" reads
the file and does nothing with it. softgrad reads it as a pass of `fit_stream` does, in pieces that it lets go of, on
one thread and without the one that reads ahead; pandas and polars hold all of it, polars on all cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from benchmarks._contender import Contender
from benchmarks._harness import Bench, Case
from benchmarks._results import Row
from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._file_shards import file_shards
from softgrad.linear_model._data._read_options import ReadOptions

_FEATURES = 10
# Of the two formats: a CSV has the digits, a Parquet file random bits that nothing compresses.
_ROWS = {".csv": 220_000, ".parquet": 240_000}
_PANDAS = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
_POLARS = {".csv": pl.read_csv, ".parquet": pl.read_parquet}


def _batches(path: Path) -> Batches:
    (shard,) = file_shards(path, "label", None, ReadOptions())
    return shard.open()


def _softgrad(path: Path) -> int:
    return sum(len(batch.codes) for batch in _batches(path))


def _read_by_softgrad(path: Path, _: int) -> Any:
    batches = list(_batches(path))
    labels = [batch.labels[code] for batch in batches for code in batch.codes]
    return np.concatenate([batch.X for batch in batches]), labels


def _by_pandas(path: Path) -> Any:
    frame = _PANDAS[path.suffix](path)
    labels = frame.pop("label")
    return frame.to_numpy(), labels


def _by_polars(path: Path) -> Any:
    frame = _POLARS[path.suffix](path)
    return frame.drop("label").to_numpy(), frame["label"]


def _case(bench: Bench, path: Path) -> Case:
    rows = 1000 if bench.quick else _ROWS[path.suffix]
    X = bench.rng.standard_normal((rows, _FEATURES))
    if path.suffix == ".csv":
        X = X.round(6)
    labels = bench.rng.choice(["ant", "bee", "cat"], rows).tolist()
    table = pa.table({**{f"x{i}": column for i, column in enumerate(X.T)}, "label": labels})
    (pyarrow.csv.write_csv if path.suffix == ".csv" else pyarrow.parquet.write_table)(table, path)

    def check(read: Any) -> None:
        np.testing.assert_array_equal(read[0], X)
        assert list(read[1]) == labels

    return Case(
        f"{path.suffix}, {rows} rows, {path.stat().st_size / 1e6:.1f} MB",
        Contender([partial(_softgrad, path)], read=partial(_read_by_softgrad, path)),
        check,
        floors={"bytes": Contender([path.read_bytes])},
        peers={"pandas": Contender([partial(_by_pandas, path)]), "polars": Contender([partial(_by_polars, path)])},
    )


def rows(bench: Bench) -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        yield from bench.timed(_case(bench, Path(folder) / f"rows{ending}") for ending in _ROWS)
