"""hvp of sigmoid and log_sigmoid: the derivative of vjp along a vector."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.oracles import exact, generate
from tests.oracles import multiprecision as mp
from tests.oracles.bounds import DTYPES, FLOAT64
from tests.oracles.half import HALF_DTYPES, every_value, long
from tests.oracles.inputs import elementwise_inputs, fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
names = pytest.mark.parametrize("name", ["sigmoid", "log_sigmoid"])
EPS64 = np.finfo(FLOAT64).eps


@names
def test_the_definition_in_multiprecision(name):
    x = [-80.0, -40.0, -1.5, -1e-20, 1e-8, 0.25, 3.0, 40.0, 80.0]
    with mp.ctx.workdps(150):
        second = generate.from_decimal(
            [generate.decimal(mp.ctx.diff(getattr(mp, name), mp.ctx.mpf(each), 2)) for each in x]
        )
    cotangent, vector = np.linspace(-2.0, 3.0, len(x)), np.linspace(1.0, -0.5, len(x))
    expected = second * cotangent * vector
    assert np.all(expected != 0.0)
    for function in (getattr(reference, f"{name}_hvp"), getattr(sg, name).hvp):
        assert np.all(np.abs(function(x, cotangent, vector) - expected) <= 8 * EPS64 * np.abs(expected))


@dtypes
@names
def test_bounds(name, dtype):
    """Within 1 ulp where the work is done in more than the dtype, within 8 in float64; subnormals to their grid."""
    rng = fresh_rng()
    x = elementwise_inputs(rng, dtype)
    x = x[np.isfinite(x)]
    cotangent, vector = rng.uniform(0.5, 2.0, (2, x.size)).astype(dtype) * rng.choice([-1, 1], (2, x.size)).astype(
        dtype
    )
    slope = exact.sigmoid(x) * exact.sigmoid(-x)
    second = -slope * np.tanh(x.astype(np.longdouble) / 2) if name == "sigmoid" else -slope
    expected = second * cotangent.astype(np.longdouble) * vector.astype(np.longdouble)
    assert np.count_nonzero(expected) > 0.9 * x.size
    actual = getattr(sg, name).hvp(x, cotangent, vector)
    assert_within(8 if dtype == FLOAT64 else 1, actual, expected, what=name)


@pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
@names
def test_two_bytes_are_rounded_once(name, dtype):
    x = every_value(dtype)
    x = x[np.isfinite(long(x))]
    cotangent = np.full(x.shape, 3.0, dtype)
    vector = np.full(x.shape, -0.75, dtype)
    wide = (each.astype(np.float64) for each in (x, cotangent, vector))
    actual = getattr(sg, name).hvp(x, cotangent, vector)
    assert actual.dtype == dtype
    with np.errstate(under="ignore"):
        np.testing.assert_array_equal(actual, getattr(sg, name).hvp(*wide).astype(dtype))
    assert np.any(actual != 0.0)


@dtypes
@names
def test_it_is_the_derivative_of_vjp(name, dtype):
    rng = fresh_rng()
    x, cotangent, vector = rng.standard_normal((3, 6, 5))
    function = getattr(sg, name)

    def central(h):
        return (function.vjp(x + h * vector, cotangent) - function.vjp(x - h * vector, cotangent)) / (2.0 * h)

    widest = 2.0**-5
    numeric = (64.0 * central(widest / 4.0) - 20.0 * central(widest / 2.0) + central(widest)) / 45.0
    product = function.hvp(*(each.astype(dtype) for each in (x, cotangent, vector)))
    assert product.dtype == dtype
    # What the extrapolation leaves is of the order of the widest step to the sixth.
    bound = max(widest**6, 8 * float(np.finfo(dtype).eps))
    assert np.max(np.abs(product - numeric)) <= bound * np.max(np.abs(numeric))


@dtypes
@names
def test_edges_and_errors(name, dtype):
    function = getattr(sg, name)
    ends = np.array([-np.inf, np.inf, np.nan, -2000.0, 2000.0], dtype)
    ones = np.ones(5, dtype)
    np.testing.assert_array_equal(function.hvp(ends, ones, ones), [0.0, 0.0, np.nan, 0.0, 0.0])
    assert type(function.hvp(dtype.type(1.0), 1.0, 1.0)) is dtype.type
    assert function.hvp(np.zeros((0, 3), dtype), np.zeros((0, 3)), np.zeros((0, 3))).shape == (0, 3)
    assert function.hvp([1, 2], [1, 1], [0, 1])[0] == 0.0
    with pytest.raises(ValueError, match=r"cotangent has shape \(2,\); x has shape \(5,\)"):
        function.hvp(ends, ones[:2], ones)
    with pytest.raises(ValueError, match=r"vector has shape \(3,\); x has shape \(5,\)"):
        function.hvp(ends, ones, ones[:3])
    with pytest.raises(TypeError, match="vector has dtype complex128"):
        function.hvp(ends, ones, ones.astype(complex))
