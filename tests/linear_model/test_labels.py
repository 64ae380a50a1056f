"""Labels keep their kind whatever column they come in, and one that is none is named with its row."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy import sparse

from softgrad.linear_model import SoftmaxRegression, SoftmaxRegressionCV
from softgrad.linear_model._data._label_array import label_array
from tests.oracles.inputs import fresh_rng

ROWS = 40

# Two labels that float64 does not tell apart, beyond 2**53 and beyond int64.
IDS, LARGE_IDS = [2**53, 2**53 + 1], [2**63, 2**63 + 1]
TYPES = {"i": int, "u": int, "b": bool, "f": float, "O": str}
FLAGS, WORDS = [False, True], ["ant", "b\0"]


def arrow(kind: pa.DataType) -> Callable[[list[Any]], pd.Series]:
    return lambda values: pd.Series(values, dtype=pd.ArrowDtype(kind))


def pandas(dtype: Any) -> Callable[[list[Any]], pd.Series]:
    return lambda values: pd.Series(values, dtype=dtype)


# The container, the two labels, and the kind of dtype that they have in the end.
KINDS: dict[str, tuple[Callable[[list[Any]], Any], list[Any], str]] = {
    "pandas Int64": (pandas("Int64"), IDS, "i"),
    "pandas UInt64": (pandas("UInt64"), LARGE_IDS, "u"),
    "pandas boolean": (pandas("boolean"), FLAGS, "b"),
    "pandas string": (pandas("string"), WORDS, "O"),
    "pandas str": (pd.Series, WORDS, "O"),
    "pandas object": (pandas(object), IDS, "i"),
    "pandas category of text": (lambda values: pd.Series(values).astype("category"), WORDS, "O"),
    "pandas category of Int64": (lambda values: pd.Series(values, dtype="Int64").astype("category"), IDS, "i"),
    "pandas frame of one column": (lambda values: pd.DataFrame({"y": values}, dtype="Int64")["y"], IDS, "i"),
    "Arrow int64 in pandas": (arrow(pa.int64()), IDS, "i"),
    "Arrow uint64 in pandas": (arrow(pa.uint64()), LARGE_IDS, "u"),
    "Arrow bool in pandas": (arrow(pa.bool_()), FLAGS, "b"),
    "Arrow string in pandas": (arrow(pa.string()), WORDS, "O"),
    "Arrow int64": (pa.array, IDS, "i"),
    "Arrow bool in chunks": (lambda values: pa.chunked_array([values[:3], values[3:]]), FLAGS, "b"),
    "Arrow string": (pa.array, WORDS, "O"),
    "polars Int64": (pl.Series, IDS, "i"),
    "polars UInt64": (lambda values: pl.Series(values, dtype=pl.UInt64), LARGE_IDS, "u"),
    "polars Boolean": (pl.Series, FLAGS, "b"),
    "polars String": (pl.Series, ["ant", "bee"], "OU"),
    "polars Categorical": (lambda values: pl.Series(values, dtype=pl.Categorical), ["ant", "bee"], "O"),
    "objects that are integers": (lambda values: np.array(values, object), IDS, "i"),
    "objects that are integers of NumPy": (lambda values: np.array([*map(np.uint64, values)], object), IDS, "i"),
    "objects that are booleans": (lambda values: np.array(values, object), FLAGS, "b"),
    "objects that are text": (lambda values: np.array(values, object), WORDS, "O"),
    "text of NumPy without a width": (lambda values: np.array(values, np.dtypes.StringDType()), ["ant", "bee"], "O"),
    "a list of integers": (list, IDS, "i"),
    "a list of large integers": (list, LARGE_IDS, "u"),
    "a list of text": (list, WORDS, "O"),
    "a list of whole numbers, one of them a float": (lambda values: [float(values[0]), *values[1:]], [0, 1], "f"),
    "uint64": (lambda values: np.array(values, np.uint64), LARGE_IDS, "u"),
    "int8": (lambda values: np.array(values, np.int8), [-3, 4], "i"),
}


def data(values: list[Any], make: Callable[[list[Any]], Any]) -> tuple[NDArray, NDArray, Any]:
    """Rows whose first feature tells the two apart, the places of their labels, and the labels in their container."""
    rng = fresh_rng()
    codes = rng.permutation(np.arange(ROWS) % 2)
    X = 0.1 * rng.standard_normal((ROWS, 3))
    X[:, 0] += 2.0 * codes - 1.0
    return X, codes, make([values[code] for code in codes])


def fit(X: NDArray, y: Any) -> SoftmaxRegression:
    return SoftmaxRegression().fit(X, y)


def partial_fit(X: NDArray, y: Any) -> SoftmaxRegression:
    model = SoftmaxRegression(random_state=0)
    for _ in range(20):
        model.partial_fit(X, y, classes=y)
    return model


def fit_stream(X: NDArray, y: Any) -> SoftmaxRegression:
    return SoftmaxRegression().fit_stream([(X, y)])


def cross_validate(X: NDArray, y: Any) -> SoftmaxRegressionCV:
    return SoftmaxRegressionCV(Cs=[0.1, 1.0], cv=3).fit(X, y)


each_method = pytest.mark.parametrize("method", [fit, partial_fit, fit_stream, cross_validate])


@each_method
@pytest.mark.parametrize("kind", KINDS)
def test_labels_keep_their_kind(kind: str, method: Callable[[NDArray, Any], Any]) -> None:
    make, values, dtype = KINDS[kind]
    X, codes, y = data(values, make)
    model = method(X, y)
    assert model.classes_.tolist() == values
    assert {type(label) for label in model.classes_.tolist()} == {TYPES[dtype[0]]}
    assert model.classes_.dtype.kind in dtype
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    np.testing.assert_array_equal(model.classes_.searchsorted(predicted), codes)
    assert model.score(X, y) == 1.0
    # Labels swapped, so that every prediction is wrong.
    assert model.score(X, make([values[1 - code] for code in codes])) == 0.0


def test_weights_count_in_the_score() -> None:
    X, codes, y = data(IDS, pandas("Int64"))
    model = fit(X, y)
    wrong = y.copy()
    wrong[0] = IDS[1 - codes[0]]
    assert model.score(X, wrong) == (ROWS - 1) / ROWS
    weights = np.ones(ROWS)
    weights[0] = 0.0
    assert model.score(X, wrong, weights) == model.score(X, wrong, sample_weight=weights) == 1.0


def test_a_column_with_a_second_axis_is_told_so() -> None:
    X, _, y = data(IDS, lambda values: pd.DataFrame({"y": values}, dtype="Int64"))
    with pytest.warns(UserWarning, match="A column-vector y was passed"):
        model = fit(X, y)
    assert model.classes_.tolist() == IDS


@pytest.mark.parametrize(("classes", "values"), [
    (IDS, [2**53 + 1]),
    (pd.array(IDS, dtype="UInt64"), np.array(IDS)),
    (np.array(IDS), np.array(IDS, np.uint64)),
    (np.array([0, 2**64 - 1], np.uint64), [0]),
], ids=str)  # fmt: skip
def test_classes_and_labels_of_unlike_dtypes_are_compared_exactly(classes: Any, values: Any) -> None:
    X = fresh_rng().standard_normal((len(values), 2))
    model = SoftmaxRegression().partial_fit(X, values, classes=classes)
    assert model.classes_.tolist() == [int(label) for label in classes]
    model.partial_fit(X, values, classes=np.array(model.classes_, object))
    with pytest.raises(ValueError, match=rf"y\[0\] is .*{2**53 + 2}.*; the first call had the classes"):
        model.partial_fit(X[:1], [2**53 + 2])


NO_LABELS: dict[str, tuple[Any, str]] = {
    "None among text": (["a", "b", None, "a"], "None"),
    "None among objects": (np.array(["a", "b", None, "a"], object), "None"),
    "None twice": (np.array(["a", "b", None, None], object), "None"),
    "NaN among text": (np.array(["a", "b", np.nan, "a"], object), "nan"),
    "NaN": (np.array([0.0, 1.0, np.nan, 0.0]), "nan"),
    "NaN in a list": ([0, 1, np.nan, 0], "nan"),
    "inf": (np.array([0.0, 1.0, np.inf, 0.0]), "inf"),
    "pandas Int64": (pd.Series([0, 1, None, 0], dtype="Int64"), "(nan|<NA>)"),
    "pandas boolean": (pd.Series([False, True, None, True], dtype="boolean"), "(nan|<NA>)"),
    "pandas string": (pd.Series(["a", "b", None, "a"], dtype="string"), "<NA>"),
    "pandas str": (pd.Series(["a", "b", None, "a"]), "(nan|None)"),
    "pandas category": (pd.Series(["a", "b", None, "a"]).astype("category"), "nan"),
    "Arrow string in pandas": (pd.Series(["a", "b", None, "a"], dtype=pd.ArrowDtype(pa.string())), "(<NA>|None)"),
    "Arrow int64": (pa.array([0, 1, None, 0]), "nan"),
    "polars Boolean": (pl.Series([False, True, None, True]), "None"),
    "bytes": (np.array([1, 1, b"b", 1], object), "b'b'"),
    "a decimal": (np.array([1, 0, Decimal(1), 1], object), "1"),
    "a day": (np.array([1, 0, datetime.date(2026, 1, 2), 1], object), "2026-01-02"),
}


def refused(y: Any, message: Callable[[str], str]) -> None:
    """Everything that takes labels refuses y, and names the row as it counts rows."""
    X = fresh_rng().standard_normal((len(y), 2))
    fitted = SoftmaxRegression().fit(X, np.arange(len(y)) % 2)
    before = fitted.coef_.copy()
    for method in (fit, cross_validate, lambda X, y: fitted.partial_fit(X, y), fitted.score):
        with pytest.raises(ValueError, match=message("y[{}]")):
            method(X, y)
    with pytest.raises(ValueError, match=message("classes[{}]")):
        SoftmaxRegression().partial_fit(X, np.arange(len(y)) % 2, classes=y)
    np.testing.assert_array_equal(fitted.coef_, before)
    with pytest.raises(ValueError, match=message("y, row {}")):
        # The rows of a source are counted on, from 1.
        fit_stream(X, y)


def places(pattern: str, *rows: int) -> list[str]:
    return [re.escape(pattern.format(row + ("row" in pattern))) for row in rows]


@pytest.mark.parametrize("case", NO_LABELS)
def test_what_is_no_label_is_named_with_its_row(case: str) -> None:
    y, value = NO_LABELS[case]

    def message(pattern: str) -> str:
        (place,) = places(pattern, 2)
        return rf"^{place} is {value}; a label must be an integer, a finite float, text or a truth value$"

    refused(y, message)


@pytest.mark.parametrize("y", [
    np.array(["2026-01-02", "2026-01-03"], "M8[D]"), np.array([b"2026-01-02", b"a"])
], ids=lambda y: str(y.dtype))  # fmt: skip
def test_arrays_of_nothing_that_is_a_label(y: NDArray) -> None:
    refused(y, lambda pattern: rf"^{places(pattern, 0)[0]} is .*; a label must be an integer")


@pytest.mark.parametrize(("y", "row", "value", "other"), [
    (["a", "b", 1, "a"], 2, "1, a number", "'a', text"),
    (np.array(["a", 1] * 3, object), 1, "1, a number", "'a', text"),
    ([0, 1, "1"], 2, "'1', text", "0, a number"),
    ([1, 0, True, False], 2, "True, a truth value", "1, a number"),
    (pd.Series([True, "b", False], dtype=object), 1, "'b', text", "True, a truth value"),
], ids=str)  # fmt: skip
def test_labels_of_two_kinds(y: Any, row: int, value: str, other: str) -> None:
    def message(pattern: str) -> str:
        here, there = places(pattern, row, 0)
        return rf"^{here} is {value}; {there} is {other}: labels must be of one kind$"

    refused(y, message)


@pytest.mark.parametrize(("y", "row"), [
    ([0, 2**64, 1], 1), ([0, -(2**63) - 1, 5], 1), ([-1, 1, 2**63], 2), (np.array([1, 2**70, 0], object), 1)
], ids=str)  # fmt: skip
def test_integers_that_no_dtype_holds(y: Any, row: int) -> None:
    def message(pattern: str) -> str:
        (place,) = places(pattern, row)
        return rf"^{place} is {y[row]}; integers must be from -2\*\*63 to 2\*\*63 - 1, or all from 0 to 2\*\*64 - 1$"

    refused(y, message)


def test_an_integer_that_floats_do_not_hold() -> None:
    def message(pattern: str) -> str:
        (place,) = places(pattern, 1)
        return rf"^{place} is {2**53 + 1}; among floats integers must be from -2\*\*53 to 2\*\*53$"

    refused([1.0, 2**53 + 1, 2.0], message)


def test_rows_of_a_source_are_counted_on() -> None:
    X = fresh_rng().standard_normal((3, 2))
    with pytest.raises(ValueError, match=r"^y, row 5 is None; a label must be"):
        SoftmaxRegression().fit_stream([(X, ["a", "b", "a"]), (X, ["a", None, "b"])])
    table = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "y": [0.0, 1.0, float("nan"), 0.0]})
    with pytest.raises(ValueError, match=r"^column 'y', row 3 is nan; a label must be"):
        SoftmaxRegression().fit_stream(table.to_batches(2), "y")
    days = table.set_column(1, "y", pa.array([0, 1, 0, 1], pa.date32()))
    with pytest.raises(TypeError, match=r"^column 'y' holds date32\[day\]; a label must be"):
        SoftmaxRegression().fit_stream([days], "y")


@pytest.mark.parametrize("second", [[True, False], [1.0, 0.0]], ids=str)
def test_items_of_a_source_must_agree(second: list[Any]) -> None:
    """Python takes True, 1 and 1.0 for one key."""
    X = np.eye(2)
    with pytest.raises(ValueError, match=r"the labels are of several kinds: (bool, int|float, int)"):
        SoftmaxRegression().fit_stream([(X, [0, 1]), (X, second)])


def test_columns_of_tables_keep_the_kind_of_their_labels() -> None:
    X, codes, _ = data(IDS, list)
    for values, column in [(IDS, pa.int64()), (LARGE_IDS, pa.uint64()), (FLAGS, pa.bool_()), (WORDS, pa.string())]:
        y = pa.array([values[code] for code in codes], column)
        table = pa.table({"a": X[:, 0], "b": X[:, 1], "y": y})
        model = SoftmaxRegression().fit_stream(table.to_batches(7), "y")
        assert model.classes_.tolist() == values
        assert [type(label) for label in model.classes_.tolist()] == [type(values[0])] * 2


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array])
def test_sparse_labels_are_refused(kind: Callable[[NDArray], Any]) -> None:
    X, y = np.eye(3), kind(np.eye(3))
    model = SoftmaxRegression().fit(X, [0, 1, 2])
    for method in (model.fit, model.partial_fit, model.score, cross_validate, fit_stream):
        with pytest.raises(TypeError, match=r"y is sparse, of shape \(3, 3\); .* must be dense: give y.toarray\(\)"):
            method(X, y)


def test_a_single_label_for_all_rows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"y of batch 0 has shape \(\); X has 2 rows"):
        fit_stream(np.eye(2), 1)


def test_probabilities_and_arrays_are_given_back() -> None:
    for y in (np.eye(3), [[0.5, 0.5], [0.1, 0.9]], pd.DataFrame({"a": [1.0], "b": [0.0]}), "text", None):
        assert label_array(y, "y[{}]".format) is y
    y = np.array([3, 1], np.int8)
    assert label_array(y, "y[{}]".format).dtype == np.int8
