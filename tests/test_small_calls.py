"""Small calls: whatever an argument is made of, the bits and the errors of a plain array; and what a call costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

import softgrad as sg
from softgrad import _core, _native
from tests.oracles.inputs import fresh_rng

FUNCTIONS = ["softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid"]
ROW_FUNCTIONS = ["softmax", "log_softmax", "logsumexp"]
# In two bytes every value is one of a few, so that each dtype below can hold it.
VALUES = np.arange(-15.0, 15.0).reshape(3, 10) / 4.0


class Subclass(np.ndarray):
    """One that would change what NumPy's own functions give."""

    def __array_finalize__(self, _: Any) -> None:
        self.setflags(write=False)


def unaligned(array: NDArray[Any]) -> NDArray[Any]:
    memory = np.zeros(array.nbytes + 1, np.uint8)
    moved = memory[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    assert not moved.flags.aligned
    return moved


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    copy = array.copy()
    copy.setflags(write=False)
    return copy


# The same numbers in other clothes.
KINDS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "subclass": lambda x: x.copy().view(Subclass),
    "byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "unaligned": unaligned,
    "read-only": read_only,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1],
    "Fortran": np.asfortranarray,
}

kinds = pytest.mark.parametrize("kind", KINDS)
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])


def same_bits(got: Any, expected: Any) -> None:
    assert type(got) is type(expected)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


