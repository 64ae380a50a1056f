"""out=: where results may go, and what is refused before anything is written."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.oracles.bounds import DTYPES
from tests.oracles.inputs import STRETCH, fresh_rng

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
functions = pytest.mark.parametrize("name", ["softmax", "log_softmax", "sigmoid", "log_sigmoid"])
SHAPES = [(150, 10), (5, 70), (3, STRETCH + 7)]


def draw(shape, dtype):
    return (5.0 * fresh_rng().standard_normal(shape)).astype(dtype)


@dtypes
@functions
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_separate_strided_and_in_place(shape, name, dtype):
    function = getattr(sg, name)
    x = draw(shape, dtype)
    expected = function(x)
    separate = np.full(shape, np.nan, dtype)
    spread = np.full((shape[0], 2 * shape[1]), 7.0, dtype)
    targets = {
        "separate": separate,
        "Fortran order": np.full(shape, np.nan, dtype, order="F"),
        "strided": spread[:, ::2],
        "reversed": np.full(shape, np.nan, dtype)[::-1, ::-1],
    }
    for what, out in targets.items():
        assert function(x, out=out) is out
        np.testing.assert_array_equal(out, expected, err_msg=what)
    np.testing.assert_array_equal(spread[:, 1::2], 7.0)
    for what, place in {"in place": x.copy(), "Fortran": np.asfortranarray(x), "strided": np.repeat(x, 2, 1)}.items():
        view = place[:, ::2] if what == "strided" else place
        assert function(view, out=view) is view
        np.testing.assert_array_equal(view, expected, err_msg=what)


@dtypes
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, (0, 2), None], ids=str)
def test_in_place_along_any_axis(axis, name, dtype):
    function = getattr(sg, name)
    x = draw((4, 70, 5), dtype)
    expected = function(x, axis=axis)
    place = x.copy()
    function(place, axis=axis, out=place)
    np.testing.assert_array_equal(place, expected)


@dtypes
@functions
def test_out_without_a_size(name, dtype):
    for shape in ((0, 3), (3, 0)):
        out = np.empty(shape, dtype)
        assert getattr(sg, name)(np.empty(shape, dtype), out=out) is out


def refuse(error, match, function, x, out):
    """The call fails, and neither the input nor the output has changed."""
    x_before, out_before = np.array(x), np.array(out)
    with pytest.raises(error, match=match):
        function(x, out=out)
    np.testing.assert_array_equal(np.array(x), x_before)
    np.testing.assert_array_equal(np.array(out), out_before)


@functions
def test_wrong_shape_and_dtype(name):
    function = getattr(sg, name)
    x = draw((4, 6), np.dtype(np.float32))
    for shape in ((4, 5), (6, 4), (4, 6, 1), (1, 4, 6), (24,), ()):
        refuse(ValueError, r"out has shape", function, x, np.full(shape, 7.0, np.float32))
    for dtype in (np.float64, np.float16, np.int32, np.complex64, np.dtype(np.float32).newbyteorder()):
        refuse(TypeError, r"out has dtype", function, x, np.full((4, 6), 7, dtype))
    refuse(TypeError, r"out", function, [[1, 2]], np.full((1, 2), 7, np.int64))


@functions
def test_something_else_than_an_array(name):
    with pytest.raises(TypeError, match="out"):
        getattr(sg, name)([1.0, 2.0], out=[0.0, 0.0])


@functions
def test_read_only(name):
    out = np.full((4, 6), 7.0)
    out.flags.writeable = False
    refuse(ValueError, "read-only", getattr(sg, name), draw((4, 6), np.dtype(np.float64)), out)


@functions
def test_one_place_for_many_elements(name):
    x = draw((4, 6), np.dtype(np.float64))
    out = np.lib.stride_tricks.as_strided(np.full(6, 7.0), (4, 6), (0, 8))
    refuse(ValueError, "out", getattr(sg, name), x, out)


@functions
def test_windows_that_overlap_each_other(name):
    x = draw((4, 6), np.dtype(np.float64))
    out = np.lib.stride_tricks.sliding_window_view(np.full(9, 7.0), 6, writeable=True)
    refuse(ValueError, "out", getattr(sg, name), x, out)


@dtypes
@functions
def test_overlap_that_would_read_what_was_written(name, dtype):
    function = getattr(sg, name)
    memory = draw((7, 7), dtype)
    cases = {
        "shifted by a row": (memory[:-1], memory[1:]),
        "shifted by an element": (memory.ravel()[:-1], memory.ravel()[1:]),
        "transposed": (memory, memory.T),
        "reversed": (memory, memory[::-1]),
        "other stride": (memory.ravel()[:7], memory.ravel()[:14:2]),
    }
    for what, (x, out) in cases.items():
        before = memory.copy()
        with pytest.raises(ValueError, match="overlap"):
            function(x, out=out)
        np.testing.assert_array_equal(memory, before, err_msg=what)


@dtypes
@functions
def test_interleaved_without_overlap(name, dtype):
    function = getattr(sg, name)
    memory = draw((6, 20), dtype)
    x, out = memory[:, ::2], memory[:, 1::2]
    kept = x.copy()
    function(x, out=out)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(out, function(kept))


# Products with vectors: the arguments after x, by name.
PRODUCTS = {
    ("softmax", "jvp"): ("tangent",),
    ("softmax", "vjp"): ("cotangent",),
    ("softmax", "hvp"): ("cotangent", "vector"),
    ("log_softmax", "jvp"): ("tangent",),
    ("log_softmax", "vjp"): ("cotangent",),
    ("log_softmax", "hvp"): ("cotangent", "vector"),
    ("logsumexp", "hvp"): ("row", "vector"),
    ("cross_entropy", "hvp"): ("labels", "vector"),
}
products = pytest.mark.parametrize(("name", "verb"), PRODUCTS, ids="-".join)


def product_arguments(name, verb, shape, dtype):
    others = {"row": lambda: draw(shape[:1], dtype), "labels": lambda: fresh_rng().integers(shape[1], size=shape[0])}
    return [others.get(argument, lambda: draw(shape, dtype))() for argument in PRODUCTS[name, verb]]


@dtypes
@products
@pytest.mark.parametrize("shape", [(150, 10), (3, STRETCH + 7)], ids=str)
def test_products_into_out(shape, name, verb, dtype):
    product = getattr(getattr(sg, name), verb)
    x, arguments = draw(shape, dtype), product_arguments(name, verb, shape, dtype)
    expected = product(x, *arguments)
    assert np.any(expected != 0.0)
    for out in (np.full(shape, np.nan, dtype), np.full(shape, np.nan, dtype, order="F"), x.copy()):
        logits = x if np.isnan(out).any() else out
        assert product(logits, *arguments, out=out) is out
        np.testing.assert_array_equal(out, expected)
    narrow, wide = x.astype(np.float32), [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arguments]
    out = np.full(shape, np.nan, np.float32)
    np.testing.assert_array_equal(product(narrow, *wide, out=out), product(narrow, *wide))


@products
def test_products_do_not_write_over_their_vectors(name, verb):
    product = getattr(getattr(sg, name), verb)
    x, arguments = draw((5, 70), np.float64), product_arguments(name, verb, (5, 70), np.float64)
    for argument, value in zip(PRODUCTS[name, verb], arguments, strict=True):
        if value.shape != x.shape:
            continue
        before = value.copy()
        with pytest.raises(ValueError, match=f"out overlaps {argument}"):
            product(x, *arguments, out=value)
        np.testing.assert_array_equal(value, before)
    with pytest.raises(TypeError, match="out has dtype float32"):
        product(x, *arguments, out=np.empty(x.shape, np.float32))


def test_the_gradient_of_logsumexp_into_out():
    x = draw((5, 70), np.float64)
    out = x.copy()
    assert sg.logsumexp.vjp(out, np.arange(5.0), out=out) is out
    np.testing.assert_array_equal(out, sg.logsumexp.vjp(x, np.arange(5.0)))
