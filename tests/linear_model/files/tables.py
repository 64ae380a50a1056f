"""Tables that can be told apart by any reader, and files of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._streams import LocalStream
from tests.oracles.inputs import fresh_rng

PARAMETERS = {"tol": 1e-9, "C": 0.5}


def tables(number: int, rows: int = 60) -> list[pa.Table]:
    """Columns a, b and the label y, which depends on them."""
    rng = fresh_rng()
    made = []
    for _ in range(number):
        a, b = rng.standard_normal((2, rows))
        y = np.where(a + b + rng.logistic(size=rows) > 0.0, "yes", "no")
        made.append(pa.table({"a": a, "b": b, "y": y.tolist()}))
    return made


def write(table: pa.Table, path: Path) -> Path:
    """In the format of the ending; CSV keeps every bit of a float64."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    elif path.suffix == ".tsv":
        pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(delimiter="\t"))
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.feather.write_feather(table, str(path))
    return path


def fitted(source: object, target: str | None = "y", **options: object) -> SoftmaxRegression:
    return SoftmaxRegression(**PARAMETERS).fit_stream(source, target, **options)


def of_shards(shards: list[pa.Table], target: str = "y") -> SoftmaxRegression:
    """The fit to tables that are one shard each, without any file."""
    stream = LocalStream([ArrowBatches([table], target, None, text=None, ahead=False) for table in shards])
    return SoftmaxRegression(**PARAMETERS).fit_stream(stream)


def assert_same_bits(found: SoftmaxRegression, expected: SoftmaxRegression) -> None:
    assert found.classes_.tolist() == expected.classes_.tolist()
    assert found.loss_curve_ == expected.loss_curve_
    assert found.n_iter_ > 1
    for name in ("coef_", "intercept_"):
        assert getattr(found, name).any()
        assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()