@kinds
@dtypes
@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_clothes_same_bits(name: str, dtype: type, kind: str) -> None:
    function = getattr(sg, name)
    for rows in (1, 3):
        x = VALUES[:rows].astype(dtype)
        same_bits(function(KINDS[kind](x)), function(x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lists_and_integers_are_taken_as_float64(name: str) -> None:
    function = getattr(sg, name)
    x = np.arange(-6.0, 6.0).reshape(2, 6)
    expected = function(x)
    same_bits(function(x.tolist()), expected)
    for dtype in (np.int8, np.int32, np.int64, np.longlong):
        same_bits(function(x.astype(dtype)), expected)
    same_bits(function([True, False]), function(np.array([1.0, 0.0])))
    # The core reads bfloat16 as these.
    same_bits(function(np.arange(6, dtype=np.uint16)), function(np.arange(6.0)))


@pytest.mark.parametrize("dtype", ["c8", "O", "U4", "S4", "M8[s]", "f4,f4"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_not_real_is_refused(name: str, dtype: str) -> None:
    with pytest.raises(
        TypeError, match=r"^x has dtype .*; it must be float64, float32, float16, bfloat16 or an integer"
    ):
        getattr(sg, name)(np.zeros((1, 10), dtype))


@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_every_way_to_name_the_last_axis(name: str) -> None:
    function = getattr(sg, name)
    x = VALUES.astype(np.float32)
    expected = function(x)
    for axis in (1, np.int64(-1), (1,), (-1,)):
        same_bits(function(x, axis=axis), expected)
    columns = np.ascontiguousarray(x.T)
    across = function(columns, axis=0)
    assert across.T.tobytes() == expected.tobytes()
    for axis in (-2, (0,), np.int8(0)):
        same_bits(function(columns, axis=axis), across)
    flat = function(x.reshape(-1))
    for axis in (None, (0, 1), (1, 0)):
        assert function(x, axis=axis).tobytes() == flat.tobytes()


@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_an_axis_that_is_none(name: str) -> None:
    function = getattr(sg, name)
    for x in (VALUES, VALUES.astype(np.float32), VALUES.tolist()):
        for axis in (2, -3, (0, 2)):
            with pytest.raises(np.exceptions.AxisError, match=r"out of bounds for array of dimension 2"):
                function(x, axis=axis)
        with pytest.raises(ValueError, match="repeated axis"):
            function(x, axis=(1, -1))
        with pytest.raises(TypeError):
            function(x, axis=1.0)
    with pytest.raises(np.exceptions.AxisError, match="axis -1 is out of bounds for array of dimension 0"):
        function(np.float32(1.0))


def test_values_without_axes_and_empty_ones() -> None:
    for dtype in (np.float32, np.float64):
        same_bits(sg.sigmoid(dtype(0.0)), dtype(0.5))
        same_bits(sg.softmax(dtype(3.0), axis=None), dtype(1.0))
        same_bits(sg.softmax(np.empty((0, 10), dtype)), np.empty((0, 10), dtype))
        same_bits(sg.softmax(np.empty((2, 0), dtype)), np.empty((2, 0), dtype))
        same_bits(sg.logsumexp(np.empty((2, 0), dtype)), np.full(2, -np.inf, dtype))
        same_bits(sg.cross_entropy(np.empty((0, 10), dtype), np.empty(0, int)), dtype(0.0))


def test_a_new_result_owns_its_memory_and_out_is_returned() -> None:
    x = VALUES.astype(np.float32)
    for name in ("softmax", "log_softmax", "sigmoid", "log_sigmoid"):
        function = getattr(sg, name)
        expected, out = function(x), np.full_like(x, 7.0)
        assert not np.shares_memory(expected, x)
        assert function(x, out=out) is out
        same_bits(out, expected)
        place = x.copy()
        assert function(place, out=place) is place
        same_bits(place, expected)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sigmoid", "log_sigmoid"])
def test_an_out_that_cannot_take_the_result(name: str) -> None:
    function = getattr(sg, name)
    x = VALUES.astype(np.float32)
    memory = np.full(64, 7.0, np.float32)
    memory[2:32] = x.reshape(-1)
    kept = memory.copy()
    overlapping = (memory[2:32].reshape(3, 10), memory[1:31].reshape(3, 10))
    one_place = np.ndarray((3, 10), np.float32, memory, strides=(4, 4))
    refused = [
        (TypeError, "out must be a NumPy array, got list", x, [[0.0] * 10] * 3),
        (TypeError, "out has dtype float64; the result has dtype float32", x, np.zeros((3, 10))),
        (TypeError, "out has dtype >f4; the result has dtype float32", x, np.zeros((3, 10), ">f4")),
        (ValueError, r"out has shape \(10,\); the result has shape \(3, 10\)", x, memory[:10]),
        (ValueError, "out is read-only", x, read_only(memory[:30].reshape(3, 10))),
        (ValueError, "out is not aligned to its elements", x, unaligned(memory[:30].reshape(3, 10))),
        (ValueError, r"several elements at one place .* strides \(4, 4\)", x, one_place),
        (ValueError, "out overlaps the input without being the same elements", *overlapping),
    ]
    for error, match, given, out in refused:
        before = np.array(out)
        with pytest.raises(error, match=match):
            function(given, out=out)
        np.testing.assert_array_equal(np.array(out), before)
    np.testing.assert_array_equal(memory, kept)


@pytest.mark.parametrize("value", [0, -1.0, np.float32(np.nan), "1", None, np.inf], ids=repr)
def test_a_temperature_that_is_none(value: Any) -> None:
    error = TypeError if value is None or isinstance(value, str) else ValueError
    said = "must be a number, got" if error is TypeError else r"is [-a-z0-9.]+; it must be positive and finite"
    for x in (VALUES, VALUES.tolist()):
        with pytest.raises(error, match=f"^temperature {said}"):
            sg.softmax(x, temperature=value)


def test_numbers_of_any_type() -> None:
    x = VALUES.astype(np.float32)
    expected = sg.softmax(x, temperature=2.0)
    for value in (2, np.float32(2.0), np.float64(2.0), np.array(2.0), np.int8(2)):
        same_bits(sg.softmax(x, temperature=value), expected)
    for value in (1, True, np.float64(1.0)):
        same_bits(sg.softmax(x, temperature=value), sg.softmax(x))


LABEL_KINDS: dict[str, Callable[[NDArray[np.int64]], Any]] = {
    **{np.dtype(code).name: (lambda y, code=code: y.astype(code)) for code in "bhilqBHILQ"},
    "list": lambda y: y.tolist(),
    "byte order": lambda y: y.astype(y.dtype.newbyteorder()),
    "unaligned": unaligned,
    "read-only": read_only,
    "strided": lambda y: np.repeat(y, 3)[::3],
    "reversed": lambda y: y[::-1].copy()[::-1],
    "subclass": lambda y: y.copy().view(Subclass),
}


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_labels_in_other_clothes(kind: str) -> None:
    rng = fresh_rng()
    for rows in (1, 32):
        x = rng.normal(scale=3.0, size=(rows, 10)).astype(np.float32)
        labels = rng.integers(0, 10, size=rows)
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels)
        got = sg.cross_entropy.value_and_grad(x, LABEL_KINDS[kind](labels))
        same_bits(got[0], loss)
        same_bits(got[1], gradient)
        same_bits(sg.cross_entropy(x, LABEL_KINDS[kind](labels)), loss)


@dtypes
@pytest.mark.parametrize("shape", [(10,), (1, 10), (32, 10), (3, 1), (2, 3, 70)], ids=str)
def test_a_plain_loss_has_the_bits_of_one_with_an_option(shape: tuple[int, ...], dtype: type) -> None:
    rng = fresh_rng()
    x = rng.normal(scale=3.0, size=shape).astype(dtype)
    labels = rng.integers(0, shape[-1], size=shape[:-1])
    for kind in KINDS.values():
        given = kind(x)
        loss, gradient = sg.cross_entropy.value_and_grad(given, labels)
        general = sg.cross_entropy.value_and_grad(given, labels, temperature=1.0)
        same_bits(loss, general[0])
        same_bits(gradient, general[1])
        same_bits(sg.cross_entropy(given, labels), loss)
        same_bits(sg.cross_entropy(given, labels, axis=-1), loss)


@pytest.mark.parametrize("verb", ["vjp", "jvp"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@dtypes
def test_a_plain_product_of_the_output_has_the_bits_of_one_with_an_option(dtype: type, name: str, verb: str) -> None:
    rng = fresh_rng()
    product = getattr(getattr(sg, name), verb)
    for shape in ((10,), (1, 10), (32, 10), (2, 3, 70)):
        x, v = rng.normal(scale=3.0, size=(2, *shape)).astype(dtype)
        output = getattr(sg, name)(x)
        expected = product(None, v, output=output, axis=(-1,))
        for kind in KINDS.values():
            same_bits(product(None, kind(v), output=output), expected)
            same_bits(product(None, v, output=kind(output)), expected)
            same_bits(product(None, v, output=kind(output), axis=-1), expected)
        out = np.zeros_like(output)
        assert product(None, v, output=output, out=out) is out
        same_bits(out, expected)
        place = output.copy()
        assert product(None, v, output=place, out=place) is place
        same_bits(place, expected)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_a_product_of_the_output_that_cannot_be_made(name: str) -> None:
    product = getattr(sg, name).vjp
    output = getattr(sg, name)(VALUES.astype(np.float32))
    v = np.ones_like(output)
    memory = np.zeros(64, np.float32)
    memory[2:32] = 1.0
    inside = memory[2:32].reshape(3, 10)
    for error, match, given, out in (
        (ValueError, r"cotangent has shape \(10,\)", v[0], None),
        (TypeError, "cotangent has dtype complex64", v.astype(np.complex64), None),
        (ValueError, "out overlaps cotangent", inside, memory[1:31].reshape(3, 10)),
        (ValueError, "out overlaps cotangent", inside, inside),
        (TypeError, "out has dtype float64", v, np.zeros((3, 10))),
    ):
        before = memory.copy()
        with pytest.raises(error, match=match):
            product(None, given, output=output, out=out)
        np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize("shape", [(), (3,), (2, 1), (1, 2), (2, 10)], ids=str)
def test_labels_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    for verb in (sg.cross_entropy, sg.cross_entropy.value_and_grad):
        with pytest.raises(ValueError, match=r"^labels has shape .*; for class indices it must be \(2,\)"):
            verb(np.zeros((2, 10), np.float32), np.zeros(shape, np.int64))


@pytest.mark.parametrize("kind", LABEL_KINDS)
def test_the_first_bad_label_is_named(kind: str) -> None:
    x = np.zeros((6, 10), np.float32)
    labels = np.array([3, 9, 4, 10, 0, 11])
    with pytest.raises(ValueError, match=r"^labels\[3\] is 10; logits have 10 classes \(0 to 9\)$"):
        sg.cross_entropy(x, LABEL_KINDS[kind](labels))
    with pytest.raises(ValueError, match=r"^labels\[5\] is 11; logits have 10 classes \(0 to 9\)$"):
        sg.cross_entropy(x, LABEL_KINDS[kind](labels), ignore_index=10)
    counting = sg.cross_entropy(x, LABEL_KINDS[kind](np.minimum(labels, 10)), ignore_index=10, reduction="none")
    assert (counting == 0.0).tolist() == [False, False, False, True, False, True]


@pytest.mark.parametrize("extreme", [-1, -(2**63), 2**63 - 1, 2**63, 2**64 - 1])
def test_labels_at_the_ends_of_their_dtype(extreme: int) -> None:
    labels = np.array([0, extreme], np.uint64 if extreme >= 2**63 else np.int64)
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match=rf"^labels\[1\] is {extreme}; logits have 3 classes"):
        sg.cross_entropy(x, labels)
    same_bits(sg.cross_entropy(x, labels, ignore_index=extreme), sg.cross_entropy(x[:1], labels[:1]))
    with pytest.raises(ValueError, match=rf"^labels\[1\] is {extreme}; logits have 3 classes"):
        sg.cross_entropy(x, labels, ignore_index=extreme - 2**64 if extreme >= 2**63 else extreme + 2**64)


def test_the_mean_is_rounded_once_and_without_a_warning() -> None:
    """To inf beyond the range of the dtype, whatever NumPy is told to do about an overflow."""
    x = np.array([[0.0, -3e38], [0.0, -3e38]], np.float32)
    with np.errstate(all="raise"):
        assert sg.cross_entropy(x, [1, 1], reduction="sum") == np.inf
        same_bits(sg.cross_entropy(x, [1, 1]), np.float32(3e38))
    losses = sg.cross_entropy(VALUES, [1, 5, 9], reduction="none")
    narrow = sg.cross_entropy(VALUES.astype(np.float32), [1, 5, 9])
    assert abs(narrow - losses.mean()) <= np.spacing(narrow)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_loss_is_one_call_of_the_core(reduction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def recorded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            called.append(name)
            return function(*args, **kwargs)

        return call

    for name in _native.__all__:
        function = getattr(_native, name)
        if function is getattr(_core, name, None):
            monkeypatch.setattr(_native, name, recorded(name, function))
    x, labels = VALUES.astype(np.float32), np.array([3, 9, 4])
    for options in ({}, {"axis": -1}, {"ignore_index": -1}, {"axis": -1, "label_smoothing": 0.1, "z_loss": 0.1}):
        plain = reduction == "mean" and options in ({}, {"axis": -1})
        expected = "cross_entropy_if_plain" if plain else "cross_entropy_loss"
        for verb in (sg.cross_entropy, sg.cross_entropy.value_and_grad):
            called.clear()
            verb(x, labels, reduction=reduction, **options)
            assert called == [expected]
        called.clear()
        sg.cross_entropy.jvp(x, labels, x, reduction=reduction, **options)
        assert called == ["cross_entropy_loss"]


def seconds(call: Callable[[], object]) -> float:
    """The least time of a call, which is that of one that nothing has disturbed."""
    best = np.inf
    for _ in range(400):
        start = time.perf_counter()
        for _ in range(50):
            call()
        best = min(best, time.perf_counter() - start)
    return best / 50


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "empty_calls"), [("softmax", 150), ("log_softmax", 150), ("logsumexp", 150), ("sigmoid", 100)]
)
def test_what_a_small_call_costs(name: str, empty_calls: int) -> None:
    """Relative to a native call that does nothing; the bounds are about twice what was measured."""
    function = getattr(sg, name)
    x = np.zeros((1, 10), np.float32)
    assert seconds(lambda: function(x)) < empty_calls * seconds(_core.get_num_threads)


@pytest.mark.slow
def test_what_a_small_loss_costs() -> None:
    x, labels = np.zeros((1, 10), np.float32), np.array([3])
    out = np.empty_like(x)
    empty = seconds(_core.get_num_threads)
    assert seconds(lambda: sg.cross_entropy(x, labels)) < 500 * empty
    assert seconds(lambda: sg.cross_entropy.value_and_grad(x, labels, out=out)) < 700 * empty
