"""softmax and log_softmax: vjp and jvp given the output, in place of the argument.

Twice held to a bound. What they make of the output that they are given is compared with the formulas in long double,
for any dtype. What that is worth is compared with the exact product of the argument. Both bounds are relative to what
is added up, v taken relative to its value at the most probable class: in a confident row, that is next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

import softgrad as sg
from tests.oracles import exact
from tests.oracles.bounds import DTYPES, FLOAT32, FLOAT64
from tests.oracles.half import HALF_DTYPES
from tests.oracles.inputs import FAMILIES, STRETCH, fresh_rng

ALL_DTYPES = (*DTYPES, *HALF_DTYPES)
SHAPES = ((5, 1), (150, 2), (90, 3), (80, 10), (70, 21), (70, 64), (9, 65), (7, 300), (2, STRETCH + 7))
dtypes = pytest.mark.parametrize("dtype", ALL_DTYPES, ids=str)
products = pytest.mark.parametrize(
    ("name", "verb"),
    [("softmax", "vjp"), ("softmax", "jvp"), ("log_softmax", "vjp"), ("log_softmax", "jvp")],
    ids=["softmax.vjp", "softmax.jvp", "log_softmax.vjp", "log_softmax.jvp"],
)


def product(name: str, verb: str) -> Callable[..., NDArray[Any]]:
    result: Callable[..., NDArray[Any]] = getattr(getattr(sg, name), verb)
    return result


def long(values: NDArray[Any]) -> NDArray[np.longdouble]:
    # What ml_dtypes has goes through float32.
    return values.astype(values.dtype if values.dtype in DTYPES else np.float32).astype(np.longdouble)


def eps_of(dtype: np.dtype) -> float:
    return float(ml_dtypes.finfo(dtype).eps)


def expected(
    name: str, verb: str, p: NDArray, lacking: NDArray, v: NDArray, largest: NDArray[np.intp]
) -> tuple[NDArray[np.longdouble], NDArray[np.longdouble]]:
    """The product with the rows of p, and the scale of its errors; `lacking` is 1 - p, `largest` where p is."""
    if (name, verb) == ("log_softmax", "vjp"):
        # The sum of the others, without a difference.
        others, sizes = np.empty_like(v), np.empty_like(v)
        for array, source in ((others, v), (sizes, np.abs(v))):
            before = np.cumsum(source, axis=-1) - source
            after = np.cumsum(source[:, ::-1], axis=-1)[:, ::-1] - source
            array[...] = before + after
        at_largest = v.copy()
        np.put_along_axis(at_largest, largest, np.longdouble(0), axis=-1)
        np.put_along_axis(others, largest, at_largest.sum(axis=-1, keepdims=True), axis=-1)
        np.put_along_axis(sizes, largest, np.abs(at_largest).sum(axis=-1, keepdims=True), axis=-1)
        return v * lacking - p * others, np.abs(v) * lacking + p * sizes
    d = v - np.take_along_axis(v, largest, axis=-1)
    apart, size = np.sum(p * d, axis=-1, keepdims=True), np.sum(p * np.abs(d), axis=-1, keepdims=True)
    factor = p if name == "softmax" else np.ones_like(p)
    return factor * (d - apart), factor * (np.abs(d) + size)


def most_probable(p: NDArray) -> Iterator[NDArray[np.intp]]:
    """Indices of the largest of each row, as many as the ties need."""
    ties = p == p.max(axis=-1, keepdims=True)
    for number in range(np.count_nonzero(ties, axis=-1).max()):
        numbered = np.cumsum(ties, axis=-1) - 1
        found = ties & (numbered == np.minimum(number, numbered[:, -1:]))
        yield np.argmax(found, axis=-1)[:, None]


def excess_of(actual: NDArray, truth: NDArray, allowed: NDArray) -> NDArray:
    # What is added up may be as many subnormals as there are classes, each rounded on their grid.
    subnormal = float(ml_dtypes.finfo(actual.dtype).smallest_subnormal)
    return np.abs(long(actual) - truth) - allowed - truth.shape[-1] * subnormal


def assert_near(excess: NDArray, actual: NDArray, truth: NDArray, what: str) -> None:
    worst = np.unravel_index(np.argmax(excess), excess.shape)
    assert np.all(excess <= 0), (what, worst, actual[worst], truth[worst])
    assert truth.shape[-1] == 1 or np.any(truth != 0)


def draw(family: str, shape: tuple[int, int], dtype: np.dtype) -> tuple[NDArray, NDArray]:
    rng = fresh_rng()
    wide = FLOAT64 if dtype == FLOAT64 else FLOAT32
    return FAMILIES[family](rng, shape, wide).astype(dtype), (rng.standard_normal(shape) + 3.0).astype(dtype)


@dtypes
@products
@pytest.mark.parametrize("family", ["normal 1", "normal 5", "confident 17", "confident 40", "ties", "masked"])
def test_as_accurate_as_the_output_it_is_given(family, name, verb, dtype):
    if dtype == np.float16 and family == "confident 40":
        family = "confident 10"  # float16 has no exp(-40)
    for shape in SHAPES:
        x, v = draw(family, shape, dtype)
        output = getattr(sg, name)(x)
        given = long(output)
        with np.errstate(under="ignore"):
            p = given if name == "softmax" else np.exp(given)
            lacking = 1 - given if name == "softmax" else -np.expm1(given)
        actual = product(name, verb)(None, v, output=output)
        assert actual.dtype == dtype
        # Of the dtype that is worked in, and the rounding to two bytes.
        worked_in = eps_of(dtype) if dtype in DTYPES else eps_of(FLOAT32)
        excess = np.full(shape, np.longdouble(np.inf))
        # A row of p does not sum to 1, so the product depends on which of several is the most probable.
        for largest in most_probable(p):
            truth, scale = expected(name, verb, p, lacking, long(v), largest)
            allowed = 5 * worked_in * scale + 0.5 * eps_of(dtype) * np.abs(truth)
            of_rows = excess_of(actual, truth, allowed)
            better = of_rows.max(axis=-1) < excess.max(axis=-1)
            excess[better] = of_rows[better]
        assert_near(excess, actual, truth, f"{shape[1]} classes")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@products
@pytest.mark.parametrize("family", ["normal 1", "normal 5", "offset 1e4", "confident 17", "confident 40", "ties"])
def test_the_bound_of_the_product_from_the_argument(family, name, verb, dtype):
    for shape in SHAPES:
        x, v = draw(family, shape, dtype)
        p, y = exact.softmax(x), exact.log_softmax(x)
        lacking = 1 - p
        largest = np.argmax(x, axis=-1)[:, None]
        at_largest = np.take_along_axis(exact.gradient(x, largest[:, 0]), largest, axis=-1)
        np.put_along_axis(lacking, largest, -at_largest, axis=-1)
        truth, scale = expected(name, verb, p, lacking, long(v), largest)
        allowed = 8 * eps_of(dtype) * scale
        if name == "log_softmax":
            # A rounding of log p is abs(log p) roundings of p.
            size = np.abs(long(v))
            if verb == "vjp":
                of_p = np.abs(y) * p * size.sum(axis=-1, keepdims=True)
                np.put_along_axis(of_p, largest, np.longdouble(0), axis=-1)
            else:
                d = np.abs(long(v) - np.take_along_axis(long(v), largest, axis=-1))
                of_p = np.sum(np.abs(y) * p * d, axis=-1, keepdims=True)
            allowed = allowed + 2 * eps_of(dtype) * of_p
        actual = product(name, verb)(None, v, output=getattr(sg, name)(x))
        assert_near(excess_of(actual, truth, allowed), actual, truth, f"{shape[1]} classes")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("family", ["confident 17", "confident 40"])
def test_a_cotangent_of_log_softmax_at_the_most_probable_class(family, dtype):
    """The others add nothing that would hide what is lost in 1 - p."""
    for shape in SHAPES[1:]:
        x, _ = draw(family, shape, dtype)
        labels = np.argmax(x, axis=-1)
        v = np.zeros(shape, dtype)
        v[np.arange(len(x)), labels] = -1.0
        truth, y = exact.gradient(x, labels), exact.log_softmax(x)
        actual = product("log_softmax", "vjp")(None, v, output=sg.log_softmax(x))
        allowed = (8 + 2 * np.abs(y)) * eps_of(dtype) * np.abs(truth)
        assert_near(excess_of(actual, truth, allowed), actual, truth, f"{shape[1]} classes")


@dtypes
@products
def test_the_argument_is_not_read(name, verb, dtype):
    x, v = draw("normal 5", (70, 10), dtype)
    output = getattr(sg, name)(x)
    from_output = product(name, verb)(None, v, output=output)
    assert np.any(from_output != 0)
    unread = np.full(x.shape, np.nan).astype(dtype)
    np.testing.assert_array_equal(product(name, verb)(unread, v, output=output), from_output)


@dtypes
@products
@pytest.mark.parametrize("axis", [0, 1, (0, 2), None], ids=str)
@pytest.mark.parametrize("shape", [(4, 7, 5), (4, 90, 5)], ids=str)
def test_axes_layouts_and_out(shape, axis, name, verb, dtype):
    rng = fresh_rng()
    x, v = (rng.standard_normal((2, *shape))).astype(dtype)
    output = getattr(sg, name)(x, axis=axis)
    result = product(name, verb)(None, v, output=output, axis=axis)
    classes = tuple(range(3)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    moved = [np.moveaxis(each, classes, range(3 - len(classes), 3)) for each in (output, v, result)]
    rows = [each.reshape(-1, int(np.prod([shape[d] for d in classes]))) for each in moved]
    by_row = product(name, verb)(None, rows[1], output=rows[0])
    assert np.any(by_row != 0)
    np.testing.assert_array_equal(rows[2], by_row)
    for place in (output.copy(), np.asfortranarray(output), np.repeat(output, 2, axis=-1)[..., ::2]):
        assert product(name, verb)(None, v, output=place, axis=axis, out=place) is place
        np.testing.assert_array_equal(place, result)
    separate = np.full(shape, np.nan).astype(dtype)
    assert product(name, verb)(None, v, output=output, axis=axis, out=separate) is separate
    np.testing.assert_array_equal(separate, result)


@dtypes
@products
@pytest.mark.parametrize("classes", [7, 64, 100])
def test_classes_left_out_give_zero_whatever_they_hold(classes, name, verb, dtype):
    rng = fresh_rng()
    x, v = rng.standard_normal((2, 9, classes)).astype(dtype)
    where = rng.random((9, classes)) < 0.6
    where[:, :3], where[4] = True, False
    function = getattr(sg, name)
    output = function(x, where=where, temperature=1.5)
    options = {"where": where, "temperature": 1.5}
    result = product(name, verb)(None, v, output=output, **options)
    assert np.all(long(result)[~where] == 0)
    assert np.all((long(result) != 0).any(axis=1) == where.any(axis=1))
    for junk in (np.nan, np.inf, 0.5):
        struck_output, struck_v = np.where(where, output, np.asarray(junk, dtype)), v.copy()
        struck_v[~where] = junk
        np.testing.assert_array_equal(product(name, verb)(None, struck_v, output=struck_output, **options), result)
    for row in (0, 8):
        taken = where[row]
        alone = product(name, verb)(None, v[row, taken], output=output[row, taken], temperature=1.5)
        error = np.abs(long(result[row, taken]) - long(alone))
        assert np.all(error <= 8 * eps_of(dtype) * np.abs(long(v[row, taken])).max())


@dtypes
@products
@pytest.mark.parametrize("classes", [2, 64, 65])
def test_temperature_divides(classes, name, verb, dtype):
    x, v = draw("normal 1", (70, classes), dtype)
    output = getattr(sg, name)(x)
    plain, halved = (product(name, verb)(None, v, output=output, temperature=t) for t in (1.0, 2.0))
    assert np.any(plain != 0)
    # Other roundings, of what may cancel.
    assert np.all(np.abs(2 * long(halved) - long(plain)) <= 8 * eps_of(dtype) * np.abs(long(v)).sum(-1, keepdims=True))


@dtypes
@products
@pytest.mark.parametrize("classes", [1, 3, 64, 65, 700])
def test_a_row_without_probabilities_is_nan_and_no_other(classes, name, verb, dtype):
    x, v = draw("normal 1", (70, classes), dtype)
    lost = np.zeros(70, bool)
    lost[[0, 17, 69]] = True
    x[0], x[17, -1], x[69, 0] = -np.inf, np.nan, np.inf
    for temperature in (1.0, 1.5):
        output = getattr(sg, name)(x)
        assert np.all(np.isnan(long(output)[lost]))
        result = long(product(name, verb)(None, v, output=output, temperature=temperature))
        assert np.all(np.isnan(result[lost]))
        assert np.all(np.isfinite(result[~lost]))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@products
@pytest.mark.parametrize("classes", [4, 70])
def test_the_ends_of_the_range(classes, name, verb, dtype):
    """Differences of finite numbers, and their sums, may be beyond the range; their products with p are not."""
    largest = np.finfo(dtype).max * dtype.type(0.75)
    output = getattr(sg, name)(np.zeros((1, classes), dtype))
    p = np.longdouble(1) / classes
    # The sum of v has no such factor.
    v = np.full((1, classes), largest / dtype.type(classes if (name, verb) == ("log_softmax", "vjp") else 1))
    v[0, : classes // 2] *= -1
    result = product(name, verb)(None, v, output=output)
    truth = long(v) if name == "log_softmax" else p * long(v)
    assert np.all(np.abs(long(result) - truth) <= 8 * eps_of(dtype) * np.abs(truth).max())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("classes", [4, 70])
def test_a_sum_beyond_the_range_is_that_of_its_row_alone(classes, dtype):
    x, v = draw("normal 1", (16, classes), dtype)
    output = sg.log_softmax(x)
    v[3] = np.finfo(dtype).max
    with np.errstate(all="ignore"):
        together = sg.log_softmax.vjp(None, v, output=output)
    for row in range(16):
        alone = sg.log_softmax.vjp(None, v[row : row + 1], output=output[row : row + 1])
        np.testing.assert_array_equal(together[row], alone[0])
    assert np.all(np.isfinite(together[4]))


@products
def test_empty_shapes_and_lists(name, verb):
    for shape in ((0, 3), (3, 0)):
        x = np.empty(shape)
        assert product(name, verb)(None, x, output=x).shape == shape
    output = [0.5, 0.5] if name == "softmax" else [-np.log(2.0), -np.log(2.0)]
    result = product(name, verb)(None, [1, 0], output=output)
    signs = np.array([1.0, -1.0])
    half = 0.25 if name == "softmax" else 0.5
    assert np.all(np.abs(result - half * signs) <= 4 * eps_of(FLOAT64) * half)


@products
def test_what_is_refused(name, verb):
    what = "cotangent" if verb == "vjp" else "tangent"
    x, v = draw("normal 1", (4, 6), FLOAT32)
    output = getattr(sg, name)(x)
    call = product(name, verb)
    refused: list[tuple[type[Exception], str, tuple[Any, Any], dict[str, Any]]] = [
        (TypeError, "x is None; it may be where output is given", (None, v), {}),
        (ValueError, r"output has shape \(4, 6\); x has shape \(6, 4\)", (x.T, v), {"output": output}),
        (TypeError, "output has dtype float32; x has dtype float64", (x.astype(float), v), {"output": output}),
        (TypeError, "output has dtype complex64", (None, v), {"output": output.astype(np.complex64)}),
        (ValueError, rf"{what} has shape \(6, 4\); output has shape \(4, 6\)", (None, v.T), {"output": output}),
        (ValueError, "temperature", (None, v), {"output": output, "temperature": 0.0}),
        (ValueError, f"out overlaps {what}", (None, v), {"output": output, "out": v}),
        (ValueError, "out overlaps the input", (None, v), {"output": output, "out": output[::-1]}),
        (TypeError, "out has dtype float64", (None, v), {"output": output, "out": np.zeros((4, 6))}),
        (ValueError, "where has shape", (None, v), {"output": output, "where": np.ones(5, bool)}),
    ]
    kept = output.copy(), v.copy()
    for error, message, arguments, options in refused:
        with pytest.raises(error, match=message):
            call(*arguments, **options)
        np.testing.assert_array_equal(output, kept[0])
        np.testing.assert_array_equal(v, kept[1])
