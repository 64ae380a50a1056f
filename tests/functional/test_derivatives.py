"""vjp, jvp and jacobian against softgrad.reference and against finite differences.

A component of a product with the Jacobian is a sum; its error is measured against the sum of the absolute values of
its terms, which is the scale the rounding of the terms has.
"""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.oracles.bounds import DTYPES, FLOAT64
from tests.oracles.differences import METHOD_ERROR, along
from tests.oracles.inputs import FAMILIES, fresh_rng

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
ROW_FUNCTIONS = ["softmax", "log_softmax", "logsumexp"]
row_functions = pytest.mark.parametrize("name", ROW_FUNCTIONS)
elementwise = pytest.mark.parametrize("name", ["sigmoid", "log_sigmoid"])
families = pytest.mark.parametrize("family", ["normal 1", "normal 5", "confident 17", "confident 40", "ties", "masked"])


def tolerance(x):
    """Relative. In float64 the reference itself rounds x - m, which moves its exponentials by |x - m| eps."""
    eps = np.finfo(x.dtype).eps
    if x.dtype != FLOAT64:
        return 8 * eps
    finite = x[np.isfinite(x)]
    return (8 + np.ptp(finite) if finite.size else 8) * eps


def assert_close(actual, expected, scale, x):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == x.dtype
    assert actual.shape == expected.shape
    # Below the range of the dtype nothing is promised but the grid of the subnormals.
    allowed = tolerance(x) * scale + 2 * np.finfo(x.dtype).smallest_subnormal
    error = np.abs(actual.astype(np.float64) - expected)
    worst = np.unravel_index(np.argmax(error - allowed), error.shape)
    assert np.all(error <= allowed), (worst, actual[worst], expected[worst])
    assert np.any(expected != 0.0)


def absolute_scale(name, verb, x, other, **options):
    """The product of the absolute Jacobian and the absolute vector: by (block) diagonal structure, in closed form."""
    p = reference.softmax(x, **options)
    axis = options.get("axis", -1)
    v = np.abs(other)
    sums = {"axis": tuple(axis) if isinstance(axis, (list, tuple)) else axis, "keepdims": True}
    if name == "softmax":
        return p * (v + np.sum(p * v, **sums))
    if name == "log_softmax":
        return v + (p * np.sum(v, **sums) if verb == "vjp" else np.sum(p * v, **sums))
    if verb == "jvp":
        return np.sum(p * v, axis=sums["axis"])
    return p * (v if axis is None else np.expand_dims(v, axis))


def vector_for(name, verb, x, rng, axis=-1):
    shape = np.shape(reference.logsumexp(x, axis=axis)) if (name, verb) == ("logsumexp", "vjp") else x.shape
    return np.asarray(rng.standard_normal(shape)).astype(x.dtype)


@dtypes
@row_functions
@families
@pytest.mark.parametrize("verb", ["vjp", "jvp"])
def test_products_against_the_reference(verb, family, name, dtype):
    rng = fresh_rng()
    for shape in ((150, 2), (80, 10), (5, 70), (2, 5000)):
        x = FAMILIES[family](rng, shape, dtype)
        other = vector_for(name, verb, x, rng)
        expected = getattr(reference, f"{name}_{verb}")(x, other)
        actual = getattr(getattr(sg, name), verb)(x, other)
        assert_close(actual, expected, absolute_scale(name, verb, x, other), x)


@dtypes
@row_functions
@families
def test_jacobian_against_the_reference(family, name, dtype):
    rng = fresh_rng()
    for shape in ((1,), (7,), (9, 2), (4, 30)):
        x = FAMILIES[family](rng, (shape[0] if len(shape) == 2 else 1, shape[-1]), dtype).reshape(shape)
        expected = getattr(reference, f"{name}_jacobian")(x)
        if not np.any(expected):
            np.testing.assert_array_equal(getattr(sg, name).jacobian(x), expected)
            continue
        # No cancellation anywhere: each entry is held to its own size.
        assert_close(getattr(sg, name).jacobian(x), expected, np.abs(expected), x)


