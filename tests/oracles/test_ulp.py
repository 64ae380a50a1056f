"""The metric itself: what it must see, and what it must not forgive."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles.ulp import assert_within, ulp_error, unit

DTYPES = [np.float16, np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [1.0, 1.5, 1.9990234375, -3.0, 1024.0])
def test_neighbours_are_one_ulp_away(dtype, value):
    exact = dtype(value)
    above = np.nextafter(exact, dtype(np.copysign(np.inf, value)))
    assert ulp_error(exact, exact) == 0.0
    assert ulp_error(above, exact) == 1.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_half_an_ulp_is_half(dtype):
    exact = np.longdouble(1.0) + np.longdouble(np.finfo(dtype).eps) / 2
    assert ulp_error(dtype(1.0), exact) == 0.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_unit_is_that_of_the_exact_value_binade(dtype):
    eps = np.finfo(dtype).eps
    assert unit(1.0, np.dtype(dtype)) == eps
    assert unit(np.nextafter(dtype(1.0), dtype(0.0)), np.dtype(dtype)) == eps / 2
    assert unit(2.0, np.dtype(dtype)) == 2 * eps
    largest = np.finfo(dtype).max
    assert unit(largest, np.dtype(dtype)) == np.longdouble(largest) - np.nextafter(largest, dtype(0.0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormals_count_in_units_of_the_smallest(dtype):
    info = np.finfo(dtype)
    smallest = info.smallest_subnormal
    assert ulp_error(dtype(3 * smallest), 5 * np.longdouble(smallest)) == 2.0
    assert ulp_error(dtype(0.0), np.longdouble(info.smallest_normal)) == 2.0**info.nmant
    assert ulp_error(dtype(0.0), np.longdouble(smallest) / 4) == 0.25


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_fail(dtype):
    exact = np.longdouble([1e-3, -1e-3, 1.0, -40.0])
    assert np.all(ulp_error(np.zeros(4, dtype), exact) > 100.0)
    with pytest.raises(AssertionError, match=r"zeros: .* ulp at"):
        assert_within(4, np.zeros(4, dtype), exact, what="zeros")


@pytest.mark.parametrize("dtype", DTYPES)
def test_wrong_signs_fail(dtype):
    exact = np.longdouble([1e-3, -1e-3, 1.0, -40.0])
    assert np.all(ulp_error(-exact.astype(dtype), exact) > 100.0)
    assert ulp_error(dtype(-np.inf), np.longdouble(np.inf)) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_exact_zero_asks_for_zero(dtype):
    assert ulp_error(dtype(0.0), 0.0) == 0.0
    assert ulp_error(dtype(-0.0), 0.0) == 0.0
    assert ulp_error(np.finfo(dtype).smallest_subnormal, 0.0) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinity_and_nan_by_name(dtype):
    assert ulp_error(dtype(np.inf), np.inf) == 0.0
    assert ulp_error(dtype(np.nan), np.nan) == 0.0
    assert ulp_error(dtype(np.nan), 1.0) == np.inf
    assert ulp_error(dtype(1.0), np.nan) == np.inf
    assert ulp_error(dtype(np.inf), np.nan) == np.inf
    assert ulp_error(dtype(np.nan), np.inf) == np.inf
    assert ulp_error(np.finfo(dtype).max, np.inf) == np.inf
    assert ulp_error(dtype(np.inf), 1.0) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_value_beyond_the_dtype_asks_for_infinity(dtype):
    beyond = np.longdouble(np.finfo(dtype).max) * 2
    assert ulp_error(dtype(np.inf), beyond) == 0.0
    assert ulp_error(dtype(-np.inf), -beyond) == 0.0
    assert ulp_error(np.finfo(dtype).max, beyond) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_scale_replaces_the_binade_and_forgives_no_more(dtype):
    eps = np.longdouble(np.finfo(dtype).eps)
    assert ulp_error(dtype(0.0), eps, scale=1.0) == 1.0
    assert ulp_error(dtype(0.0), 5 * eps, scale=1.0) == 5.0
    assert ulp_error(dtype(np.nan), 0.0, scale=1.0) == np.inf
    assert ulp_error(dtype(np.inf), np.inf, scale=np.inf) == 0.0


def test_a_result_without_a_floating_dtype_is_refused():
    with pytest.raises(TypeError, match="int64"):
        ulp_error(np.int64(1), 1.0)


def test_shapes_are_not_broadcast():
    with pytest.raises(ValueError, match="shape"):
        ulp_error(np.zeros((2, 1)), np.zeros((2, 2)))


def test_one_bad_component_among_many_is_found():
    exact = np.ones(1000)
    actual = exact.copy()
    actual[737] += 8 * np.finfo(np.float64).eps
    with pytest.raises(AssertionError, match=r"8 ulp at \(737,\), allowed 4.*1 of 1000"):
        assert_within(4, actual, exact, what="one of many")
