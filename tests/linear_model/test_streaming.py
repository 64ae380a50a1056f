"""`fit_stream` finds the optimum of `fit` from any source, however it is cut, and says what is wrong with a source."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
import scipy.sparse
from sklearn.datasets import dump_svmlight_file

from softgrad.linear_model import SoftmaxRegression
from softgrad.linear_model._data import _pieces, _svmlight, _text_file, _typed_file
from softgrad.linear_model._data._batches import Batch, Batches
from softgrad.linear_model._data._sources import stream_of
from softgrad.linear_model._data._streams import StreamedRows
from softgrad.linear_model._model import _hessian
from softgrad.linear_model._solvers import _newton
from tests.linear_model import bounds, data_sets
from tests.oracles.inputs import fresh_rng

EXACT = {"tol": 1e-13}
WORDS = np.array(["ant", "bee", "cat"])


def table_of(X: np.ndarray, y: np.ndarray, **columns: np.ndarray) -> pa.Table:
    return pa.table({**{f"x{i}": column for i, column in enumerate(X.T)}, "y": y, **columns})


def write(table: pa.Table, path: Path) -> Path:
    """In the format of the ending, in many row groups, batches or blocks."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    if plain.suffix in (".csv", ".tsv"):
        options = pyarrow.csv.WriteOptions(delimiter="," if plain.suffix == ".csv" else "\t")
        pyarrow.csv.write_csv(table, plain, options)
    elif plain.suffix == ".parquet":
        pyarrow.parquet.write_table(table, plain, row_group_size=37)
    elif plain.suffix == ".arrow":
        with pa.ipc.new_stream(str(plain), table.schema) as writer:
            writer.write_table(table, 41)
    elif plain.suffix == ".feather":
        pyarrow.feather.write_feather(table, str(plain), chunksize=43)
    else:
        X = np.column_stack([table.column(name) for name in table.column_names if name != "y"])
        dump_svmlight_file(X, table.column("y").to_numpy(), str(plain), zero_based=False, comment="a comment")
    if plain != path:
        path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


class Counted:
    """Batches anew at each iteration; counts how often that was."""

    def __init__(self, *batches: Any) -> None:
        self.batches = batches
        self.passes = 0

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        return iter(self.batches)


class Numbered(Batches):
    """Batches that are checked, and whose labels are numbered, by whoever makes them."""

    def __init__(self, *batches: Batch) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._batches)


class Frame:
    """A table of another library, which Arrow reads through its C interface."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces of 256 rows, and text blocks that end in the middle of a line."""
    monkeypatch.setattr(_pieces, "_PIECE_BYTES", 1)
    monkeypatch.setattr(_text_file, "_BLOCK_BYTES", 9973)
    monkeypatch.setattr(_svmlight, "_BLOCK_BYTES", 9973)
    monkeypatch.setattr(_typed_file, "_BATCH_BYTES", 1)


def assert_same_optimum(model: SoftmaxRegression, expected: SoftmaxRegression, total: float) -> None:
    """The rows have this total weight, and features of order 1000 at most."""
    assert model.converged_
    rounding = 1024 * bounds.EPS
    assert model.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=2 * expected.tol + rounding, abs=0.0)
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    distance = bounds.of_coefficients(expected, total)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=distance)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=0, atol=1000 * distance)


FORMATS = ["csv", "tsv", "parquet", "feather", "arrow", "svmlight", "csv.gz", "svmlight.gz"]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_has_the_optimum_of_the_rows_in_memory(ending: str, tmp_path: Path) -> None:
    X, y = data_sets.real("wine")
    X, y = np.tile(X, (5, 1)) + np.repeat(np.arange(5), len(y))[:, None], np.tile(y, 5) - 1
    path = write(table_of(X, y), tmp_path / f"data.{ending}")
    model = SoftmaxRegression(**EXACT).fit_stream(path, None if "svmlight" in ending else "y")
    expected = SoftmaxRegression(**EXACT).fit(X, y)
    assert_same_optimum(model, expected, len(y))
    assert model.n_features_in_ == 13
    if "svmlight" not in ending:
        assert model.feature_names_in_.tolist() == [f"x{i}" for i in range(13)]
    value = data_sets.objective(X, y, model.coef_, model.intercept_, 1.0)
    assert model.loss_curve_[-1] == pytest.approx(value, rel=4096 * bounds.EPS, abs=0.0)