@dtypes
@row_functions
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (2, 0), None], ids=str)
def test_axes(axis, name, dtype):
    rng = fresh_rng()
    x = rng.standard_normal((3, 4, 5)).astype(dtype)
    for verb in ("vjp", "jvp"):
        other = vector_for(name, verb, x, rng, axis)
        expected = getattr(reference, f"{name}_{verb}")(x, other, axis=axis)
        actual = getattr(getattr(sg, name), verb)(x, other, axis=axis)
        assert_close(actual, expected, absolute_scale(name, verb, x, other, axis=axis), x)
    expected = getattr(reference, f"{name}_jacobian")(x, axis=axis)
    assert_close(getattr(sg, name).jacobian(x, axis=axis), expected, np.abs(expected), x)


@dtypes
@pytest.mark.parametrize("axis", [1, -1, (0, 2), None], ids=str)
def test_keepdims_of_logsumexp(axis, dtype):
    rng = fresh_rng()
    x = rng.standard_normal((3, 4, 5)).astype(dtype)
    tangent = rng.standard_normal(x.shape).astype(dtype)
    change = sg.logsumexp.jvp(x, tangent, axis=axis, keepdims=True)
    assert change.shape == sg.logsumexp(x, axis=axis, keepdims=True).shape
    np.testing.assert_array_equal(change.ravel(), np.ravel(sg.logsumexp.jvp(x, tangent, axis=axis)))
    cotangent = rng.standard_normal(change.shape).astype(dtype)
    squeezed = cotangent.reshape(np.shape(sg.logsumexp(x, axis=axis)))
    np.testing.assert_array_equal(
        sg.logsumexp.vjp(x, cotangent, axis=axis, keepdims=True), sg.logsumexp.vjp(x, squeezed, axis=axis)
    )


@pytest.mark.parametrize("name", [*ROW_FUNCTIONS, "sigmoid", "log_sigmoid"])
def test_finite_differences(name):
    rng = fresh_rng()
    function = getattr(sg, name)
    x, tangent = rng.standard_normal((2, 6, 5))
    numeric = along(lambda step: function(x + step * tangent))
    jvp = function.jvp(x, tangent)
    scale = np.max(np.abs(numeric))
    assert np.max(np.abs(jvp - numeric)) <= METHOD_ERROR * scale
    cotangent = rng.standard_normal(np.shape(numeric))
    vjp = function.vjp(x, cotangent)
    for axis_vector in (tangent, np.ones(x.shape), np.eye(6, 5)):
        change = np.sum(cotangent * along(lambda step, v=axis_vector: function(x + step * v)))
        assert abs(np.sum(vjp * axis_vector) - change) <= METHOD_ERROR * np.sum(np.abs(cotangent))


@row_functions
def test_the_jacobian_is_what_vjp_and_jvp_multiply_with(name):
    rng = fresh_rng()
    function = getattr(sg, name)
    x = rng.standard_normal(6)
    jacobian = np.atleast_2d(function.jacobian(x))
    eps = 16 * np.finfo(np.float64).eps
    for j in range(6):
        unit = np.eye(6)[j]
        np.testing.assert_allclose(np.atleast_1d(function.jvp(x, unit)), jacobian[:, j], rtol=eps, atol=eps / 16)
    for i in range(jacobian.shape[0]):
        unit = np.eye(jacobian.shape[0])[i]
        vjp = function.vjp(x, unit if name != "logsumexp" else unit[0])
        np.testing.assert_allclose(vjp, jacobian[i], rtol=eps, atol=eps / 16)


@dtypes
def test_the_constant_vector_is_in_the_null_space(dtype):
    """The derivative along ones is 0 for softmax and log_softmax, 1 for logsumexp; exactly or to rounding."""
    x = (3.0 * fresh_rng().standard_normal((20, 9))).astype(dtype)
    ones = np.ones_like(x)
    eps = np.finfo(dtype).eps
    assert np.all(np.abs(sg.softmax.jvp(x, ones)) <= 2 * eps * sg.softmax(x))
    assert np.all(np.abs(sg.log_softmax.jvp(x, ones)) <= 2 * eps)
    assert np.all(np.abs(sg.logsumexp.jvp(x, ones) - 1.0) <= 4 * eps)


