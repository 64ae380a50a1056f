"""logsumexp where no class has mass: the value is -inf, which no finite step moves, so every derivative is 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

import softgrad as sg
from softgrad import reference
from tests.oracles.bounds import DTYPES
from tests.oracles.half import HALF_DTYPES
from tests.oracles.inputs import fresh_rng

ROWS = 70
dtypes = pytest.mark.parametrize("dtype", [*DTYPES, *HALF_DTYPES], ids=str)


def derivatives(x: NDArray, **options: Any) -> Iterator[NDArray]:
    """Each with the rows of x first, and in place too."""
    v = fresh_rng().uniform(1.0, 2.0, x.shape).astype(x.dtype)
    cotangent = v[:, 0]
    yield sg.logsumexp.vjp(x, cotangent, **options)
    yield sg.logsumexp.jvp(x, v, **options)
    yield sg.logsumexp.hvp(x, cotangent, v, **options)
    yield sg.logsumexp.jacobian(x, **options)
    place = x.copy()
    yield sg.logsumexp.vjp(place, cotangent, out=place, **options)
    place = x.copy()
    yield sg.logsumexp.hvp(place, cotangent, v, out=place, **options)


@pytest.mark.parametrize("classes", [1, 2, 64, 65, 1000])
@dtypes
def test_derivatives_are_zero_there_and_nowhere_else(dtype, classes):
    x = (3.0 * fresh_rng().standard_normal((ROWS, classes))).astype(dtype)
    massless = np.zeros(ROWS, bool)
    massless[[0, 17, 69]] = True
    x[massless] = -np.inf
    # A row that begins like one.
    x[3, : classes - 1] = -np.inf
    masked, where = x.copy(), np.ones(x.shape, bool)
    masked[17, -1], where[17, -1] = np.nan, False
    for array, options in ((x, {}), (masked, {"where": where}), (np.asfortranarray(x), {})):
        assert np.all(sg.logsumexp(array, **options)[massless] == -np.inf)
        for result in derivatives(array, **options):
            assert np.all(result[massless] == 0)
            assert np.all(np.isfinite(result[~massless]))
        sums = sg.logsumexp.jacobian(array, **options)[~massless].astype(np.float64).sum(axis=1)
        np.testing.assert_allclose(sums, 1.0, rtol=0, atol=classes * float(ml_dtypes.finfo(dtype).eps))


@pytest.mark.parametrize("classes", [3, 100])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@dtypes
def test_nan_and_infinity_stay_nan(value, dtype, classes):
    x = np.full((3, classes), -np.inf).astype(dtype)
    x[1, -1], x[2] = value, 0.0
    for result in derivatives(x):
        assert np.all(result[0] == 0)
        assert np.all(np.isnan(result[1]))
        assert np.all(np.isfinite(result[2]))


@pytest.mark.parametrize("classes", [3, 100])
@dtypes
def test_softmax_and_its_products_stay_nan(dtype, classes):
    """There is no distribution: a hidden 0 would be a wrong one."""
    x = np.full((2, classes), -np.inf).astype(dtype)
    v = np.ones_like(x)
    for function in (sg.softmax, sg.log_softmax):
        for result in (function(x), function.vjp(x, v), function.jvp(x, v), function.hvp(x, v, v)):
            assert np.all(np.isnan(result))


def test_reference():
    x, ones = np.full((2, 3), -np.inf), np.ones((2, 3))
    x[1, 2] = 5.0
    one_hot = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    np.testing.assert_array_equal(reference.logsumexp(x), [-np.inf, 5.0])
    np.testing.assert_array_equal(reference.logsumexp_vjp(x, [2.0, 2.0]), 2.0 * np.array(one_hot))
    np.testing.assert_array_equal(reference.logsumexp_jvp(x, ones), [0.0, 1.0])
    np.testing.assert_array_equal(reference.logsumexp_hvp(x, [1.0, 1.0], ones), np.zeros((2, 3)))
    np.testing.assert_array_equal(reference.logsumexp_jacobian(x), one_hot)
