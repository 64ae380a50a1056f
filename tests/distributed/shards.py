"""Files that are read by several workers, and fits to them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse
from sklearn.datasets import dump_svmlight_file

from softgrad.linear_model import SoftmaxRegression
from tests.linear_model import data_sets

SHARDS = 6


class Case(NamedTuple):
    """Rows in files, what a fit to them is told, and the same rows in memory.

    classes : of probabilities, which have numbers in memory.
    """

    folder: Path
    names: dict[str, Any]
    parameters: dict[str, Any]
    X: Any
    y: np.ndarray
    sample_weight: np.ndarray | None = None
    classes: list[str] | None = None

    def fitted(self, source: Any, **options: Any) -> SoftmaxRegression:
        return SoftmaxRegression(**self.parameters).fit_stream(source, **options)

    def in_memory(self) -> SoftmaxRegression:
        return SoftmaxRegression(**self.parameters).fit(self.X, self.y, sample_weight=self.sample_weight)


def divided(rng: np.random.Generator, rows: int) -> list[slice]:
    """Shards of unlike sizes, one of a single row."""
    cuts = np.sort(rng.choice(np.arange(2, rows), SHARDS - 2, replace=False)).tolist()
    ends = [0, 1, *cuts, rows]
    return [slice(*pair) for pair in pairwise(ends)]


def in_parquet(folder: Path, parts: list[slice], X: np.ndarray, **columns: np.ndarray) -> None:
    features = {f"x{i}": column for i, column in enumerate(X.T)}
    for number, part in enumerate(parts):
        table = pa.table({name: column[part] for name, column in (features | columns).items()})
        pq.write_table(table, folder / f"{number}.parquet")


def dense(folder: Path, rng: np.random.Generator) -> Case:
    X, y = data_sets.random(rng, rows=700, features=5, classes=3)
    in_parquet(folder, divided(rng, 700), X, y=y)
    return Case(folder, {"target": "y"}, {"tol": 1e-12}, X, y)


def weighted(folder: Path, rng: np.random.Generator) -> Case:
    X, y = data_sets.random(rng, rows=700, features=5, classes=3)
    weights = rng.integers(0, 4, 700).astype(float)
    in_parquet(folder, divided(rng, 700), X, y=y, w=weights)
    parameters = {"tol": 1e-12, "class_weight": "balanced", "label_smoothing": 0.1}
    return Case(folder, {"target": "y", "sample_weight": "w"}, parameters, X, y, weights)


def polished(folder: Path, rng: np.random.Generator) -> Case:
    X, y = data_sets.random(rng, rows=700, features=5, classes=3)
    X = X.astype(np.float32)
    in_parquet(folder, divided(rng, 700), X, y=y)
    return Case(folder, {"target": "y"}, {"tol": 1e-12, "polish": True}, X, y)


def soft(folder: Path, rng: np.random.Generator) -> Case:
    """Probabilities in columns that are not in the order of the classes."""
    X, _ = data_sets.random(rng, rows=700, features=5, classes=3)
    classes = ["no", "perhaps", "yes"]
    P = rng.dirichlet([0.5, 1.0, 2.0], 700)
    weights = rng.integers(0, 4, 700).astype(float)
    in_parquet(folder, divided(rng, 700), X, w=weights, **dict(zip(classes, P.T, strict=True)))
    names = {"target": classes[::-1], "sample_weight": "w"}
    parameters = {"tol": 1e-12, "class_weight": "balanced", "label_smoothing": 0.1}
    return Case(folder, names, parameters, X, P, weights, classes)


def indexed(folder: Path, rng: np.random.Generator) -> Case:
    """Lists of indices; the shard of one row has no feature, and the last feature is in one row alone."""
    X = rng.poisson(0.3, (700, 12)).astype(float)
    X[0] = 0.0
    X[:, -1] = 0.0
    X[350, -1] = 1.0
    y = (X @ rng.standard_normal((12, 3)) + rng.gumbel(size=(700, 3))).argmax(axis=1)
    tags = [np.repeat(np.arange(12), row.astype(int)) for row in X]
    for number, part in enumerate(divided(rng, 700)):
        table = pa.table({"tags": pa.array(tags[part], pa.list_(pa.int64())), "y": y[part]})
        pq.write_table(table, folder / f"{number}.parquet")
    return Case(folder, {"target": "y", "indices": "tags"}, {"tol": 1e-12}, scipy.sparse.csr_array(X), y)


def elastic(folder: Path, rng: np.random.Generator) -> Case:
    X, y = data_sets.random(rng, rows=700, features=8, classes=3)
    in_parquet(folder, divided(rng, 700), X, y=y)
    return Case(folder, {"target": "y"}, {"tol": 1e-12, "l1_ratio": 0.5, "C": 0.05}, X, y)


def sparse(folder: Path, rng: np.random.Generator) -> Case:
    X, y = data_sets.random(rng, rows=700, features=12, classes=3)
    X[rng.random(X.shape) < 0.7] = 0.0
    # Every file has the last feature, which alone says how many there are.
    X[:, -1] = 1.0
    for number, part in enumerate(divided(rng, 700)):
        dump_svmlight_file(X[part], y[part], str(folder / f"{number}.svmlight"), zero_based=False)
    return Case(folder, {}, {"tol": 1e-12}, scipy.sparse.csr_array(X), y)


CASES: dict[str, Callable[[Path, np.random.Generator], Case]] = {
    function.__name__: function for function in (dense, weighted, polished, soft, indexed, elastic, sparse)
}


def assert_same_bits(model: SoftmaxRegression, expected: SoftmaxRegression) -> None:
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.intercept_, expected.intercept_)
    assert model.loss_curve_ == expected.loss_curve_
    assert model.classes_.tolist() == expected.classes_.tolist()
