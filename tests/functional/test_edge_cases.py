"""The table of edge cases, row by row: alone, among other rows, and wherever the rows lie."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.oracles.bounds import DTYPES, LOG_SOFTMAX, LOGSUMEXP, SOFTMAX
from tests.oracles.edge_cases import edge_cases, edge_cases_without_where
from tests.oracles.inputs import LANES
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
CASES = [
    pytest.param(case, dtype, id=f"{case.name}, {dtype}")
    for dtype in DTYPES
    for case in edge_cases_without_where(dtype)
]
MASKED = [
    pytest.param(case, dtype, id=f"{case.name}, {dtype}")
    for dtype in DTYPES
    for case in edge_cases(dtype)
    if case.where is not None
]
FUNCTIONS = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX, "logsumexp": LOGSUMEXP}


@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_alone(case, dtype):
    for name, bounds in FUNCTIONS.items():
        result = np.asarray(getattr(sg, name)(case.row(dtype)))
        assert result.dtype == dtype
        assert_within(bounds[dtype], result, case.long(name), what=f"{name} of {case.name}")


@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_among_ordinary_rows(case, dtype):
    """More rows than lanes, so that the tile of many short rows holds both kinds."""
    ordinary = np.linspace(-1.0, 2.0, len(case.x), dtype=dtype)
    x = np.stack([case.row(dtype) if i % 3 == 1 else ordinary for i in range(LANES[dtype] + 9)])
    for layout in (x, np.asfortranarray(x)):
        for name in FUNCTIONS:
            function = getattr(sg, name)
            result = function(layout)
            np.testing.assert_array_equal(result[1::3], np.stack([function(case.row(dtype))] * len(x[1::3])))
            np.testing.assert_array_equal(result[::3], np.stack([function(ordinary)] * len(x[::3])))


@pytest.mark.parametrize(("case", "dtype"), CASES)
def test_padded_with_masked_classes(case, dtype):
    """Classes at -inf change nothing but their own places, on whichever side and however many."""
    for before, after in ((0, 1), (1, 0), (70, 0), (0, 300), (5000, 300)):
        x = np.concatenate([np.full(before, -np.inf), case.x, np.full(after, -np.inf)]).astype(dtype)
        own = slice(before, before + len(case.x))
        for name, bounds in FUNCTIONS.items():
            result = getattr(sg, name)(x)
            exact = case.long(name)
            if name != "logsumexp":
                rest = np.delete(result, own)
                whole_row = np.isnan(exact).any()
                expected = np.nan if whole_row else 0.0 if name == "softmax" else -np.inf
                np.testing.assert_array_equal(rest, expected)
                result = result[own]
            assert_within(bounds[dtype], result, exact, what=f"{name} of {case.name}, {before} + {after}")


@pytest.mark.parametrize(("case", "dtype"), MASKED)
def test_where(case, dtype):
    """Alone, among rows that are not masked, and in a row of many lanes."""
    ordinary = np.linspace(-1.0, 2.0, len(case.x), dtype=dtype)
    struck = np.arange(LANES[dtype] + 9) % 3 == 1
    rows = np.where(struck[:, None], case.row(dtype), ordinary)
    where = np.where(struck[:, None], case.where, True)
    pad = 5000
    long_row = np.concatenate([case.row(dtype), np.full(pad, np.nan, dtype)])
    long_where = np.concatenate([case.where, np.zeros(pad, bool)])
    for name, bounds in FUNCTIONS.items():
        function = getattr(sg, name)
        alone = function(case.row(dtype), where=np.array(case.where))
        assert_within(bounds[dtype], alone, case.long(name), what=f"{name} of {case.name}")
        batch = function(rows, where=where)
        np.testing.assert_array_equal(batch[struck], np.stack([alone] * np.count_nonzero(struck)))
        plain = function(ordinary, where=np.ones(len(case.x), bool))
        np.testing.assert_array_equal(batch[~struck], np.stack([plain] * np.count_nonzero(~struck)))
        padded = function(long_row, where=long_where)
        if name != "logsumexp":
            np.testing.assert_array_equal(padded[len(case.x) :], 0.0 if name == "softmax" else -np.inf)
            padded = padded[: len(case.x)]
        assert_within(bounds[dtype], padded, case.long(name), what=f"{name} of {case.name}, padded")


@dtypes
def test_probabilities_at_minus_infinity_are_plus_zero(dtype):
    p = sg.softmax(np.array([0.0, -np.inf, 3.0], dtype))
    assert p[1] == 0.0
    assert not np.signbit(p[1])


@dtypes
def test_one_class_is_certain_without_a_sign(dtype):
    result = sg.log_softmax(np.array([[3.5], [-7.0]], dtype))
    np.testing.assert_array_equal(result, 0.0)
    only = sg.log_softmax(np.array([-np.inf, 2.5, -np.inf], dtype))
    assert only[1] == 0.0


@dtypes
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 0), (2, 3, 0)])
def test_no_class(shape, dtype):
    x = np.empty(shape, dtype)
    for name in ("softmax", "log_softmax", "hardmax"):
        result = getattr(sg, name)(x)
        assert result.shape == shape
        assert result.dtype == dtype
    lse = sg.logsumexp(x)
    assert lse.dtype == dtype
    np.testing.assert_array_equal(lse, np.full(shape[:-1], -np.inf))


@dtypes
@pytest.mark.parametrize("shape", [(0, 1), (0, 10), (0, 5000), (2, 0, 3)])
def test_no_row(shape, dtype):
    x = np.empty(shape, dtype)
    for name in ("softmax", "log_softmax", "hardmax", "sigmoid", "log_sigmoid"):
        result = getattr(sg, name)(x)
        assert result.shape == shape
        assert result.dtype == dtype
    assert sg.logsumexp(x).shape == shape[:-1]
    assert sg.logsumexp(x).dtype == dtype


@dtypes
def test_hardmax(dtype):
    x = np.array(
        [
            [1, 3, 2],
            [3, 3, 1],
            [-np.inf, -np.inf, -np.inf],
            [0, np.inf, np.inf],
            [0, np.nan, 1],
            [np.inf, 0, np.nan],
        ],
        dtype,
    )
    nan = [np.nan] * 3
    expected = [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], nan, nan]
    result = sg.hardmax(x)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(sg.hardmax(x.T, axis=0), np.transpose(expected))


@dtypes
def test_sigmoid_at_the_ends(dtype):
    largest = np.finfo(dtype).max
    x = np.array([-np.inf, -largest, -0.0, 0.0, largest, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(sg.sigmoid(x), np.array([0, 0, 0.5, 0.5, 1, 1, np.nan], dtype))
    half = np.log(np.longdouble(0.5)).astype(dtype)
    np.testing.assert_array_equal(sg.log_sigmoid(x), np.array([-np.inf, -largest, half, half, 0, 0, np.nan], dtype))


def test_no_floating_point_warning_escapes():
    x = np.array([[np.inf, 1.0], [np.nan, 0.0], [-np.inf, -np.inf], [1e308, -1e308], [0.0, -745.0]])
    with np.errstate(all="raise"):
        for name in ("softmax", "log_softmax", "logsumexp", "hardmax", "sigmoid", "log_sigmoid"):
            getattr(sg, name)(x)
