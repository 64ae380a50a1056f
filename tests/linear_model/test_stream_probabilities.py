"""`fit_stream` takes class probabilities as `fit` does, from arrays, columns and lists, and says what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import scipy.sparse
from numpy.typing import NDArray
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _pieces
from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._distributions import distributions
from softgrad.linear_model._data._pieces import pieces_of
from softgrad.linear_model._data._rows import class_totals
from softgrad.linear_model._data._streams import LocalStream
from softgrad.linear_model._data._tuple_batches import TupleBatches
from tests.linear_model import bounds
from tests.oracles.inputs import fresh_rng

NAMES = ["b", "c", "a"]
EXACT = {"tol": 1e-12}
# What the order of sums may come to in the coefficients, whose conditioning is far from bad.
ROUNDING = 2**16 * bounds.EPS


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 256 rows."""
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)


def soft(rng: np.random.Generator, rows: int = 900, classes: int = 3) -> tuple[NDArray, NDArray, NDArray]:
    """Features, probabilities that they tell something of, and weights, many of which are 0."""
    X = rng.standard_normal((rows, 5))
    P = np.exp(X @ rng.standard_normal((5, classes)) + 0.5 * rng.standard_normal((rows, classes)))
    weights = rng.integers(0, 4, rows).astype(float)
    weights[:300] = 0.0
    return X, P / P.sum(axis=1, keepdims=True), weights


def table_of(X: NDArray, P: NDArray, weights: NDArray) -> pa.Table:
    columns = {f"x{i}": column for i, column in enumerate(X.T)}
    return pa.table({"b": P[:, 0], **columns, "c": P[:, 1], "w": weights, "a": P[:, 2]})


def list_table(X: NDArray, P: NDArray, weights: NDArray, kind: pa.DataType) -> pa.Table:
    return pa.table(
        {"x": pa.array(X.tolist(), pa.list_(pa.float64(), 5)), "p": pa.array(P.tolist(), kind), "w": weights}
    )


def parquet(table: pa.Table, folder: Path) -> Path:
    pa.parquet.write_table(table, folder / "data.parquet", row_group_size=97)
    return folder / "data.parquet"


def csv(table: pa.Table, folder: Path) -> Path:
    pa.csv.write_csv(table, folder / "data.csv")
    return folder / "data.csv"


def assert_same(model: SoftmaxRegression, expected: SoftmaxRegression, order: list[int] | slice = slice(None)) -> None:
    """The classes of the model are some order of the expected ones."""
    assert model.converged_
    scale = np.abs(expected.coef_).max()
    assert scale > 0.01
    np.testing.assert_allclose(model.coef_, expected.coef_[order], rtol=0, atol=ROUNDING * scale)
    np.testing.assert_allclose(model.intercept_, expected.intercept_[order], rtol=0, atol=ROUNDING * scale)
    assert model.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=ROUNDING, abs=0.0)


@pytest.mark.parametrize("parameters", [
    {},
    {"class_weight": "balanced"},
    {"class_weight": {0: 3.0, 2: 0.5}},
    {"label_smoothing": 0.1},
    {"l1_ratio": 0.5, "C": 0.1},
    {"fit_intercept": False},
    {"solver": "newton-diagonal"},
])  # fmt: skip
def test_every_parameter(parameters: dict[str, Any]) -> None:
    X, P, weights = soft(fresh_rng())
    expected = SoftmaxRegression(**EXACT, **parameters).fit(X, P, weights)
    starts = range(0, len(X), 70)
    tuples = [tuple(array[start : start + 70] for array in (X, P, weights)) for start in starts]
    model = SoftmaxRegression(**EXACT, **parameters).fit_stream(tuples)
    assert model.classes_.tolist() == [0, 1, 2]
    assert_same(model, expected)
    sparse = [(scipy.sparse.csr_array(part), *rest) for part, *rest in tuples]
    assert_same(SoftmaxRegression(**EXACT, **parameters).fit_stream(sparse), expected)


