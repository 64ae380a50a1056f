"""softmax, log_softmax, logsumexp, sigmoid and log_sigmoid within the promised bounds, on every input family."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.oracles import exact, generate
from tests.oracles.bounds import (
    DTYPES,
    LOG_SIGMOID,
    LOG_SOFTMAX,
    LOGSUMEXP,
    SIGMOID,
    SOFTMAX,
)
from tests.oracles.inputs import (
    FAMILIES,
    GROUP,
    LANES,
    LONG,
    STRETCH,
    elementwise_inputs,
    fresh_rng,
    lengths,
)
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
families = pytest.mark.parametrize("family", FAMILIES)


def rows_for(length):
    """Many short rows, since the core takes them in tiles of many; few long ones."""
    return 150 if length <= 10 else 4 if length <= STRETCH // 2 else 2


def largest_finite(x):
    return np.max(np.abs(x), axis=-1, where=np.isfinite(x), initial=0.0)


def check(x, what):
    """All three functions on rows along the last axis."""
    dtype = x.dtype
    assert_within(SOFTMAX[dtype], sg.softmax(x), exact.softmax(x), what=f"softmax, {what}")
    assert_within(LOG_SOFTMAX[dtype], sg.log_softmax(x), exact.log_softmax(x), what=f"log_softmax, {what}")
    lse = exact.logsumexp(x)
    scale = np.maximum(np.abs(lse), largest_finite(x))
    assert_within(LOGSUMEXP[dtype], sg.logsumexp(x), lse, scale=scale, what=f"logsumexp, {what}")


@dtypes
@families
def test_every_length(family, dtype):
    rng = fresh_rng()
    for length in lengths(dtype):
        check(FAMILIES[family](rng, (rows_for(length), length), dtype), f"{family}, {length} classes")


@dtypes
@families
def test_a_long_row(family, dtype):
    check(FAMILIES[family](fresh_rng(), (1, LONG), dtype), f"{family}, {LONG} classes")


@dtypes
@pytest.mark.parametrize("family", ["normal 5", "dominant 12", "dominant 17", "equal"])
def test_a_row_of_a_million(family, dtype):
    check(FAMILIES[family](fresh_rng(), (1, 2**20), dtype), f"{family}, 2^20 classes")


@dtypes
def test_equal_logits(dtype):
    count = 2**17
    for value in (0.0, 1e8, -1e4):
        x = np.full((1, count), value, dtype)
        assert_within(SOFTMAX[dtype], sg.softmax(x), np.full(x.shape, 1.0 / count), what=f"softmax of {value}")
        assert_within(
            LOG_SOFTMAX[dtype],
            sg.log_softmax(x),
            np.full(x.shape, -np.log(np.longdouble(count))),
            what=f"log_softmax of {count} times {value}",
        )


@dtypes
@pytest.mark.parametrize("gap", [11, 17, 30])
def test_dominant_logit_over_many_equal_ones(gap, dtype):
    count = 2**17
    x = np.zeros((3, count + 1), dtype)
    places = np.array([0, count // 2 + 7, count])
    x[np.arange(3), places] = gap
    rest = count * np.exp(-np.longdouble(gap))
    exact_softmax = np.full(x.shape, np.exp(-np.longdouble(gap)) / (1 + rest))
    exact_softmax[np.arange(3), places] = 1 / (1 + rest)
    exact_log = np.full(x.shape, -gap - np.log1p(rest))
    exact_log[np.arange(3), places] = -np.log1p(rest)
    assert_within(SOFTMAX[dtype], sg.softmax(x), exact_softmax, what="softmax")
    assert_within(LOG_SOFTMAX[dtype], sg.log_softmax(x), exact_log, what="log_softmax")
    assert_within(LOGSUMEXP[dtype], sg.logsumexp(x), np.full(3, gap + np.log1p(rest)), what="logsumexp")


def special_values(dtype):
    """Beyond where the exponential overflows and vanishes, the ends of the range, and a class that is masked."""
    beyond = 1.25 * float(np.log(np.finfo(dtype).max))
    largest = float(np.finfo(dtype).max)
    return [beyond, -beyond, largest, -largest, -np.inf]


@dtypes
@pytest.mark.parametrize("size", ["tiny", "few", "lanes", "group"])
def test_extreme_values_in_every_lane(size, dtype):
    length = {"tiny": 3, "few": 10, "lanes": 2 * LANES[dtype] + 3, "group": GROUP[dtype] + LANES[dtype] + 5}[size]
    rng = fresh_rng()
    rows = max(length, 160)
    place = np.arange(rows), np.arange(rows) % length
    for value in special_values(dtype):
        x = rng.standard_normal((rows, length)).astype(dtype)
        x[place] = value
        check(x, f"{value} at each of {length} places")


@dtypes
@pytest.mark.parametrize("length", [3, 10, 70, 330])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_in_every_lane_reach_their_row_only(length, value, dtype):
    rng = fresh_rng()
    rows = 2 * max(length, 80)
    x = rng.standard_normal((rows, length)).astype(dtype)
    plain = np.arange(0, rows, 2)
    struck = np.arange(1, rows, 2)
    expected = {name: getattr(sg, name)(x) for name in ("softmax", "log_softmax", "logsumexp")}
    x[struck, struck // 2 % length] = value
    for name in ("softmax", "log_softmax"):
        actual = getattr(sg, name)(x)
        assert np.all(np.isnan(actual[struck])), name
        np.testing.assert_array_equal(actual[plain], expected[name][plain])
    lse = sg.logsumexp(x)
    np.testing.assert_array_equal(lse[struck], value)
    np.testing.assert_array_equal(lse[plain], expected["logsumexp"][plain])


@dtypes
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_in_every_stretch(value, dtype):
    length = 3 * STRETCH + 5
    edges = [0, 1, LANES[dtype] - 1, STRETCH - 1, STRETCH, 2 * STRETCH - 1, 2 * STRETCH, 3 * STRETCH, length - 1]
    x = fresh_rng().standard_normal((len(edges), length)).astype(dtype)
    x[np.arange(len(edges)), edges] = value
    assert np.all(np.isnan(sg.softmax(x)))
    assert np.all(np.isnan(sg.log_softmax(x)))
    np.testing.assert_array_equal(sg.logsumexp(x), value)


@dtypes
def test_stretches_of_minus_infinity(dtype):
    """A first stretch, a last stretch and lanes without a finite value: -inf - -inf must never be taken."""
    length = 3 * STRETCH + 5
    rng = fresh_rng()
    finite = {
        "last entry": [length - 1],
        "first entry": [0],
        "one in the middle": [STRETCH + 17],
        "second stretch": range(STRETCH, 2 * STRETCH),
        "tail": range(3 * STRETCH, length),
        "one lane": range(5, length, LANES[dtype]),
    }
    for name, places in finite.items():
        x = np.full((1, length), -np.inf, dtype)
        x[0, list(places)] = 5.0 * rng.standard_normal(len(places))
        check(x, f"finite only in {name}")


@dtypes
def test_rising_and_falling_rows(dtype):
    """The running maximum changes in every step, or never."""
    for length in (10, 700, 2 * STRETCH + 3):
        rising = np.linspace(-500.0, 500.0, length, dtype=dtype)
        check(np.stack([rising, rising[::-1], -np.abs(rising), np.abs(rising)]), f"ramps over {length} classes")


@dtypes
def test_rows_of_the_tables(dtype):
    for entry in generate.read(f"softmax_{dtype.name}"):
        x, what = generate.from_hex(entry["x"], dtype), entry["family"]
        assert_within(SOFTMAX[dtype], sg.softmax(x), generate.from_decimal(entry["softmax"]), what=what)
        log_p = generate.from_decimal(entry["log_softmax"])
        assert_within(LOG_SOFTMAX[dtype], sg.log_softmax(x), log_p, what=what)
        lse = generate.from_decimal(entry["logsumexp"])
        scale = np.maximum(np.abs(lse), largest_finite(x))
        assert_within(LOGSUMEXP[dtype], sg.logsumexp(x), lse, scale=scale, what=what)


@dtypes
def test_sigmoid_of_fresh_values(dtype):
    x = elementwise_inputs(fresh_rng(), dtype)
    assert_within(SIGMOID[dtype], sg.sigmoid(x), exact.sigmoid(x), what="sigmoid")
    assert_within(LOG_SIGMOID[dtype], sg.log_sigmoid(x), exact.log_sigmoid(x), what="log_sigmoid")


@dtypes
def test_sigmoid_of_the_tables(dtype):
    for entry in generate.read(f"sigmoid_{dtype.name}"):
        x = generate.from_hex(entry["x"], dtype)
        assert_within(SIGMOID[dtype], sg.sigmoid(x), generate.from_decimal(entry["sigmoid"]), what="sigmoid")
        log_s = generate.from_decimal(entry["log_sigmoid"])
        assert_within(LOG_SIGMOID[dtype], sg.log_sigmoid(x), log_s, what="log_sigmoid")


@dtypes
def test_sigmoid_in_every_lane(dtype):
    """Every length up to two vectors of lanes, so that each tail is seen, with an extreme value at each place."""
    rng = fresh_rng()
    for length in range(2 * LANES[dtype] + 2):
        x = 3.0 * rng.standard_normal(length).astype(dtype)
        for value in (200.0, -200.0):
            x[length // 2 :] = value
            assert_within(SIGMOID[dtype], sg.sigmoid(x), exact.sigmoid(x), what=f"sigmoid of {length}")
            log_s = exact.log_sigmoid(x)
            assert_within(LOG_SIGMOID[dtype], sg.log_sigmoid(x), log_s, what=f"log_sigmoid of {length}")


@dtypes
def test_rows_sum_to_one(dtype):
    rng = fresh_rng()
    for name, family in FAMILIES.items():
        p = sg.softmax(family(rng, (3, 1000), dtype)).astype(np.longdouble)
        error = np.abs(p.sum(axis=-1) - 1.0)
        assert np.all(error <= SOFTMAX[dtype] * np.finfo(dtype).eps), (name, error)
