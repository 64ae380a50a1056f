"""Memory layouts, axes and argument types: the same rows give the same bits however they lie."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.oracles.bounds import DTYPES
from tests.oracles.inputs import LANES, STRETCH, fresh_rng

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
ROW_FUNCTIONS = ["softmax", "log_softmax", "logsumexp", "hardmax"]
ELEMENTWISE = ["sigmoid", "log_sigmoid"]
row_functions = pytest.mark.parametrize("name", ROW_FUNCTIONS)
every_function = pytest.mark.parametrize("name", ROW_FUNCTIONS + ELEMENTWISE)


def fortran_order(x):
    return np.asfortranarray(x)


def strided(x):
    spread = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    spread[::2, ::3] = x
    return spread[::2, ::3]


def reversed_rows(x):
    return np.ascontiguousarray(x[::-1])[::-1]


def reversed_columns(x):
    return np.ascontiguousarray(x[:, ::-1])[:, ::-1]


def read_only(x):
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def not_aligned_to_vectors(x):
    memory = np.zeros(x.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + x.itemsize
    view = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    view[:] = x
    return view


def not_aligned_to_elements(x):
    packed = np.zeros(x.shape, np.dtype([("byte", np.uint8), ("value", x.dtype)]))
    packed["value"] = x
    return packed["value"]


def other_byte_order(x):
    return x.astype(x.dtype.newbyteorder())


LAYOUTS = [
    fortran_order,
    strided,
    reversed_rows,
    reversed_columns,
    read_only,
    not_aligned_to_vectors,
    not_aligned_to_elements,
    other_byte_order,
]


@dtypes
@every_function
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, name, dtype):
    function = getattr(sg, name)
    rng = fresh_rng()
    for shape in ((1, 1), (7, 3), (150, 10), (5, 70), (3, 700), (2, STRETCH + 7)):
        x = (5.0 * rng.standard_normal(shape)).astype(dtype)
        other = layout(x)
        np.testing.assert_array_equal(other, x)
        np.testing.assert_array_equal(function(other), function(x), strict=True)
        np.testing.assert_array_equal(other, x, err_msg="the input was written")


@dtypes
@row_functions
def test_broadcast_rows_and_classes(name, dtype):
    function = getattr(sg, name)
    rng = fresh_rng()
    row = rng.standard_normal(33).astype(dtype)
    rows = np.broadcast_to(row, (5, 33))
    np.testing.assert_array_equal(function(rows), np.stack([function(row)] * 5))
    column = rng.standard_normal((5, 1)).astype(dtype)
    np.testing.assert_array_equal(function(np.broadcast_to(column, (5, 33))), function(np.tile(column, (1, 33))))
    one = np.broadcast_to(dtype.type(2.5), (3, 4))
    np.testing.assert_array_equal(function(one), function(np.full((3, 4), 2.5, dtype)))


@dtypes
@row_functions
@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -2, -4])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 130, 2, 7), (70, 2, 67, 1)], ids=str)
def test_one_axis(shape, axis, name, dtype):
    function = getattr(sg, name)
    x = (5.0 * fresh_rng().standard_normal(shape)).astype(dtype)
    expected = function(np.ascontiguousarray(np.moveaxis(x, axis, -1)))
    result = function(x, axis=axis)
    if name != "logsumexp":
        result = np.moveaxis(result, axis, -1)
    np.testing.assert_array_equal(result, expected)


@dtypes
@row_functions
@pytest.mark.parametrize("axis", [(1, 2), (0, 3), (3, 0), (-1, -3), (0, 1, 2, 3), (2,), None], ids=str)
def test_several_axes(axis, name, dtype):
    function = getattr(sg, name)
    x = (5.0 * fresh_rng().standard_normal((2, 3, 4, 5))).astype(dtype)
    named = range(4) if axis is None else axis
    axes = sorted(each % 4 for each in named)
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    batch = moved.shape[: 4 - len(axes)]
    expected = function(np.ascontiguousarray(moved).reshape((*batch, -1)))
    result = function(x, axis=axis)
    if name == "logsumexp":
        np.testing.assert_array_equal(result, expected)
    else:
        np.testing.assert_array_equal(np.moveaxis(result, axes, range(-len(axes), 0)), expected.reshape(moved.shape))


@dtypes
def test_several_axes_of_a_strided_array(dtype):
    x = fresh_rng().standard_normal((4, 6, 8, 10)).astype(dtype)[::2, ::-1, 1::3]
    for name in ROW_FUNCTIONS:
        function = getattr(sg, name)
        for axis in ((0, 2), (1, 3), (0, 1, 3)):
            np.testing.assert_array_equal(function(x, axis=axis), function(x.copy(), axis=axis))


@dtypes
def test_keepdims(dtype):
    x = fresh_rng().standard_normal((2, 3, 4)).astype(dtype)
    for axis, shape in ((0, (1, 3, 4)), (-1, (2, 3, 1)), ((0, 2), (1, 3, 1)), (None, (1, 1, 1))):
        kept = sg.logsumexp(x, axis=axis, keepdims=True)
        assert kept.shape == shape
        np.testing.assert_array_equal(kept.ravel(), np.ravel(sg.logsumexp(x, axis=axis)))


@dtypes
def test_a_reduction_to_one_value_is_a_numpy_scalar(dtype):
    x = np.array([1.0, 2.0], dtype)
    for axis in (-1, 0, (0,), None):
        assert type(sg.logsumexp(x, axis=axis)) is dtype.type
    assert type(sg.logsumexp(x[None], axis=None)) is dtype.type
    assert type(sg.logsumexp.jvp(x, x)) is dtype.type


@dtypes
def test_a_single_number(dtype):
    x = dtype.type(3.0)
    assert sg.softmax(x, axis=None) == 1.0
    assert sg.log_softmax(x, axis=None) == 0.0
    assert sg.logsumexp(x, axis=None) == 3.0
    for name in ELEMENTWISE:
        result = getattr(sg, name)(x)
        assert type(result) is dtype.type
        assert result == getattr(sg, name)(np.array([x]))[0]


@every_function
def test_lists_and_integers_give_float64(name):
    function = getattr(sg, name)
    expected = function(np.array([[1.0, 3.0], [-2.0, 0.0]]))
    for given in (
        [[1, 3], [-2, 0]],
        [[1.0, 3.0], [-2.0, 0.0]],
        ((1, 3), (-2, 0)),
        np.array([[1, 3], [-2, 0]], np.int8),
        np.array([[1, 3], [-2, 0]], np.int64),
    ):
        result = function(given)
        assert result.dtype == np.float64
        np.testing.assert_array_equal(result, expected)
    unsigned = function(np.array([[1, 3], [250, 0]], np.uint8))
    np.testing.assert_array_equal(unsigned, function(np.array([[1.0, 3.0], [250.0, 0.0]])))


@every_function
@pytest.mark.parametrize(
    "x",
    [
        np.array([1.0 + 2.0j, 0.0]),
        np.array([1.0, 2.0], dtype=object),
        np.array(["1.0", "2.0"]),
        [1.0, None],
        np.array(["2020-01-01"], dtype="datetime64[D]"),
    ],
    ids=["complex", "object", "str", "None", "datetime"],
)
def test_what_is_not_real_is_refused(x, name):
    with pytest.raises(TypeError, match=r"x has dtype .*must be"):
        getattr(sg, name)(x)


@row_functions
@pytest.mark.parametrize("axis", [2, -3, (0, 2), (-3,)], ids=str)
def test_an_axis_out_of_range(axis, name):
    with pytest.raises(np.exceptions.AxisError):
        getattr(sg, name)(np.zeros((2, 3)), axis=axis)


@row_functions
def test_an_axis_given_twice(name):
    with pytest.raises(ValueError, match="axis"):
        getattr(sg, name)(np.zeros((2, 3)), axis=(0, -2))


@row_functions
@pytest.mark.parametrize("axis", [1.0, "0", (0, 1.5)], ids=str)
def test_an_axis_that_is_no_integer(axis, name):
    with pytest.raises(TypeError):
        getattr(sg, name)(np.zeros((2, 3)), axis=axis)


@every_function
def test_options_are_keyword_only(name):
    with pytest.raises(TypeError):
        getattr(sg, name)(np.zeros((2, 3)), 0)
    with pytest.raises(TypeError):
        getattr(sg, name)(x=np.zeros((2, 3)))


@dtypes
def test_a_row_does_not_depend_on_its_neighbours(dtype):
    rng = fresh_rng()
    for length in (3, 10, LANES[dtype] + 1, 700):
        x = (5.0 * rng.standard_normal((140, length))).astype(dtype)
        for name in ("softmax", "log_softmax", "logsumexp"):
            function = getattr(sg, name)
            whole = function(x)
            for i in (0, 1, 63, 64, 100, 139):
                np.testing.assert_array_equal(function(x[i]), whole[i])
                np.testing.assert_array_equal(function(x[i : i + 7])[0], whole[i])


@dtypes
def test_the_number_of_threads_does_not_matter(dtype):
    rng = fresh_rng()
    before = sg.get_num_threads()
    try:
        for shape in ((5000, 10), (300, 700), (3, 40000)):
            x = (5.0 * rng.standard_normal(shape)).astype(dtype)
            results = []
            for threads in (1, 2, 5):
                sg.set_num_threads(threads)
                results.append([getattr(sg, name)(x) for name in ("softmax", "log_softmax", "logsumexp", "sigmoid")])
            for other in results[1:]:
                for first, second in zip(results[0], other, strict=True):
                    np.testing.assert_array_equal(first, second)
    finally:
        sg.set_num_threads(before)