def test_the_optimum_is_that_of_the_definition() -> None:
    """Each row is one for each class, weighted by its probability and the weight of the class."""
    X, P, weights = soft(fresh_rng())
    of_class = np.array([3.0, 1.0, 0.5])
    model = SoftmaxRegression(**EXACT, class_weight={0: 3.0, 2: 0.5}).fit_stream([(X, P, weights)])
    shares = weights[:, None] * P * of_class
    shares /= (total := shares.sum())
    logits = X @ model.coef_.T + model.intercept_
    value = -(shares * log_softmax(logits, axis=1)).sum() + np.sum(model.coef_**2) / (2 * total)
    assert model.loss_curve_[-1] == pytest.approx(value, rel=1024 * bounds.EPS, abs=0.0)
    slopes = (np.exp(log_softmax(logits, axis=1)) * shares.sum(axis=1, keepdims=True) - shares).T
    gradient = slopes @ X + model.coef_ / total
    # The gap is at least the square of the gradient over twice the curvature, which the features' squares bound.
    most = np.sqrt(2 * EXACT["tol"] * value * (np.sum(X**2, axis=1).max() + 1 / total))
    assert np.linalg.norm(gradient) < most
    assert np.linalg.norm(shares.T @ X) > 1e3 * most


def test_columns_lists_and_files(tmp_path: Path) -> None:
    X, P, weights = soft(fresh_rng())
    expected = SoftmaxRegression(**EXACT).fit(X, P, weights)
    table = table_of(X, P, weights)
    order = [2, 0, 1]
    for source in (table.to_batches(41), [pl.from_arrow(table)], parquet(table, tmp_path), csv(table, tmp_path)):
        for target in (NAMES, tuple(NAMES)):
            model = SoftmaxRegression(**EXACT).fit_stream(source, target, sample_weight="w")
            assert model.classes_.tolist() == ["a", "b", "c"]
            assert model.feature_names_in_.tolist() == [f"x{i}" for i in range(5)]
            assert_same(model, expected, order)
    for kind in (pa.list_(pa.float64(), 3), pa.list_(pa.float64()), pa.large_list(pa.float64())):
        table = list_table(X, P, weights, kind)
        for source in (table.to_batches(41), [pl.from_arrow(table)], parquet(table, tmp_path)):
            model = SoftmaxRegression(**EXACT).fit_stream(source, "p", sample_weight="w")
            assert model.classes_.tolist() == [0, 1, 2]
            assert model.feature_names_in_.tolist() == [f"x[{i}]" for i in range(5)]
            assert_same(model, expected)


def test_names_of_a_text_file_stay_names(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x,0,1\n1,0.25,0.75\n2,1,0\n0,0.5,0.5\n")
    model = SoftmaxRegression().fit_stream(tmp_path / "data.csv", ["1", "0"])
    assert model.classes_.tolist() == ["0", "1"]
    assert model.coef_[0, 0] > 0.01
    options = {"columns": ["x"]}
    again = SoftmaxRegression().fit_stream(tmp_path / "data.csv", ["1", "0"], read_options=options)
    np.testing.assert_array_equal(again.coef_, model.coef_)


def test_one_hot_probabilities_are_labels() -> None:
    rng = fresh_rng()
    X, P, _ = soft(rng)
    y = P.argmax(axis=1)
    expected = SoftmaxRegression(**EXACT).fit_stream([(X, y)])
    for P in (np.eye(3)[y], np.eye(3, dtype=np.float32)[y], np.eye(3, dtype=bool)[y], np.eye(3)[y].tolist()):
        assert_same(SoftmaxRegression(**EXACT).fit_stream([(X, P)]), expected)


def test_a_polished_fit_to_float32() -> None:
    X, P, weights = soft(fresh_rng())
    X = X.astype(np.float32)
    expected = SoftmaxRegression(**EXACT).fit(X.astype(np.float64), P, weights)
    model = SoftmaxRegression(**EXACT, polish=True).fit_stream([(X, P, weights)])
    assert model.converged_
    assert model.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=2 * model.tol, abs=0.0)
    distance = bounds.of_coefficients(expected, weights.sum())
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=distance)