def test_items_of_every_kind() -> None:
    X, y = data_sets.real("iris")
    order = fresh_rng().permutation(len(y))
    X, y = X[order], y[order]
    table = table_of(X, y)
    expected = SoftmaxRegression(**EXACT).fit(X, y)
    for source, target in [
        ([table], "y"),
        (table.to_batches(17), "y"),
        ([Frame(table[:40]), Frame(table[40:])], "y"),
        ([(X[:40], y[:40]), (X[40:], y[40:])], None),
        ([(X.tolist(), y.tolist())], None),
        ([(scipy.sparse.csr_array(X[:40]), y[:40]), (scipy.sparse.coo_array(X[40:]), y[40:])], None),
    ]:
        assert_same_optimum(SoftmaxRegression(**EXACT).fit_stream(source, target), expected, len(y))


@pytest.mark.usefixtures("small_pieces")
def test_the_bits_do_not_depend_on_how_the_rows_are_cut() -> None:
    X, y = data_sets.random(fresh_rng(), rows=1000, features=5, classes=3)
    table = table_of(X, y)
    cuts = [[table], table.to_batches(7), table.to_batches(256), table.to_batches(999), [table[:300], table[300:]]]
    models = [SoftmaxRegression().fit_stream(cut, "y") for cut in cuts]
    for model in models[1:]:
        np.testing.assert_array_equal(model.coef_, models[0].coef_)
        assert model.loss_curve_ == models[0].loss_curve_


@pytest.mark.usefixtures("small_pieces")
def test_numbered_batches_are_taken_as_they_are() -> None:
    rng = fresh_rng()
    X, y = data_sets.random(rng, rows=700, features=4, classes=3)
    weights = rng.integers(1, 4, 700).astype(float)
    parts = [slice(0, 256), slice(256, 512), slice(512, 700)]
    numbers, words = np.array([1, 2, 0]), ["cat", "ant", "bee"]
    source = Numbered(*(Batch(X[part], words, numbers[y[part]], weights[part]) for part in parts))
    expected = SoftmaxRegression().fit_stream([(X[part], WORDS[y[part]], weights[part]) for part in parts])
    model = SoftmaxRegression().fit_stream(source)
    assert model.classes_.tolist() == WORDS.tolist()
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    stream = stream_of(source, None, None, None)
    rows = stream.rows(stream.survey(digest=False), np.ones(3))
    assert isinstance(rows, StreamedRows)
    (shard,) = rows.shards
    pieces = list(shard)
    assert [np.shares_memory(piece.X, X[part]) for piece, part in zip(pieces, parts, strict=True)] == [True] * 3


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("class_weight", [None, "balanced", {"bee": 3.0, "cat": 0.5}])
def test_weights_are_those_of_fit(class_weight: Any) -> None:
    rng = fresh_rng()
    X, y = data_sets.random(rng, rows=700, features=4, classes=3)
    words, weights = WORDS[y], rng.integers(0, 4, 700).astype(float)
    weights[:300] = 0.0
    parameters = {**EXACT, "class_weight": class_weight}
    expected = SoftmaxRegression(**parameters).fit(X, words, sample_weight=weights)
    table = table_of(X, words, w=weights)
    total = weights.sum() * 3.0
    assert_same_optimum(SoftmaxRegression(**parameters).fit_stream([table], "y", sample_weight="w"), expected, total)
    triples = [(X[:9], words[:9], weights[:9]), (X[9:], words[9:], weights[9:])]
    assert_same_optimum(SoftmaxRegression(**parameters).fit_stream(triples), expected, total)
    unweighted = SoftmaxRegression(**parameters).fit(X, words)
    assert np.abs(expected.coef_ - unweighted.coef_).max() > 0.001


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_the_elastic_net_has_the_optimum_of_fit(l1_ratio: float) -> None:
    X, y = data_sets.random(fresh_rng(), rows=900, features=12, classes=3)
    parameters = {"l1_ratio": l1_ratio, "C": 0.02, "tol": 1e-11}
    expected = SoftmaxRegression(**parameters).fit(X, y)
    for rows, target in [([table_of(X, y)], "y"), ([(scipy.sparse.csr_array(X), y)], None)]:
        model = SoftmaxRegression(**parameters).fit_stream(rows, target)
        assert model.converged_
        assert model.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=2 * expected.tol, abs=0.0)
        np.testing.assert_array_equal(model.coef_ == 0.0, expected.coef_ == 0.0)
    assert 0.1 < np.mean(expected.coef_ == 0.0) < 0.9


