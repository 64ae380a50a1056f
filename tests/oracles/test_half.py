"""The two-byte grids by numbers worked out by hand, and against the casts of NumPy and ml_dtypes from float32."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles.half import BFLOAT16, FLOAT16, HALF_DTYPES, every_value, half_error, half_unit, long, nearest
from tests.oracles.inputs import fresh_rng

dtypes = pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)


def test_units_by_hand():
    np.testing.assert_array_equal(
        half_unit([1.0, 1.999, 2048.0, 0.0, 65504.0], FLOAT16), [2**-10, 2**-10, 2, 2**-24, 32]
    )
    np.testing.assert_array_equal(half_unit([1.0, 36.0, 0.0], BFLOAT16), [2**-7, 0.25, 2.0**-133])


def test_nearest_by_hand():
    exact = [1 + 2**-11, 1 + 3 * 2**-11, 65519.9, 65520.0, -65520.0, 2**-25, 1.001 * 2**-25, np.inf, np.nan]
    expected = [1, 1 + 2**-9, 65504, np.inf, -np.inf, 0, 2**-24, np.inf, np.nan]
    np.testing.assert_array_equal(nearest(exact, FLOAT16), expected)
    np.testing.assert_array_equal(nearest([36.1, 36.13, 3.4e38], BFLOAT16), [36, 36.25, np.inf])


@dtypes
def test_nearest_is_the_cast_from_float32(dtype):
    bits = fresh_rng().integers(2**32, size=200_000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    np.testing.assert_array_equal(nearest(values, dtype), long(cast))


@dtypes
def test_every_value_is_its_own_nearest(dtype):
    values = every_value(dtype)
    assert np.unique(values.view(np.uint16)).size == 2**16
    np.testing.assert_array_equal(nearest(long(values), dtype), long(values))


@dtypes
def test_errors_by_hand(dtype):
    unit = float(half_unit(1.0, dtype))
    one = np.ones(3, dtype)
    np.testing.assert_array_equal(half_error(one, [1.0, 1.0 + 0.25 * unit, 1.0 + 2 * unit]), [0.0, 0.25, 2.0])
    np.testing.assert_array_equal(half_error(one, [1.0, 1.5, 2.0], scale=[2.0, 2.0, 2.0]) * 2 * unit, [0.0, 0.5, 1.0])
    special = np.array([np.nan, np.nan, np.inf, 0.0, 1.0], dtype)
    expected = [0.0, np.inf, 0.0, 0.0, np.inf]
    np.testing.assert_array_equal(half_error(special, [np.nan, 1.0, np.inf, 0.0, 0.0]), expected)
    with pytest.raises(TypeError, match="float32"):
        half_error(np.float32(1.0), 1.0)