def test_a_class_of_no_weight() -> None:
    """Rows that are of this class alone are left out; its optimal intercept is -inf."""
    X, P, weights = soft(fresh_rng())
    P[500:600] = [0.0, 0.0, 1.0]
    parameters = {**EXACT, "class_weight": {0: 3.0, 2: 0.0}}
    expected = SoftmaxRegression(**parameters).fit(X, P, weights)
    model = SoftmaxRegression(**parameters).fit_stream([(X, P, weights)])
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=ROUNDING * scale)
    weights[500:600] = 0.0
    without = SoftmaxRegression(**parameters).fit_stream([(X, P, weights)])
    np.testing.assert_allclose(model.coef_, without.coef_, rtol=0, atol=ROUNDING * scale)


def test_a_row_has_the_same_bits_in_any_array() -> None:
    P = fresh_rng().dirichlet(np.ones(300), 50).astype(np.float32)
    whole = distributions(P, lambda row, column: f"{row}, {column}")
    for part, row in [(P[17:18], 0), (P[16:40], 1), (np.asfortranarray(P), 17), (np.repeat(P, 2, axis=1)[:, ::2], 17)]:
        found = distributions(part, lambda row, column: f"{row}, {column}")
        assert found.flags.c_contiguous
        assert found[row].tobytes() == whole[17].tobytes()
    assert np.abs(whole - P).max() > 0


def test_the_bits_do_not_depend_on_how_the_rows_are_cut() -> None:
    rng = fresh_rng()
    X, P, weights = soft(rng, rows=1000)
    table = table_of(X, P, weights)
    lists = list_table(X, P, weights, pa.list_(pa.float64()))
    for whole, target in [(table, NAMES), (lists, "p")]:
        cuts = [[whole], *(whole.to_batches(rows) for rows in (31, 256, 999)), [whole[:300], whole[300:]]]
        models = [SoftmaxRegression().fit_stream(cut, target, sample_weight="w") for cut in cuts]
        for model in models[1:]:
            assert model.coef_.tobytes() == models[0].coef_.tobytes()
            assert model.loss_curve_ == models[0].loss_curve_


def test_totals_have_the_same_bits_on_any_number_of_threads() -> None:
    rng = fresh_rng()
    P, weights = rng.dirichlet(np.ones(10), 50_000), rng.uniform(size=50_000)
    totals = []
    for threads in (1, 2, 3, 4):
        with threadpool_limits(threads):
            totals.append(class_totals(P, weights, 10))
    assert len({total.tobytes() for total in totals}) == 1
    exact = [math.fsum(column) for column in (weights[:, None] * P).T]
    np.testing.assert_allclose(totals[0], exact, rtol=len(P) * bounds.EPS, atol=0)


def test_a_piece_is_as_small_with_many_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    P = np.full((6000, 1500), 1 / 1500)
    rows = [len(piece.codes) for piece in pieces_of(TupleBatches([(np.ones((6000, 2)), P)]), int)]
    assert sum(rows) == 6000
    assert max(rows) * P.itemsize * P.shape[1] <= 1 << 22
    table = pa.table({"x": np.ones(6000), "p": pa.FixedSizeListArray.from_arrays(pa.array(P.ravel()), 1500)})
    stream = LocalStream([ArrowBatches([table], "p", None, text=None, ahead=False)])
    assert stream.survey(digest=False).totals.sum() == pytest.approx(6000, rel=6000 * bounds.EPS, abs=0.0)


def test_warm_start_starts_there() -> None:
    X, P, weights = soft(fresh_rng())
    table = table_of(X, P, weights)
    model = SoftmaxRegression(warm_start=True).fit_stream([table], NAMES, sample_weight="w")
    assert model.n_iter_ > 1
    assert model.fit_stream([table], NAMES[::-1], sample_weight="w").n_iter_ == 1