def test_an_empty_batch_adds_nothing() -> None:
    X, y = data_sets.real("iris")
    for form in (np.asarray, scipy.sparse.csr_array):
        whole = SoftmaxRegression().fit_stream([(form(X), y)])
        cut = SoftmaxRegression().fit_stream([(form(X[:0]), y[:0]), (form(X), y), (form(X[:0]), y[:0])])
        np.testing.assert_array_equal(cut.coef_, whole.coef_)
        labels, nothing = [0, 1, 2], np.ones(0)
        empty = Batch(form(X[:0]), labels, nothing.astype(np.intp), nothing)
        numbered = SoftmaxRegression().fit_stream(Numbered(empty, Batch(form(X), labels, y, np.ones(len(y))), empty))
        np.testing.assert_array_equal(numbered.coef_, whole.coef_)


def test_float32_stays_float32() -> None:
    X, y = data_sets.real("iris")
    X = X.astype(np.float32)
    expected = SoftmaxRegression().fit(X, y)
    for source, target in [([table_of(X, y)], "y"), ([(X, y)], None)]:
        model = SoftmaxRegression().fit_stream(source, target)
        assert model.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=2 * bounds.TOL, abs=0.0)
    mixed = table_of(X, y).set_column(0, "x0", pa.array(X[:, 0].astype(np.float64) + 1e-9))
    assert_same_optimum(
        SoftmaxRegression(**EXACT).fit_stream([mixed], "y"),
        SoftmaxRegression(**EXACT).fit(np.column_stack([mixed[f"x{i}"] for i in range(4)]), y),
        len(y),
    )


