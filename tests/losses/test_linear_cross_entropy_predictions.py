"""The class of the largest logit, found beside the loss: in blocks of rows and of classes, and in every verb."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.losses.test_linear_cross_entropy import draw, dtypes
from tests.losses.test_linear_cross_entropy_blocks import FEW_BYTES, OF_CLASSES
from tests.oracles.inputs import fresh_rng

BLOCKS = pytest.mark.parametrize("block_bytes", [None, 30_000, FEW_BYTES])


def place_for(rows):
    """Numbers that are no classes, so that what is not written shows."""
    return np.full(rows, 10**6)


def whole_numbers(rng, size, dtype, most=4):
    """Operands whose logits are exact and often equal."""
    rows, features, classes = size
    operands = [rng.integers(-most, most + 1, shape).astype(dtype) for shape in ((rows, features), (classes, features))]
    return *operands, rng.integers(0, classes, rows)


@dtypes
@BLOCKS
def test_the_first_of_the_largest(dtype, block_bytes):
    rng = fresh_rng()
    hidden, weight, labels = whole_numbers(rng, OF_CLASSES, dtype, 1)
    logits = hidden @ weight.T
    assert np.mean(np.sum(logits == logits.max(axis=1, keepdims=True), axis=1) > 1) > 0.1
    place = place_for(len(hidden))
    loss = sg.linear_cross_entropy(hidden, weight, labels, block_bytes=block_bytes, predictions=place)
    np.testing.assert_array_equal(place, logits.argmax(axis=1))
    assert loss == sg.linear_cross_entropy(hidden, weight, labels, block_bytes=block_bytes)


@BLOCKS
def test_with_all_that_changes_which_is_the_largest(block_bytes):
    rng = fresh_rng()
    hidden, weight, labels = whole_numbers(rng, OF_CLASSES, np.float64)
    rows, classes = len(hidden), len(weight)
    bias = rng.integers(-20, 21, classes).astype(np.float64)
    where = rng.random((rows, classes)) < 0.3
    where[np.arange(rows), labels] = True
    labels[3:9] = -1
    expected = np.where(where, hidden @ weight.T + bias, -np.inf).argmax(axis=1)
    assert np.any(expected != (hidden @ weight.T).argmax(axis=1))
    expected[3:9] = -1
    options = {"ignore_index": -1, "where": where, "block_bytes": block_bytes, "softcap": 5.0, "temperature": 0.5}
    for verb in (sg.linear_cross_entropy, sg.linear_cross_entropy.value_and_grad, sg.linear_cross_entropy.grad):
        place = place_for(rows)
        verb(hidden, weight, labels, bias, predictions=place, **options)
        np.testing.assert_array_equal(place, expected)


@pytest.mark.parametrize("verb", ["jvp", "hvp"])
def test_in_derivatives_along_tangents(verb):
    hidden, weight, labels, bias = draw(fresh_rng(), (40, 5, 30), np.float64)
    place = place_for(40)
    getattr(sg.linear_cross_entropy, verb)(hidden, weight, labels, bias, (None, weight, None), predictions=place)
    np.testing.assert_array_equal(place, (hidden @ weight.T + bias).argmax(axis=1))


@BLOCKS
def test_nan_is_the_largest_as_for_argmax(block_bytes):
    hidden, weight, labels = whole_numbers(fresh_rng(), OF_CLASSES, np.float64)
    weight[[90, 120]] = np.nan
    place = place_for(len(hidden))
    sg.linear_cross_entropy(hidden, weight, labels, block_bytes=block_bytes, predictions=place)
    np.testing.assert_array_equal(place, 90)


def test_a_place_of_any_strides_and_no_rows():
    hidden, weight, labels = whole_numbers(fresh_rng(), (6, 3, 5), np.float32)
    place = place_for(12)
    sg.linear_cross_entropy(hidden, weight, labels, predictions=place[::2])
    np.testing.assert_array_equal(place[::2], (hidden @ weight.T).argmax(axis=1))
    np.testing.assert_array_equal(place[1::2], 10**6)
    sg.linear_cross_entropy(hidden[:0], weight, labels[:0], predictions=place[:0])


def test_errors_before_anything_is_written():
    hidden, weight, labels = whole_numbers(fresh_rng(), (6, 3, 5), np.float32)
    place, before = place_for(6), labels.copy()

    def call(predictions, **options):
        sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, predictions=predictions, **options)

    with pytest.raises(TypeError, match="predictions: out must be a NumPy array, got list"):
        call([0] * 6)
    with pytest.raises(TypeError, match="predictions: out has dtype int32"):
        call(place.astype(np.int32))
    with pytest.raises(ValueError, match=r"predictions: out has shape \(5,\); the result has shape \(6,\)"):
        call(place[:5])
    with pytest.raises(ValueError, match="predictions: out overlaps labels"):
        call(labels)
    with pytest.raises(ValueError, match=r"out\.weight is given, and wrt does not name weight"):
        call(place, wrt=("hidden",), out=(None, np.zeros_like(weight), None))
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(place, 10**6)