GOOD = (np.arange(6.0).reshape(3, 2), [[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
BAD_TUPLES = {
    "negative": ([[0.5, 0.5], [1.5, -0.5], [1, 0]], "y, row 5, class 1 is -0.5; a probability is at least 0"),
    "nan": ([[0.5, 0.5], [1.0, 0.0], [np.nan, 0.5]], "y, row 6, class 0 is nan; a probability is at least 0"),
    "infinite": ([[0.5, np.inf], [1.0, 0.0], [1.0, 0.0]], "y, row 4 adds up to inf; the probabilities of a row add"),
    "sum": ([[0.5, 0.5], [1.0, 0.0], [0.5, 0.75]], "y, row 6 adds up to 1.25; the probabilities of a row add up to 1"),
    "rows": ([[0.5, 0.5], [1.0, 0.0]], "y of batch 1 has shape (2, 2); X has 3 rows"),
    "classes": (np.eye(3), "y of batch 1 has 3 columns of probabilities; that of batch 0 has 2"),
    "labels": ([0, 1, 0], "y of batch 1 has 0 columns of probabilities; that of batch 0 has 2"),
    "text": ([["a", "b"]] * 3, "must hold class probabilities; it has dtype <U1"),
    "three dimensions": (np.ones((3, 2, 2)), "y of batch 1 has shape (3, 2, 2); X has 3 rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TUPLES)
def test_a_bad_tuple_is_named(case: str) -> None:
    y, message = BAD_TUPLES[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        SoftmaxRegression().fit_stream([GOOD, (GOOD[0], y)])


def columns(**changes: Any) -> pa.Table:
    """Three rows with the probabilities of two classes."""
    return pa.table({"x": [1.0, 2.0, 3.0], "a": [0.5, 0.25, 1.0], "b": [0.5, 0.75, 0.0]} | changes)


BAD_COLUMNS: dict[str, tuple[pa.Table, Any, str]] = {
    "negative": (columns(b=[0.5, -0.5, 0.0]), ["a", "b"], "column 'b', row 5 is -0.5; a probability is at least 0"),
    "nan": (columns(b=[0.5, 0.75, np.nan]), ["a", "b"], "column 'b', row 6 is nan; it must be finite"),
    "missing": (columns(a=[0.5, None, 1.0]), ["a", "b"], "column 'a', row 5 has no value"),
    "sum": (columns(a=[0.5, 0.5, 1.0]), ["a", "b"], "target, row 5 adds up to 1.25; the probabilities of a row add"),
    "list": (
        columns(p=[[0.5, 0.5], [0.5, 1.0], [1.0, 0.0]]), "p", "column 'p', row 5 adds up to 1.5; the probabilities"
    ),
    "negative in a list": (columns(p=[[0.5, 0.5], [1.5, -0.5], [1.0, 0.0]]), "p", "column 'p[1]', row 5 is -0.5; a"),
    "null in a list": (columns(p=[[0.5, 0.5], [1.0, None], [1.0, 0.0]]), "p", "column 'p[1]', row 5 has no value"),
    "no list": (columns(p=[[0.5, 0.5], None, [1.0, 0.0]]), "p", "column 'p', row 5 has no value"),
    "length": (columns(p=[[0.5, 0.5], [1.0], [1.0, 0.0]]), "p", "column 'p', row 5 is a list of 1; that of row 1 is"),
    "one class": (columns(p=[[1.0], [1.0], [1.0]]), "p", "column 'p' holds lists of shape (1,); a list of probabil"),
    "lists of lists": (columns(p=[[[0.5, 0.5]]] * 3), "p", "column 'p' holds lists of shape (1, 2); a list of prob"),
    "lists of text": (columns(p=[["u", "v"]] * 3), "p", "column 'p' holds list<item: string>; features, weights"),
    "text": (columns(b=["u", "v", "w"]), ["a", "b"], "column 'b' holds string; features, weights"),
    "lists among columns": (columns(b=[[1.0, 0.0]] * 3), ["a", "b"], "column 'b' holds list<item: double>; features"),
    "no column": (columns(), ["a", "c"], "target 'c' is no column of the source; its columns are 'x', 'a', 'b'"),
    "twice": (columns(), ["a", "a"], "target names the column 'a' twice"),
    "one column": (columns(), ["a"], "target is ['a']; there must be a column of probabilities for each of 2 classes"),
    "no names": (columns(), ["a", 1], "target is ['a', 1]; it must be the name of a column, or those of a column for"),
    "a number": (columns(), 1, "target is 1; it must be the name of a column"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_COLUMNS)
def test_a_bad_column_is_named(case: str) -> None:
    bad, target, message = BAD_COLUMNS[case]
    good = columns(**({"p": [[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]]} if "p" in bad.column_names else {}))
    # What is wrong with the types is wrong with the first batch.
    source = [good, bad] if ", row 5 " in message or ", row 6 " in message else [bad]
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        SoftmaxRegression().fit_stream(source, target)


def test_a_weight_that_is_a_list() -> None:
    with pytest.raises(TypeError, match=re.escape("column 'w' holds list<item: double>; features, weights and prob")):
        SoftmaxRegression().fit_stream([columns(w=[[1.0]] * 3, y=[0, 1, 0])], "y", sample_weight="w")


def test_a_dropped_column_of_the_target(tmp_path: Path) -> None:
    path = csv(columns(), tmp_path)
    with pytest.raises(ValueError, match="the option drop names the column 'b', which is the target, sample_"):
        SoftmaxRegression().fit_stream(path, ["a", "b"], read_options={"drop": ["b"]})


X3, P3 = np.ones((3, 3)), np.full((3, 3), 1 / 3)


@pytest.mark.parametrize(("later", "message"), [
    ((X3, GOOD[1]), "its rows have 3 features, not the 2"),
    ((GOOD[0], P3), "the label 2 is new"),
    ((GOOD[0], [0, 1, 0]), "its rows have 0 class probabilities, not the 2"),
])  # fmt: skip
def test_a_source_that_changes_between_passes(later: Any, message: str) -> None:
    class Fickle:
        passes = 0

        def __iter__(self) -> Iterator[Any]:
            self.passes += 1
            return iter([GOOD] if self.passes < 4 else [later])

    with pytest.raises(ValueError, match=f"the source has changed since the first pass: {message}"):
        SoftmaxRegression().fit_stream(Fickle())


@pytest.mark.parametrize(("other", "message"), [
    ((X3, GOOD[1]), "3 features; those of part 0 of the source have 2"),
    ((GOOD[0], P3), "3 class probabilities; those of part 0 of the source have 2"),
    ((GOOD[0], [0, 1, 0]), "0 class probabilities; those of part 0 of the source have 2"),
])  # fmt: skip
def test_shards_are_alike(other: Any, message: str) -> None:
    stream = LocalStream([TupleBatches([GOOD]), TupleBatches([other])])
    with pytest.raises(ValueError, match=f"the rows of part 1 of the source have {message}"):
        stream.survey(digest=False)


def test_a_checkpoint_knows_the_probabilities(tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(report: Any) -> None:
        if report.iteration == 2:
            raise Interrupted

    X, P, weights = soft(fresh_rng())
    path = tmp_path / "fit"
    whole = SoftmaxRegression(**EXACT).fit_stream([(X, P, weights)])
    with pytest.raises(Interrupted):
        SoftmaxRegression(**EXACT, callback=interrupt).fit_stream([(X, P, weights)], checkpoint=path)
    touched = P.copy()
    touched[400, :2] += [2.0**-30, -(2.0**-30)]
    for changed in (touched, P[:, [1, 0, 2]], P.argmax(axis=1)):
        with pytest.raises(ValueError, match="belongs to another fit: digest of the data is"):
            SoftmaxRegression(**EXACT).fit_stream([(X, changed, weights)], checkpoint=path, resume=True)
    resumed = SoftmaxRegression(**EXACT).fit_stream([(X, P, weights)], checkpoint=path, resume=True)
    assert resumed.coef_.tobytes() == whole.coef_.tobytes()
    assert resumed.loss_curve_ == whole.loss_curve_
