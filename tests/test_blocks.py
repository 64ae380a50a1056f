"""What is worked out in blocks: the same bits wherever they are cut, and nothing written before the last check."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from softgrad import _blocks, _chunks, _native
from softgrad._blocks import blocks
from softgrad.losses import _total
from softgrad.losses._total import Total, total
from tests.bit_cases import bits
from tests.memory_cases import cases
from tests.oracles.bounds import DTYPES
from tests.oracles.half import HALF_DTYPES
from tests.oracles.inputs import fresh_rng

SHAPES = [((), ()), ((7,), ()), ((7,), (0,)), ((40, 9), (1,)), ((40, 9), (0,)), ((3, 5, 4, 6), (1, 3))]
SHAPES += [((3, 5, 4, 6), ()), ((3, 5, 4, 6), (2,)), ((0, 4), (1,)), ((4, 0), (1,)), ((4, 0), (0,)), ((5, 0, 3), (2,))]


@pytest.mark.parametrize("size", [1, 16, 64, 10**6])
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_blocks_have_every_row_once(monkeypatch, shape, axes, size):
    monkeypatch.setattr(_blocks, "CHUNK", size)
    array = np.arange(float(np.prod(shape))).reshape(shape)
    batch = tuple(n for d, n in enumerate(shape) if d not in axes)
    numbers = np.arange(int(np.prod(batch)))
    expected = np.moveaxis(array, axes, range(array.ndim - len(axes), array.ndim)).reshape(
        numbers.size, int(np.prod([shape[d] for d in axes]))
    )
    written = np.full(shape, -1.0)
    seen = [np.empty(0, int)]
    for block in blocks(shape, axes):
        rows = block.rows(array)
        part = numbers[block.part]
        np.testing.assert_array_equal(block.numbers(numbers.reshape(batch)).ravel(), part)
        np.testing.assert_array_equal(rows.reshape(part.size, expected.shape[1]), expected[part])
        assert rows.size <= max(size, expected.shape[1])
        block.write(rows + 0.5, written)
        seen.append(part)
    np.testing.assert_array_equal(np.concatenate(seen), numbers)
    np.testing.assert_array_equal(written, array + 0.5)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", [*DTYPES, np.dtype(np.float16)], ids=str)
def test_the_same_bits_wherever_blocks_are_cut(monkeypatch, dtype, axis):
    calls = {name: call for name, call in cases(dtype, axis, 23).items() if "." in name}
    monkeypatch.setattr(_blocks, "CHUNK", 2**30)
    whole = {name: call() for name, call in calls.items()}
    for size in (1024, 5 * 1024):
        monkeypatch.setattr(_blocks, "CHUNK", size)
        monkeypatch.setattr(_chunks, "CHUNK", size)
        for name, call in calls.items():
            one, other = call(), whole[name]
            parts = [each if isinstance(each, tuple) else (each,) for each in (one, other)]
            assert bits(parts[0]) == bits(parts[1]), (name, size)


def test_a_sum_in_parts_has_the_bits_of_all_at_once(monkeypatch):
    monkeypatch.setattr(_total, "CHUNK", 256)
    rng = fresh_rng()
    for count in (0, 1, 255, 256, 257, 5000):
        numbers = rng.standard_normal(count) * 10.0 ** rng.uniform(-8, 8, count)
        parts = Total()
        for part in np.split(numbers, np.sort(rng.integers(0, count + 1, 7))):
            parts.add(part)
        assert parts.value() == _native.sum(numbers)
        assert total(numbers[::-1]) == _native.sum(np.ascontiguousarray(numbers[::-1]))
    for special in (np.inf, -np.inf, np.nan):
        parts = Total()
        parts.add(np.append(np.ones(300), special))
        parts.add(np.ones(300))
        np.testing.assert_equal(parts.value(), special)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["quadratic", "binary_cross_entropy", "kl_divergence", "focal"])
def test_in_place_over_many_blocks(monkeypatch, name, dtype):
    monkeypatch.setattr(_blocks, "CHUNK", 64)
    rng = fresh_rng()
    x = rng.standard_normal((300, 9)).astype(dtype)
    targets = rng.integers(9, size=300) if name == "focal" else rng.uniform(size=(300, 9)).astype(dtype)
    loss, gradient = getattr(sg, name).value_and_grad(x, targets)
    place = np.asfortranarray(x)
    again, written = getattr(sg, name).value_and_grad(place, targets, out=place)
    assert written is place
    assert again == loss
    np.testing.assert_array_equal(place, gradient)
    assert np.all(np.abs(gradient).max(axis=1) > 0.0)


def test_the_last_element_is_checked_before_the_first_is_written(monkeypatch):
    monkeypatch.setattr(_chunks, "CHUNK", 64)
    x = np.asfortranarray(np.ones((50, 7)))
    before = x.copy()
    for order in ("C", "F"):
        wrong = np.full((50, 7), 0.5, np.float32, order=order)
        wrong[49, 5] = -0.25
        with pytest.raises(ValueError, match=r"targets\[49, 5\] is -0.25; it must be in \[0, 1\]"):
            sg.binary_cross_entropy.value_and_grad(x, wrong, out=x)
        with pytest.raises(ValueError, match=r"sample_weight\[49, 5\] is -0.25; weights must be finite"):
            sg.binary_cross_entropy.value_and_grad(x, abs(wrong), sample_weight=wrong, out=x)
    np.testing.assert_array_equal(x, before)


def test_quadratic_refuses_an_output_that_is_read_later():
    memory = np.ones(12)
    x, y = np.zeros((4, 3)), np.ones((4, 3))
    out = memory.reshape(4, 3)
    with pytest.raises(ValueError, match="out overlaps sample_weight"):
        sg.quadratic.value_and_grad(x, y, sample_weight=memory[:4], out=out)
    with pytest.raises(ValueError, match="out overlaps upstream"):
        sg.quadratic.value_and_grad(x, y, upstream=memory[:4], reduction="none", out=out)
    np.testing.assert_array_equal(memory, 1.0)


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), *HALF_DTYPES], ids=str)
@pytest.mark.parametrize("name", ["sigmoid", "log_sigmoid"])
def test_slopes_keep_their_digits_where_the_dtype_has_none(name, dtype):
    """A slope below the dtype's range times a vector that brings it back: rounded once, from float64."""
    x = np.linspace(-100.0 if dtype == np.float32 else -14.0, -4.0, 200).astype(dtype)
    v = np.full(x.shape, 1024.0, dtype)
    member = getattr(sg, name)
    wide = x.astype(np.longdouble)
    slope = 1.0 / (1.0 + np.exp(wide)) if name == "log_sigmoid" else np.exp(wide) / np.square(1.0 + np.exp(wide))
    with np.errstate(under="ignore"):
        expected = (slope * 1024.0).astype(np.float64).astype(dtype)
    assert np.all(expected != 0.0)
    for verb in ("jvp", "vjp"):
        actual = getattr(member, verb)(x, v)
        assert actual.dtype == dtype
        off = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        assert np.count_nonzero(off) <= 1
        assert np.all(off <= np.abs(np.spacing(expected)).astype(np.float64))
