"""Lists of the features that a row has are sparse rows, and the fit is that to the matrix of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.sparse

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._streams import LocalStream
from tests.oracles.inputs import fresh_rng


def tagged(rng: np.random.Generator) -> tuple[list[list[int]], np.ndarray, np.ndarray]:
    """Tags of rows, some of which have none, or one twice; one row has the last feature. The matrix, and labels."""
    tags = [rng.integers(0, 30, rng.integers(0, 6)).tolist() for _ in range(300)]
    tags[7], tags[8], tags[150] = [], [5, 2, 5], [40, 1]
    X = np.zeros((300, 41))
    for row, indices in enumerate(tags):
        for index in indices:
            X[row, index] += 1
    y = (X @ rng.standard_normal((41, 3)) + rng.gumbel(size=(300, 3))).argmax(axis=1)
    return tags, X, y


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.large_list(pa.uint8()), pa.list_(pa.int32())], ids=str)
def test_the_fit_is_that_to_the_sparse_matrix(kind: pa.DataType, tmp_path: Path) -> None:
    tags, X, y = tagged(fresh_rng())
    table = pa.table({"tags": pa.array(tags, kind), "w": np.arange(300) % 3 + 1.0, "y": y})
    pyarrow.parquet.write_table(table, tmp_path / "data.parquet", row_group_size=64)
    weights = table["w"].to_numpy()
    sparse = scipy.sparse.csr_array(X)
    expected = SoftmaxRegression(tol=1e-12).fit_stream([(sparse, y, weights)])
    assert np.abs(expected.coef_[:, 40]).max() > 0.01
    options = {"sample_weight": "w", "indices": "tags"}
    for source in ([table], [pl.from_arrow(table)], tmp_path / "data.parquet"):
        model = SoftmaxRegression(tol=1e-12).fit_stream(source, "y", **options)
        assert model.n_features_in_ == 41
        assert not hasattr(model, "feature_names_in_")
        np.testing.assert_array_equal(model.coef_, expected.coef_)
    cuts = range(0, 300, 64)
    cut = SoftmaxRegression(tol=1e-12).fit_stream(
        [(sparse[i : i + 64], y[i : i + 64], weights[i : i + 64]) for i in cuts]
    )
    model = SoftmaxRegression(tol=1e-12).fit_stream(table.to_batches(64), "y", **options)
    np.testing.assert_array_equal(model.coef_, cut.coef_)
    assert model.loss_curve_ == cut.loss_curve_


def test_shards_may_end_with_other_features() -> None:
    tags, X, y = tagged(fresh_rng())
    table = pa.table({"tags": tags, "y": y})
    shards = [
        ArrowBatches([part], "y", None, text=None, ahead=False, indices="tags") for part in (table[:100], table[100:])
    ]
    stream = LocalStream(shards)
    survey = stream.survey(digest=True)
    assert [shard.n_features for shard in survey.shards] == [30, 41]
    assert survey.n_features == 41
    for rows, expected in zip(stream.rows(survey, np.ones(3)).shards, (X[:100], X[100:]), strict=True):
        (piece,) = rows
        np.testing.assert_array_equal(piece.X.toarray(), expected)


def table_of(cells: Any, **columns: Any) -> pa.Table:
    return pa.table({"tags": cells, "y": [0, 1, 0], **columns})


BAD = {
    "no list": (table_of([[1], None, [2]]), "column 'tags', row 2 has no value"),
    "no index": (table_of([[1], [3, 4, None], [2]]), "column 'tags', row 2, element 2 has no value"),
    "no first index": (table_of([[1], [None, 4], [2]]), "column 'tags', row 2, element 0 has no value"),
    "negative": (table_of([[1], [], [2, -3]]), "column 'tags', row 3, element 1 is -3; an index must be from 0"),
    "large": (table_of([[2**31], [1], [2]]), "column 'tags', row 1, element 0 is 2147483648; an index must be from 0"),
    "floats": (table_of([[1.0], [2.0], [3.0]]), "column 'tags' holds list<item: double>; indices must be lists of int"),
    "numbers": (table_of([1, 2, 3]), "column 'tags' holds int64; indices must be lists of integers"),
    "lists of lists": (table_of([[[1]], [[2]], [[3]]]), "column 'tags' holds list<item: list<item: int64>>; indices"),
    "other features": (table_of([[1], [2], [3]], x=[1.0] * 3), "column 'x' is beside 'tags', which has all features"),
    "nothing": (table_of(pa.array([[], [], []], pa.list_(pa.int64()))), "the source has no features"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_index(case: str) -> None:
    table, message = BAD[case]
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        SoftmaxRegression().fit_stream([table], "y", indices="tags")


def test_indices_are_a_column(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="indices 'no' is no column of the source; its columns are 'tags', 'y'"):
        SoftmaxRegression().fit_stream([table_of([[1], [2], [3]])], "y", indices="no")
    with pytest.raises(ValueError, match="indices names a column, so target must name one"):
        SoftmaxRegression().fit_stream([(np.eye(2), [0, 1])], indices="tags")
    (tmp_path / "data.csv").write_text("tags,y\n1,0\n2,1\n")
    with pytest.raises(TypeError, match="column 'tags' holds string; indices must be lists of integers"):
        SoftmaxRegression().fit_stream(tmp_path / "data.csv", "y", indices="tags")
    (tmp_path / "data.svm").write_text("1 1:1\n")
    with pytest.raises(ValueError, match="target, sample_weight and indices are None"):
        SoftmaxRegression().fit_stream(tmp_path / "data.svm", indices="tags")


def test_other_columns_are_left_out_of_a_file(tmp_path: Path) -> None:
    table = table_of([[0], [1, 2], [2]], identifier=["u", "v", "w"])
    pyarrow.parquet.write_table(table, tmp_path / "data.parquet")
    for options in ({"columns": []}, {"drop": ["identifier"]}):
        model = SoftmaxRegression().fit_stream(tmp_path / "data.parquet", "y", indices="tags", read_options=options)
        assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="column 'identifier' is beside 'tags', which has all features of a row"):
        SoftmaxRegression().fit_stream(tmp_path / "data.parquet", "y", indices="tags")
    with pytest.raises(
        ValueError, match="the option drop names the column 'tags', which is the target, sample_weight or"
    ):
        SoftmaxRegression().fit_stream(tmp_path / "data.parquet", "y", indices="tags", read_options={"drop": ["tags"]})


@pytest.mark.parametrize("later", [1, 3])
def test_a_later_pass_with_other_features(later: int) -> None:
    """All that there are are fewer, or more."""

    class Fickle:
        passes = 0

        def __iter__(self) -> Iterator[Any]:
            self.passes += 1
            return iter([table_of([[0], [1], [2 if self.passes < 4 else later]])])

    with pytest.raises(
        ValueError, match=f"the source has changed since the first pass: its rows have {later + 1} features, not the 3"
    ):
        SoftmaxRegression().fit_stream(Fickle(), "y", indices="tags")


def test_probabilities_of_sparse_rows() -> None:
    rng = fresh_rng()
    tags, X, _ = tagged(rng)
    P = rng.dirichlet(np.ones(3), 300)
    expected = SoftmaxRegression(tol=1e-12).fit_stream([(scipy.sparse.csr_array(X), P)])
    model = SoftmaxRegression(tol=1e-12).fit_stream([pa.table({"tags": tags, "p": P.tolist()})], "p", indices="tags")
    np.testing.assert_array_equal(model.coef_, expected.coef_)