@pytest.mark.parametrize(("cells", "expected"), [
    (["1", " 2", "-8", "10 "], [-8, 1, 2, 10]),
    (["0", "1", "1", "100000000000000000"], [0, 1, 10**17]),
    (["1", "01", "1", "2"], ["01", "1", "2"]),
    (["007", "8", "8"], ["007", "8"]),
    (["+1", "1", "2"], ["+1", "1", "2"]),
    (["-0", "0", "2"], ["-0", "0", "2"]),
    (["1", "2", "1", "b"], ["1", "2", "b"]),
    (["1.5", "2", "1.5", "2"], ["1.5", "2"]),
])  # fmt: skip
def test_labels_of_a_text_file(cells: list[str], expected: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
    assert SoftmaxRegression().fit_stream(path, "y").classes_.tolist() == expected


@pytest.mark.parametrize(("text", "used"), [
    ("1 1:2 3:1\n0 2:1\n", [True, True, True]),
    ("1 0:2 3:1\n0 2:1 # 9:9\n\n", [True, False, True, True]),
])  # fmt: skip
def test_svmlight_counts_from_one_or_from_zero(text: str, used: list[bool], tmp_path: Path) -> None:
    path = tmp_path / "data.svm"
    path.write_text(text)
    model = SoftmaxRegression().fit_stream(path)
    assert (np.abs(model.coef_).max(axis=0) > 0.001).tolist() == used


def test_truth_values_dictionaries_and_decimals() -> None:
    X, y = data_sets.random(fresh_rng(), rows=200, features=3, classes=3)
    flags, tenths = X[:, 0] > 0, np.rint(10 * X[:, 1]) / 10
    table = pa.table({
        "flag": flags,
        "tenth": pa.array(tenths).cast(pa.decimal128(10, 1)),
        "level": pa.array(np.rint(X[:, 2])).dictionary_encode(),
        "y": pa.array(WORDS[y].tolist()).dictionary_encode(),
    })  # fmt: skip
    expected = SoftmaxRegression(**EXACT).fit(np.column_stack([flags, tenths, np.rint(X[:, 2])]), WORDS[y])
    assert_same_optimum(SoftmaxRegression(**EXACT).fit_stream([table], "y"), expected, len(y))


def test_warm_start_starts_there() -> None:
    X, y = data_sets.real("iris")
    model = SoftmaxRegression(warm_start=True).fit(X, y)
    model.fit_stream([(X, y)])
    assert model.n_iter_ == 1
    with pytest.raises(ValueError, match="X has 2 features; warm_start starts from a fit with 4"):
        model.fit_stream([(X[:, :2], y)])


def batch(**changes: Any) -> pa.RecordBatch:
    """Three rows; None leaves a column out."""
    columns = {"a": [1.0, 2.0, 3.0], "b": [0.5, 0.0, 1.5], "y": [0, 1, 0]} | changes
    return pa.record_batch({name: values for name, values in columns.items() if values is not None})


BAD_BATCHES = {
    "other columns": (batch(b=None, c=[1.0] * 3), "batch 1 has the columns 'a', 'y', 'c'; the first has 'a', 'b', 'y'"),
    "one column fewer": (batch(b=None), "batch 1 has the columns 'a', 'y'; the first has 'a', 'b', 'y'"),
    "another type": (batch(b=[1, 2, 3]), "column 'b' of batch 1 holds int64; that of the first double"),
    "nan": (batch(b=[0.0, np.nan, 1.0]), "column 'b', row 5 is nan; it must be finite"),
    "inf": (batch(a=[0.0, 1.0, -np.inf]), "column 'a', row 6 is -inf; it must be finite"),
    "missing": (batch(a=[None, 1.0, 2.0]), "column 'a', row 4 has no value"),
    "missing label": (batch(y=[1, None, 2]), "column 'y', row 5 has no value"),
    "no batch": ([1, 2], "batch 1 of the source is list; with target it must be a record batch"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_BATCHES)
def test_a_bad_batch_is_named(case: str) -> None:
    item, message = BAD_BATCHES[case]
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        SoftmaxRegression().fit_stream([batch(), item], "y")


GOOD = (np.arange(6.0).reshape(3, 2), [0, 1, 0])
NAN, INF = GOOD[0].copy(), scipy.sparse.csr_array(GOOD[0])
NAN[2, 1] = np.nan
INF[1, 0] = np.inf
BAD_TUPLES = {
    "features": ((np.ones((3, 3)), [0, 1, 0]), "X of batch 1 has another form than the first: features 3, not 2"),
    "dtype": ((GOOD[0].astype(np.float32), [0, 1, 0]), "another form than the first: dtype float32, not float64"),
    "sparse": ((scipy.sparse.csr_array(GOOD[0]), [0, 1, 0]), "another form than the first: sparse True, not False"),
    "labels": ((GOOD[0], [0, 1]), "y of batch 1 has shape (2,); X has 3 rows"),
    "weights": ((*GOOD, [1.0]), "sample_weight of batch 1 has shape (1,); X has 3 rows"),
    "negative weight": ((*GOOD, [1.0, -1.0, 0.0]), "sample_weight, row 5 is -1.0; weights must be finite and not"),
    "nan": ((NAN, [0, 1, 0]), "X, row 6, feature 1 is nan; it must be finite"),
    "one dimension": ((np.ones(3), [0, 1, 0]), "X of batch 1 has shape (3,); it must have rows and columns"),
    "text": ((GOOD[0].astype(str), [0, 1, 0]), "dtype <U"),
    "no tuple": ([1], "batch 1 of the source is list; without target it must be a tuple (X, y)"),
    "real labels": ((GOOD[0], [1.0, 0.25, 1.0]), "y, row 5 is 0.25; a label that is a number must be whole"),
    "other labels": ((GOOD[0], ["a", "b", "c"]), "the labels are of several kinds: int, str"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TUPLES)
def test_a_bad_tuple_is_named(case: str) -> None:
    item, message = BAD_TUPLES[case]
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        SoftmaxRegression().fit_stream([GOOD, item])


def test_a_sparse_value_that_is_not_finite_is_named() -> None:
    good = (scipy.sparse.csr_array(GOOD[0]), [0, 1, 0])
    with pytest.raises(ValueError, match=r"X, row 5, feature 0 is inf; it must be finite"):
        SoftmaxRegression().fit_stream([good, (INF, [0, 1, 0])])


@pytest.mark.parametrize(("text", "message"), [
    ("a,y\n1,0\n2,1\nthree,0\n", "data.csv, column 'a', row 3 is 'three'; it must be a number"),
    ("a,y\n1,0\n,1\n", "data.csv, column 'a', row 2 has no value"),
    ("a,y\n1,0\nnan,1\n", "data.csv, column 'a', row 2 is nan; it must be finite"),
    ("a,y\n1,0\n2\n", "data.csv, row 2: 1 cell, 2 are expected: '2'"),
    ("a,a,y\n1,1,0\n", "has two columns named 'a'"),
    ("a,y\n", "data.csv has no rows"),
    ("y\n1\n2\n", "data.csv has no features"),
    ("a,y\n1,0\n2,0\n", "y has 1 class, 0; a classifier needs at least 2"),
    ("a,z\n1,0\n2,0\n", "data.csv; its columns are 'a', 'z'"),
])  # fmt: skip
def test_a_bad_text_file(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        SoftmaxRegression().fit_stream(path, "y")


@pytest.mark.usefixtures("small_pieces")
def test_a_bad_svmlight_file(tmp_path: Path) -> None:
    path = tmp_path / "data.svmlight"
    good = "1 1:1\n# a comment\n0 2:1\n" * 500
    for line, reason in [
        ("0 2:x", "could not convert string to float"),
        ("0 two:1", "invalid literal for int"),
        ("0 -1:2", "Invalid index -1"),
        ("0 3:1 2:1", "should be sorted and unique"),
        ("zero 1:1", "could not convert string to float"),
    ]:
        path.write_text(f"{good}{line}\n1 1:1")
        with pytest.raises(ValueError, match=rf"cannot read .*data.svmlight, line 1501: .*{reason}"):
            SoftmaxRegression().fit_stream(path)
    path.write_text("1 1:1\ninf 2:1\n")
    with pytest.raises(ValueError, match=r"data.svmlight, y, row 2 is inf; a label must be"):
        SoftmaxRegression().fit_stream(path)
    for label, told in (("0.5", "0.5"), ("1e22", r"1e\+22")):
        path.write_text(f"1 1:1\n{label} 2:1\n")
        with pytest.raises(ValueError, match=rf"data.svmlight, y, row 2 is {told}; a label .* must be whole"):
            SoftmaxRegression().fit_stream(path)
    path.write_text("1 1:1\n0 2:nan\n")
    with pytest.raises(ValueError, match=r"data.svmlight, X, row 2, feature 1 is nan"):
        SoftmaxRegression().fit_stream(path)
    path.write_text("1\n0\n")
    with pytest.raises(ValueError, match="has no rows with a feature"):
        SoftmaxRegression().fit_stream(path)


def test_a_file_that_cannot_be_read_in_pieces(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such file: none\.csv"):
        SoftmaxRegression().fit_stream("none.csv", "y")
    for name, message in [("data.xlsx", "unknown format"), ("data.parquet.gz", r"cannot read .*data\.parquet\.gz")]:
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ValueError, match=message):
            SoftmaxRegression().fit_stream(tmp_path / name, "y")
    for name in ("data.parquet", "data.feather", "data.arrow"):
        (tmp_path / name).write_bytes(b"no such thing in here")
        with pytest.raises((ValueError, OSError), match=f"cannot read .*{name}"):
            SoftmaxRegression().fit_stream(tmp_path / name, "y")
    (tmp_path / "data.svm").write_text("1 1:1\n")
    with pytest.raises(ValueError, match="has its labels at the start of each line"):
        SoftmaxRegression().fit_stream(tmp_path / "data.svm", "y")
    (tmp_path / "data.csv").write_text("a,y\n1,2\n")
    with pytest.raises(ValueError, match=r"which column of .*data.csv is the target"):
        SoftmaxRegression().fit_stream(tmp_path / "data.csv")


def test_what_is_no_source() -> None:
    with pytest.raises(TypeError, match="source is an iterator, generator, which gives its batches once"):
        SoftmaxRegression().fit_stream(item for item in [GOOD])
    with pytest.raises(ValueError, match="sample_weight names a column"):
        SoftmaxRegression().fit_stream([GOOD], sample_weight="w")
    with pytest.raises(ValueError, match="sample_weight 'w' is no column of the source; its columns are 'a', 'b', 'y'"):
        SoftmaxRegression().fit_stream([batch()], "y", sample_weight="w")
    with pytest.raises(ValueError, match=r"resume is True; it needs the checkpoint"):
        SoftmaxRegression().fit_stream([GOOD], resume=True)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"C": C}, "'C' parameter") for C in (0.0, -1.0, np.nan)] + [({"C": np.inf, "l1_ratio": 0.5}, "l1_ratio is 0.5;")],
)
def test_C_is_checked_before_anything_is_read(parameters: dict[str, float], message: str) -> None:
    source = Counted(GOOD)
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression(**parameters).fit_stream(source)
    assert source.passes == 0


