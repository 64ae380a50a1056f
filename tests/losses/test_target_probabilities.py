"""Target probabilities that are none: negative, NaN or infinite ones are refused by index and value, in every form."""

from __future__ import annotations

import re

import ml_dtypes
import numpy as np
import pytest

import softgrad as sg
from softgrad import reference
from tests.oracles.bounds import DTYPES
from tests.oracles.half import HALF_DTYPES
from tests.oracles.inputs import fresh_rng

dtypes = pytest.mark.parametrize("dtype", [*DTYPES, *HALF_DTYPES], ids=str)
WRONG = (-1.0, -(2.0**-14), np.nan, np.inf, -np.inf)
wrong = pytest.mark.parametrize("value", WRONG)
# Rows of lanes, tiles of few classes with and without a rest, long rows; enough rows for two threads.
SHAPES = ((5, 3), (70, 64), (7, 65), (3000, 100))
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def problem(shape, dtype):
    rng = fresh_rng()
    labels = rng.uniform(0.0, 2.0 / shape[1], shape)
    labels[rng.random(shape) < 0.3] = 0.0
    labels[rng.random(shape) < 0.1] = -0.0
    return rng.standard_normal(shape).astype(dtype), labels.astype(dtype)


def message(labels, *index):
    return re.escape(f"labels[{', '.join(map(str, index))}] is {float(labels[index])}; a target probability is finite")


@wrong
@shapes
@dtypes
def test_each_verb_names_index_and_value(dtype, shape, value):
    x, labels = problem(shape, dtype)
    row, column = shape[0] - 2, shape[1] - 1
    labels[row, column] = value
    match = message(labels, row, column)
    v = np.ones_like(x)
    for verb in ("__call__", "value_and_grad", "grad", "hessian", "hessian_diagonal"):
        with pytest.raises(ValueError, match=match):
            getattr(sg.cross_entropy, verb)(x, labels)
    for verb in ("jvp", "hvp"):
        with pytest.raises(ValueError, match=match):
            getattr(sg.cross_entropy, verb)(x, labels, v)
    # A class weight of 0 hides nothing.
    with pytest.raises(ValueError, match=match):
        sg.cross_entropy(x, labels, class_weight=np.zeros(shape[1]))
    place = x.copy()
    with pytest.raises(ValueError, match=match):
        sg.cross_entropy.value_and_grad(place, labels, out=place)
    np.testing.assert_array_equal(place, x)


@wrong
@shapes
def test_the_linear_head(shape, value):
    _, labels = problem(shape, np.float32)
    hidden, weight = np.ones((shape[0], 2), np.float32), np.ones((shape[1], 2), np.float32)
    labels[1, 2] = value
    for block_bytes in (None, 2**14):
        options = {} if block_bytes is None else {"block_bytes": block_bytes}
        for verb in ("__call__", "value_and_grad"):
            with pytest.raises(ValueError, match=message(labels, 1, 2)):
                getattr(sg.linear_cross_entropy, verb)(hidden, weight, labels, **options)


@wrong
def test_the_index_is_that_of_the_labels_as_given(value):
    x = np.zeros((2, 7, 3, 4))
    labels = np.full(x.shape, 1.0 / 7.0)
    labels[1, 5, 2, 3] = value
    match = message(labels, 1, 5, 2, 3)
    for axis in (1, (1, 3), None):
        for array in (labels, np.asfortranarray(labels), np.repeat(labels, 2, axis=-1)[..., ::2]):
            with pytest.raises(ValueError, match=match):
                sg.cross_entropy(x, array, axis=axis)
        with pytest.raises(ValueError, match=r"labels\[1, 5, 2, 3\] is "):
            reference.cross_entropy(x, labels, axis=axis)


def test_minus_one_and_one_as_labels_of_two_classes():
    """A coding of two classes that is none of probabilities: it gave a loss, and divided the mean by a sum near 0."""
    with pytest.raises(ValueError, match=r"labels\[0, 0\] is -1"):
        sg.cross_entropy(np.zeros((2, 2)), np.array([[-1.0, 1.0], [1.0, -1.0]]))


@wrong
@shapes
def test_a_row_that_does_not_count_may_hold_anything(shape, value):
    x, labels = problem(shape, np.float64)
    weight = np.ones(shape[0])
    weight[3] = 0.0
    expected = sg.cross_entropy.value_and_grad(x, labels, sample_weight=weight)
    labels[3, 1] = value
    found = sg.cross_entropy.value_and_grad(x, labels, sample_weight=weight)
    assert found[0] == expected[0]
    np.testing.assert_array_equal(found[1], expected[1])
    labels[2, 2] = value
    with pytest.raises(ValueError, match=r"labels\[2, 2\] is "):
        sg.cross_entropy(x, labels, sample_weight=weight)


@shapes
@dtypes
def test_the_smallest_and_very_large_ones_are_taken(dtype, shape):
    x, labels = problem(shape, dtype)
    labels[0, 0] = ml_dtypes.finfo(dtype).smallest_subnormal
    # The loss is to be finite too, and so are the halves into which products are split without a fused multiply-add.
    labels[1, 1] = min(float(ml_dtypes.finfo(dtype).max), 2.0**900)
    losses = sg.cross_entropy(x, labels, reduction="none")
    rtol = 16 * float(np.finfo(losses.dtype).eps)
    expected = reference.cross_entropy(x.astype(np.float64), labels.astype(np.float64), reduction="none")
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(losses, expected.astype(losses.dtype), rtol=rtol)
