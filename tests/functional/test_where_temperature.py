"""softmax, log_softmax and logsumexp over some of the classes and at any temperature, to the bounds."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.oracles import transformed
from tests.oracles.bounds import DTYPES, FLOAT64, LOG_SOFTMAX, LOGSUMEXP, SOFTMAX
from tests.oracles.half import HALF_DTYPES, assert_half_within, long
from tests.oracles.inputs import FAMILIES, GROUP, LANES, STRETCH, fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
all_dtypes = pytest.mark.parametrize("dtype", [*DTYPES, *HALF_DTYPES], ids=str)
families = pytest.mark.parametrize("family", FAMILIES)
names = pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
LEFT_OUT = {"softmax": 0.0, "log_softmax": -np.inf}
TEMPERATURES = [0.1, 0.7, 3.3, 40.0]


def shapes(dtype):
    return ((150, 3), (90, 10), (4, LANES[dtype] + 1), (3, GROUP[dtype] + 1), (2, STRETCH + 1))


def some_classes(rng, x, share=0.6):
    """A mask that leaves the maximum of every second row in, so that every row has a finite class."""
    mask = rng.random(x.shape) < share
    finite = np.where(np.isfinite(x), x, -np.inf)
    mask[np.arange(len(x)), np.argmax(finite, axis=1)] |= np.arange(len(x)) % 2 == 0
    rows = np.arange(len(x))
    somewhere = np.argmin(np.where(np.isfinite(x), x, np.inf), axis=1)
    mask[rows, somewhere] = True
    return mask


def check(x, what, *, where=None, temperature=1.0):
    dtype = x.dtype
    options = {} if where is None else {"where": where}
    heated = options if temperature == 1.0 else {**options, "temperature": temperature}
    row = transformed.transformed(x, where=where, temperature=temperature)
    assert_within(SOFTMAX[dtype], sg.softmax(x, **heated), transformed.softmax(row), what=f"softmax, {what}")
    log_p = transformed.log_softmax(row)
    assert_within(LOG_SOFTMAX[dtype], sg.log_softmax(x, **heated), log_p, what=f"log_softmax, {what}")
    if temperature == 1.0:
        lse = transformed.logsumexp(row)
        taken = np.isfinite(x) & (True if where is None else where)
        largest = np.max(np.abs(x), axis=-1, where=taken, initial=0.0)
        scale = np.maximum(np.abs(lse), largest)
        assert_within(LOGSUMEXP[dtype], sg.logsumexp(x, **options), lse, scale=scale, what=f"logsumexp, {what}")


@dtypes
@families
def test_some_classes(family, dtype):
    rng = fresh_rng()
    for shape in shapes(dtype):
        x = FAMILIES[family](rng, shape, dtype)
        check(x, f"{family}, {shape}", where=some_classes(rng, x))


@dtypes
@families
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_temperatures(temperature, family, dtype):
    rng = fresh_rng()
    for shape in shapes(dtype)[:4]:
        x = FAMILIES[family](rng, shape, dtype)
        check(x, f"{family}, T {temperature}, {shape}", temperature=temperature)


@dtypes
@families
def test_some_classes_at_a_temperature(family, dtype):
    rng = fresh_rng()
    for temperature in TEMPERATURES:
        x = FAMILIES[family](rng, (20, 70), dtype)
        check(x, f"{family}, T {temperature}", where=some_classes(rng, x), temperature=temperature)


@dtypes
@pytest.mark.parametrize("offset", [1e7, 1e8, 1e9, 1e12])
def test_temperatures_at_large_offsets(offset, dtype):
    """Neighbours on the grid of the dtype, at a temperature at which their distance is of the order of 1.

    x / T rounded, instead of (x - m) / T, would move every probability by |x / T| roundings.
    """
    rng = fresh_rng()
    step = float(np.spacing(dtype.type(offset)))
    x = (offset + step * rng.integers(-20, 21, (60, 12))).astype(dtype)
    for temperature in (step * 1.7, step * 0.3):
        check(x, f"{offset:g} at T {temperature:g}", temperature=temperature)


@dtypes
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("length", [3, 10, 70, 330])
def test_what_is_left_out_may_hold_anything(length, value, dtype):
    """A class that is left out has the same bits with any value, in every lane."""
    rng = fresh_rng()
    rows = max(2 * length, 100)
    x = rng.standard_normal((rows, length)).astype(dtype)
    mask = rng.random(x.shape) < 0.5
    mask[np.arange(rows), np.arange(rows) % length] = False
    mask[np.arange(rows), (np.arange(rows) + 1) % length] = True
    holding = np.where(mask, x, dtype.type(value))
    for temperature in (1.0, 0.7):
        for name in ("softmax", "log_softmax"):
            expected = getattr(sg, name)(x, where=mask, temperature=temperature)
            actual = getattr(sg, name)(holding, where=mask, temperature=temperature)
            assert actual.tobytes() == expected.tobytes(), name
            np.testing.assert_array_equal(actual[~mask], LEFT_OUT[name])
            place = holding.copy()
            getattr(sg, name)(place, where=mask, temperature=temperature, out=place)
            assert place.tobytes() == expected.tobytes(), name
    assert sg.logsumexp(holding, where=mask).tobytes() == sg.logsumexp(x, where=mask).tobytes()
    for name in ("softmax", "log_softmax", "logsumexp"):
        for verb in ("jvp", "vjp"):
            member = getattr(sg, name)
            vector = rng.standard_normal(rows if (name, verb) == ("logsumexp", "vjp") else x.shape).astype(dtype)
            hidden = vector if vector.ndim == 1 else np.where(mask, vector, dtype.type(value))
            expected = getattr(member, verb)(x, vector, where=mask)
            assert getattr(member, verb)(holding, hidden, where=mask).tobytes() == expected.tobytes(), (name, verb)
            if expected.ndim == 2:
                np.testing.assert_array_equal(expected[~mask], 0.0)


@all_dtypes
def test_all_left_out(dtype):
    """softmax 0, log_softmax and logsumexp -inf; the rows beside it are as ever."""
    x = np.array([[np.nan, np.inf, 1.0], [0.0, 1.0, 2.0]]).astype(dtype)
    mask = np.array([[False, False, False], [True, False, True]])
    for temperature in (1.0, 2.0):
        p = long(sg.softmax(x, where=mask, temperature=temperature))
        np.testing.assert_array_equal(p[0], 0.0)
        assert not np.any(np.signbit(p))
        # Two-byte results are rounded once: to half a unit.
        total = np.sum(sg.softmax(x, where=mask, temperature=temperature)[1].astype(np.float64))
        assert abs(total - 1.0) <= SOFTMAX.get(dtype, 0.51) * float(ml_dtypes.finfo(dtype).eps)
        np.testing.assert_array_equal(long(sg.log_softmax(x, where=mask, temperature=temperature))[0], -np.inf)
    np.testing.assert_array_equal(long(sg.logsumexp(x, where=mask))[0], -np.inf)
    np.testing.assert_array_equal(long(sg.softmax(x, where=False)), 0.0)
    np.testing.assert_array_equal(long(sg.softmax.vjp(x[1], x[1], where=False)), 0.0)
    np.testing.assert_array_equal(long(sg.softmax.jacobian(x[1], where=False)), 0.0)


@all_dtypes
def test_what_takes_part_must_still_be_a_number(dtype):
    """All that take part at -inf: NaN, as without a mask; a NaN or +inf that takes part reaches its row."""
    mask = np.array([True, True, False])
    for row, lse in (([-np.inf, -np.inf, 0.0], -np.inf), ([np.nan, 1.0, 0.0], np.nan), ([np.inf, 1.0, 0.0], np.inf)):
        x = np.array(row).astype(dtype)
        p = long(sg.softmax(x, where=mask))
        assert np.all(np.isnan(p[:2]))
        assert p[2] == 0.0
        log_p = long(sg.log_softmax(x, where=mask))
        assert np.all(np.isnan(log_p[:2]))
        assert log_p[2] == -np.inf
        np.testing.assert_array_equal(long(sg.logsumexp(x, where=mask)), lse)
        for temperature in (0.5, 3.0):
            assert np.all(np.isnan(long(sg.softmax(x[:2], temperature=temperature))))


@dtypes
@pytest.mark.parametrize("temperature", [0.5, 7.0])
def test_edge_values_at_a_temperature(temperature, dtype):
    largest = float(np.finfo(dtype).max)
    x = np.array([largest, -largest, 0.0], dtype)
    np.testing.assert_array_equal(sg.softmax(x, temperature=temperature), [1, 0, 0])
    # At a temperature below 1 the distance is beyond the dtype; above, still within it.
    expected = [0, -np.inf if temperature < 1 else -2 * np.longdouble(largest) / temperature, -largest / temperature]
    if temperature < 1:
        expected[2] = -np.inf
    np.testing.assert_allclose(
        sg.log_softmax(x, temperature=temperature), np.array(expected, dtype), rtol=4 * np.finfo(dtype).eps
    )
    np.testing.assert_array_equal(sg.softmax(np.full(7, largest, dtype), temperature=temperature), dtype.type(1) / 7)
    np.testing.assert_array_equal(sg.softmax(np.array([3.0], dtype), temperature=temperature), [1.0])
    assert sg.log_softmax(np.array([3.0], dtype), temperature=temperature) == 0.0
    assert not np.signbit(sg.softmax(np.array([0.0, -np.inf], dtype), temperature=temperature)[1])


@dtypes
def test_temperatures_near_the_ends_of_the_range(dtype):
    x = np.array([0.0, 1.0, -2.0], dtype)
    np.testing.assert_array_equal(sg.softmax(x, temperature=1e-300), [0, 1, 0])
    np.testing.assert_allclose(sg.softmax(x, temperature=1e300), np.full(3, 1 / 3), rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
@pytest.mark.parametrize("family", ["normal 5", "confident 17", "ties", "masked", "equal"])
def test_two_bytes_too(family, dtype):
    rng = fresh_rng()
    x = FAMILIES[family](rng, (60, 33), np.dtype(np.float32)).astype(dtype)
    mask = some_classes(rng, long(x))
    for temperature in (0.3, 1.0, 2.5):
        row = transformed.transformed(long(x), where=mask, temperature=temperature)
        p = sg.softmax(x, where=mask, temperature=temperature)
        assert_half_within(0.51, p, transformed.softmax(row), what="softmax")
        log_p = sg.log_softmax(x, where=mask, temperature=temperature)
        assert_half_within(0.51, log_p, transformed.log_softmax(row), what="log_softmax")


@names
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), None], ids=str)
def test_masks_broadcast_and_follow_the_axes(axis, name):
    rng = fresh_rng()
    x = rng.standard_normal((3, 4, 5))
    masks = [rng.random(shape) < 0.7 for shape in ((3, 4, 5), (4, 5), (5,), (3, 1, 1), (1, 4, 1), ())]
    masks += [np.asfortranarray(masks[0]), np.repeat(masks[0], 2, axis=2)[..., ::2], masks[0].tolist(), True, False]
    for mask in masks:
        actual = getattr(sg, name)(x, axis=axis, where=mask)
        expected = getattr(reference, name)(x, axis=axis, where=mask)
        # A logsumexp near 0 is the difference of terms as large as the logits.
        scale = np.max(np.abs(x)) if name == "logsumexp" else 0.0
        eps = 32 * np.finfo(FLOAT64).eps
        np.testing.assert_allclose(actual, expected, rtol=eps, atol=eps * scale)
        for verb in ("vjp", "jvp"):
            shape = np.shape(actual) if verb == "vjp" else x.shape
            vector = rng.standard_normal(shape)
            slope = getattr(getattr(sg, name), verb)(x, vector, axis=axis, where=mask)
            given = getattr(reference, f"{name}_{verb}")(x, vector, axis=axis, where=mask)
            np.testing.assert_allclose(
                slope, given, rtol=0, atol=64 * np.finfo(FLOAT64).eps * np.max(np.abs(vector)) * 8
            )
        matrix = getattr(sg, name).jacobian(x, axis=axis, where=mask)
        given = getattr(reference, f"{name}_jacobian")(x, axis=axis, where=mask)
        np.testing.assert_allclose(matrix, given, rtol=64 * np.finfo(FLOAT64).eps)


@dtypes
def test_a_mask_equals_the_shortened_row(dtype):
    """What is left out might as well not be there."""
    rng = fresh_rng()
    for shape in shapes(dtype):
        x = FAMILIES["normal 5"](rng, shape, dtype)
        kept = np.sort(rng.permutation(shape[1])[: max(1, shape[1] // 2)])
        mask = np.zeros(shape[1], bool)
        mask[kept] = True
        bound = 2 * SOFTMAX[dtype]
        short = np.ascontiguousarray(x[:, kept])
        for name in ("softmax", "log_softmax"):
            full, alone = getattr(sg, name)(x, where=mask), getattr(sg, name)(short)
            assert_within(bound, full[:, kept], alone, what=name)


@names
def test_errors(name):
    function = getattr(sg, name)
    x = np.zeros((2, 3))
    with pytest.raises(TypeError, match="where has dtype float64; it must be bool"):
        function(x, where=np.ones(3))
    with pytest.raises(TypeError, match="where has dtype int64; it must be bool"):
        function(x, where=[1, 0, 1])
    with pytest.raises(ValueError, match=r"where has shape \(4,\); it must broadcast to \(2, 3\)"):
        function(x, where=np.ones(4, bool))
    with pytest.raises(ValueError, match=r"where has shape \(5, 2, 3\); it must broadcast to \(2, 3\)"):
        function(x, where=np.ones((5, 2, 3), bool))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan, "hot", None, [1.0, 2.0]], ids=str)
def test_a_wrong_temperature_is_named_and_nothing_is_written(value, name):
    x = np.zeros((2, 3))
    out = np.full((2, 3), 7.0)
    with pytest.raises((ValueError, TypeError), match="temperature"):
        getattr(sg, name)(x, temperature=value, out=out)
    np.testing.assert_array_equal(out, 7.0)
    with pytest.raises((ValueError, TypeError), match="temperature"):
        getattr(sg, name).vjp(x, x, temperature=value)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_an_output_that_is_the_mask_is_refused(name):
    x = np.zeros((4, 8))
    mask = x.view(bool)[:, :8]
    with pytest.raises(ValueError, match="out overlaps where"):
        getattr(sg, name)(np.ones((4, 8)), where=mask, out=x)