def test_it_is_read_four_times_before_the_first_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    class Read(Counted):
        def __iter__(self) -> Iterator[Any]:
            # A pass counts when its first batch is asked for, not when the iterator is made.
            self.passes += 1
            yield from self.batches

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    source = Read(GOOD)
    monkeypatch.setattr(_newton, "iterate", stopped)
    with pytest.raises(KeyboardInterrupt):
        SoftmaxRegression().fit_stream(source)
    assert source.passes == 4


@pytest.mark.parametrize(("later", "message"), [
    ([GOOD, GOOD, GOOD], "it gives more rows than 6"),
    ([GOOD], "it gives 3 rows, not the 6"),
    ([GOOD, (GOOD[0], [0, 1, 7])], "the label 7 is new"),
])  # fmt: skip
def test_a_source_that_changes_between_passes(later: list[Any], message: str) -> None:
    class Fickle(Counted):
        def __iter__(self) -> Iterator[Any]:
            self.passes += 1
            return iter([GOOD, GOOD] if self.passes < 4 else later)

    with pytest.raises(ValueError, match=f"the source has changed since the first pass: .*{message}"):
        SoftmaxRegression().fit_stream(Fickle())


def test_sparse_rows_that_lose_features_between_passes() -> None:
    """The last features are 0 in the rows that come later, too: only their number tells."""
    X, y = scipy.sparse.csr_array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [1.0, 1.0, 0.0]]), [0, 1, 1]

    class Narrowing(Counted):
        def __iter__(self) -> Iterator[Any]:
            self.passes += 1
            return iter([(X, y)] if self.passes < 4 else [(X[:, :2], y)])

    message = "the source has changed since the first pass: its rows have 2 features, not the 3"
    with pytest.raises(ValueError, match=f"^{message}$"):
        SoftmaxRegression().fit_stream(Narrowing())