@dtypes
def test_confident_rows_keep_their_derivative(dtype):
    """p_k (1 - p_k) at a gap of 40 is 4e-18, not 0: the diagonal must not come from 1 - p_k."""
    x = np.array([0.0, 40.0], dtype)
    tiny = np.exp(-40.0) / (1.0 + np.exp(-40.0)) ** 2
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(sg.softmax.jacobian(x), [[tiny, -tiny], [-tiny, tiny]], rtol=tolerance)
    np.testing.assert_allclose(sg.softmax.vjp(x, np.array([0, 1], dtype)), [-tiny, tiny], rtol=tolerance)
    np.testing.assert_allclose(sg.softmax.jvp(x, np.array([1, 0], dtype)), [tiny, -tiny], rtol=tolerance)
    log_row = [-tiny, tiny]
    np.testing.assert_allclose(sg.log_softmax.vjp(x, np.array([0, 1], dtype)), log_row, rtol=tolerance)
    np.testing.assert_allclose(sg.log_softmax.jacobian(x)[1], log_row, rtol=tolerance)


@dtypes
@elementwise
def test_elementwise_products(name, dtype):
    rng = fresh_rng()
    overflow = float(np.log(np.finfo(dtype).max))
    x = np.concatenate([3.0 * rng.standard_normal(300), np.linspace(-overflow, overflow, 301)]).astype(dtype)
    other = rng.standard_normal(x.shape).astype(dtype)
    for verb in ("vjp", "jvp"):
        expected = getattr(reference, f"{name}_{verb}")(x, other)
        assert_close(getattr(getattr(sg, name), verb)(x, other), expected, np.abs(expected), x)


@dtypes
@elementwise
def test_elementwise_scalars(name, dtype):
    function = getattr(sg, name)
    assert type(function.jvp(dtype.type(0.0), dtype.type(2.0))) is dtype.type
    assert function.vjp(dtype.type(0.0), dtype.type(2.0)) == (0.5 if name == "sigmoid" else 1.0)


@dtypes
def test_rows_without_a_derivative_are_nan(dtype):
    for row in ([np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf]):
        x = np.array([row, [0.0, 1.0]], dtype)
        v = np.ones_like(x)
        for name in ("softmax", "log_softmax"):
            for verb in ("vjp", "jvp"):
                result = getattr(getattr(sg, name), verb)(x, v)
                assert np.all(np.isnan(result[0])), (name, verb, row)
                assert np.all(np.isfinite(result[1])), (name, verb, row)
        assert np.all(np.isnan(sg.softmax.jacobian(x)[0]))


@row_functions
def test_empty_shapes(name):
    function = getattr(sg, name)
    for shape in ((0, 3), (3, 0)):
        x = np.empty(shape)
        cotangent = np.zeros(shape[:1]) if name == "logsumexp" else x
        assert function.vjp(x, cotangent).shape == shape
        assert function.jvp(x, x).shape == np.shape(function(x))
        expected = (*shape, shape[-1]) if name != "logsumexp" else shape
        assert function.jacobian(x).shape == expected


@pytest.mark.parametrize("name", [*ROW_FUNCTIONS, "sigmoid", "log_sigmoid"])
@pytest.mark.parametrize("verb", ["vjp", "jvp"])
def test_shapes_and_types_are_checked(verb, name):
    derivative = getattr(getattr(sg, name), verb)
    what = "cotangent" if verb == "vjp" else "tangent"
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=f"{what} has shape"):
        derivative(x, np.zeros((3, 2)))
    with pytest.raises(ValueError, match=f"{what} has shape"):
        derivative(x, 1.0)
    with pytest.raises(TypeError, match=f"{what} has dtype complex"):
        derivative(x, np.zeros((2, 3), complex))
    with pytest.raises(TypeError, match="x has dtype object"):
        derivative(x.astype(object), x)


@dtypes
@pytest.mark.parametrize("name", [*ROW_FUNCTIONS, "sigmoid", "log_sigmoid"])
def test_inputs_may_be_read_only_strided_or_lists(name, dtype):
    function = getattr(sg, name)
    rng = fresh_rng()
    x, v = (rng.standard_normal((2, 4, 5))).astype(dtype)
    cotangent = v if name != "logsumexp" else v[:, 0].copy()
    fortran = np.asfortranarray(x)
    for array in (fortran, cotangent, v):
        array.flags.writeable = False
    np.testing.assert_array_equal(function.vjp(fortran, cotangent), function.vjp(x, cotangent))
    np.testing.assert_array_equal(function.jvp(fortran, v), function.jvp(x, v))
    if dtype == FLOAT64:
        np.testing.assert_array_equal(function.vjp(x.tolist(), cotangent.tolist()), function.vjp(x, cotangent))
