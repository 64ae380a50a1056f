"""linear_cross_entropy: gradients written to, and added to, arrays of the caller."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import softgrad as sg
from softgrad.losses import LinearGradients
from tests.losses.test_linear_cross_entropy import draw, dtypes
from tests.oracles.bounds import FLOAT64
from tests.oracles.inputs import fresh_rng

SIZE = (50, 6, 40)
# All logits in one block, blocks of rows, blocks of classes.
block_sizes = pytest.mark.parametrize("block_bytes", [None, 24_000, 4096])


def filled(operands, value):
    hidden, weight, _, bias = operands
    return LinearGradients(*(np.full(each.shape, value, each.dtype) for each in (hidden, weight, bias)))


@dtypes
@block_sizes
def test_written_where_the_caller_says(block_bytes, dtype):
    rng = fresh_rng()
    operands = draw(rng, SIZE, dtype)
    operands.labels[::7] = -1
    options = {"ignore_index": -1, "block_bytes": block_bytes}
    loss, expected = sg.linear_cross_entropy.value_and_grad(*operands, **options)
    # What stood there has no part in it, not even where a row is ignored.
    out = filled(operands, np.nan)
    other, given = sg.linear_cross_entropy.value_and_grad(*operands, out=out, **options)
    assert other == loss
    for one, place, another in zip(given, out, expected, strict=True):
        assert one is place
        np.testing.assert_array_equal(one, another)
    # One of them, the others new; a plain tuple; grad.
    out = filled(operands, np.nan)
    given = sg.linear_cross_entropy.grad(*operands, out=(None, out.weight, None), **options)
    assert given.weight is out.weight
    for one, another in zip(given, expected, strict=True):
        np.testing.assert_array_equal(one, another)
    assert np.all(np.isnan(out.hidden))


@dtypes
@block_sizes
def test_added_to_what_is_there(block_bytes, dtype):
    rng = fresh_rng()
    operands = draw(rng, SIZE, dtype)
    operands.labels[::7] = -1
    options = {"ignore_index": -1, "block_bytes": block_bytes}
    expected = sg.linear_cross_entropy.grad(*operands, **options)
    before = [rng.standard_normal(each.shape).astype(dtype) for each in expected]
    out = LinearGradients(*(each.copy() for each in before))
    sg.linear_cross_entropy.grad(*operands, out=out, accumulate=True, **options)
    eps = np.finfo(dtype).eps
    for one, start, step in zip(out, before, expected, strict=True):
        np.testing.assert_allclose(one, start + step, rtol=0, atol=8 * eps * np.max(np.abs(start)))
        assert np.max(np.abs(one - start)) > 1e3 * eps
    np.testing.assert_array_equal(out.hidden[::7], before[0][::7])


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)], ids=str)
def test_two_bytes_are_added_to_in_float32_and_rounded_once(dtype):
    """A sum that is rounded after each block would stay at 1: each adds less than half of its last bit."""
    rows, eps = 500, float(ml_dtypes.finfo(dtype).eps)
    hidden, weight = np.ones((rows, 1), dtype), np.zeros((2, 1), dtype)
    out = LinearGradients(None, np.ones((2, 1), dtype), np.ones(2, dtype))
    # Each row adds 1/2 to the gradient of the class that is not its label.
    options = {"wrt": ("weight", "bias"), "normalizer": 8.0 * rows, "block_bytes": 4096}
    sg.linear_cross_entropy.grad(
        hidden, weight, np.zeros(rows, int), np.zeros(2, dtype), out=out, accumulate=True, **options
    )
    np.testing.assert_array_equal(out.weight.astype(float)[:, 0], [0.9375, 1.0625])
    np.testing.assert_array_equal(out.bias.astype(float), [0.9375, 1.0625])
    assert 1.0 / 16.0 > eps > 1.0 / (16.0 * rows)


@dtypes
@block_sizes
def test_places_of_any_layout(block_bytes, dtype):
    operands = draw(fresh_rng(), SIZE, dtype)
    expected = sg.linear_cross_entropy.grad(*operands, block_bytes=block_bytes)
    room = filled(operands, np.nan)
    layouts = [
        LinearGradients(*(np.asfortranarray(each) for each in room)),
        LinearGradients(*(np.repeat(each, 2, axis=-1)[..., ::2] for each in room)),
        LinearGradients(*(each[::-1] for each in room)),
    ]
    eps = 64 * np.finfo(dtype).eps
    for out in layouts:
        assert not out.weight.flags.c_contiguous
        sg.linear_cross_entropy.grad(*operands, out=out, block_bytes=block_bytes)
        for one, another in zip(out, expected, strict=True):
            np.testing.assert_allclose(one, another, rtol=0, atol=eps * np.max(np.abs(another)))


def test_no_row_counts():
    operands = draw(fresh_rng(), SIZE, FLOAT64)
    operands.labels[:] = -1
    out = filled(operands, np.nan)
    assert sg.linear_cross_entropy.value_and_grad(*operands, ignore_index=-1, out=out)[0] == 0.0
    for place in out:
        np.testing.assert_array_equal(place, 0.0)
    out = filled(operands, 3.0)
    sg.linear_cross_entropy.grad(*operands, ignore_index=-1, out=out, accumulate=True)
    for place in out:
        np.testing.assert_array_equal(place, 3.0)


def errors():
    hidden, weight, labels, bias = np.ones((4, 2)), np.ones((3, 2)), np.array([0, 1, 2, 0]), np.ones(3)
    good = np.full((3, 2), 7.0)
    read_only = np.full((3, 2), 7.0)
    read_only.flags.writeable = False
    large, by_class = np.full(20, 7.0), np.full(3, 7.0)
    of_hidden, across = np.full((4, 2), 7.0), (large[:8].reshape(4, 2), large[2:8].reshape(3, 2), None)
    return [
        (TypeError, "out must be a tuple of three", {"out": good}),
        (TypeError, "out must be a tuple of three", {"out": (good, good)}),
        (ValueError, r"out\.weight: .*shape \(4, 2\)", {"out": (None, np.full((4, 2), 7.0), None)}),
        (TypeError, r"out\.weight: .*dtype float32", {"out": (None, np.full((3, 2), 7.0, np.float32), None)}),
        (TypeError, r"out\.weight: .*must be a NumPy array", {"out": (None, [[7.0] * 2] * 3, None)}),
        (ValueError, r"out\.weight: .*read-only", {"out": (None, read_only, None)}),
        (ValueError, r"out\.weight: out overlaps weight", {"out": (None, weight, None)}),
        (ValueError, r"out\.hidden: out overlaps hidden", {"out": (hidden, None, None)}),
        (ValueError, r"out\.bias: .* class_weight", {"out": (None, None, by_class), "class_weight": by_class}),
        (ValueError, r"out\.weight: out overlaps out\.hidden", {"out": across}),
        (ValueError, r"out\.weight is given, and wrt does not", {"out": (None, good, None), "wrt": ("hidden",)}),
        (ValueError, r"out\.bias is given, and there is no bias", {"out": (None, None, np.full(3, 7.0)), "bias": None}),
        (ValueError, r"accumulate=True .* out\.weight is not", {"out": (of_hidden, None, None), "accumulate": True}),
        (ValueError, r"accumulate=True .* out\.hidden is not given", {"accumulate": True}),
        # Something else is wrong, and is found first.
        (ValueError, r"labels\[1\] is 3", {"out": (None, good, None), "labels": np.array([0, 3, 0, 0])}),
        (ValueError, "upstream has shape", {"out": (None, good, None), "upstream": np.ones(3)}),
    ], (hidden, weight, labels, bias)  # fmt: skip


@pytest.mark.parametrize("number", range(len(errors()[0])))
def test_errors_come_before_the_first_write(number):
    cases, (hidden, weight, labels, bias) = errors()
    error, match, options = cases[number]
    given = [each for each in options.get("out", ()) if isinstance(each, np.ndarray)]
    before = [each.copy() for each in given]
    labels, bias = options.pop("labels", labels), options.pop("bias", bias)
    with pytest.raises(error, match=match):
        sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, bias, **options)
    for place, was in zip(given, before, strict=True):
        np.testing.assert_array_equal(place, was)