@pytest.mark.parametrize("ending", ["csv", "svmlight"])
def test_a_file_that_changes_between_passes(ending: str, tmp_path: Path) -> None:
    X, y = data_sets.real("iris")
    path = write(table_of(X, y), tmp_path / f"data.{ending}")

    def change(_: object) -> None:
        with path.open("a") as file:
            file.write("\n")

    with pytest.raises(ValueError, match=f"data.{ending} has changed since the first pass over it"):
        SoftmaxRegression(callback=change).fit_stream(path, "y" if ending == "csv" else None)


def test_a_column_of_text_is_no_feature() -> None:
    with pytest.raises(TypeError, match="column 'b' holds string; features, weights and probabilities must be numbers"):
        SoftmaxRegression().fit_stream([batch(b=["u", "v", "w"])], "y")


def test_an_error_of_the_source_is_passed_on() -> None:
    class Failing:
        def __iter__(self) -> Iterator[Any]:
            yield GOOD
            raise RuntimeError("the line is dead")

    with pytest.raises(RuntimeError, match="the line is dead"):
        SoftmaxRegression().fit_stream(Failing())


def test_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    guide = Path(__file__).parents[2] / "docs" / "guide" / "out-of-core.md"
    programs = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert len(programs) == 4
    exec("".join(programs), {"__name__": "guide"})


def test_without_pyarrow_or_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.csv").write_text("a,y\n1,0\n2,1\n")
    source = [batch()]
    # Python then finds no such package.
    for package in ("pyarrow", "safetensors"):
        monkeypatch.setitem(sys.modules, package, None)
    advice = re.escape(', which is not installed: pip install "softgrad[cli]"')
    for columns in (tmp_path / "data.csv", source):
        with pytest.raises(ImportError, match="columns are read with pyarrow" + advice):
            SoftmaxRegression().fit_stream(columns, "y")
    with pytest.raises(ImportError, match="a checkpoint needs safetensors" + advice):
        SoftmaxRegression().fit_stream([GOOD], checkpoint=tmp_path / "fit")
    (tmp_path / "data.svm").write_text("1 1:1\n0 2:1\n")
    assert SoftmaxRegression().fit_stream(tmp_path / "data.svm").converged_
    assert SoftmaxRegression().fit_stream([GOOD]).converged_


def test_no_memory_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's own error of it is one of bad files as well."""
    path = write(table_of(np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])), tmp_path / "data.parquet")

    def refused(*_: Any, **__: Any) -> None:
        raise pa.ArrowMemoryError("malloc of size 65536 failed")

    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", refused)
    with pytest.raises(MemoryError, match="malloc of size 65536 failed"):
        SoftmaxRegression().fit_stream(path, "y")


@pytest.mark.parametrize("solver", ["newton-blocks", "lbfgs-blocks"])
def test_a_solver_that_keeps_the_probabilities_takes_no_stream(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = fresh_rng()
    X, y = data_sets.random(rng, rows=60, features=3, classes=3)
    model = SoftmaxRegression(solver=solver)
    with pytest.raises(ValueError, match=rf"'{solver}' .*in memory, .* 60 rows of 3 classes in a stream$"):
        model.fit_stream([(X, y)])
    assert not hasattr(model, "coef_")
    monkeypatch.setattr(_hessian, "KEPT_LOGIT_BYTES", 60 * 3 * 4 - 1)
    with pytest.raises(ValueError, match=r"there are 60 rows of 3 classes$"):
        model.fit(X, y)
