"""The extended-precision oracle is itself exact: to a hundredth of a float64 ulp, against mpmath."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import exact, generate
from tests.oracles import multiprecision as mp
from tests.oracles.bounds import DTYPES, FLOAT64
from tests.oracles.inputs import FAMILIES, STRETCH, fresh_rng
from tests.oracles.ulp import unit

TOLERANCE = 0.01


def assert_exact(actual, expected, *, scale=None):
    """Both in extended precision; the unit is a float64 ulp of the expected value."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    size = unit(expected if scale is None else scale, FLOAT64)
    difference = np.abs(actual[finite] - expected[finite]) / np.broadcast_to(size, expected.shape)[finite]
    assert np.all(difference <= TOLERANCE), float(np.max(difference))


def as_long(values):
    return generate.from_decimal([generate.decimal(value) for value in values])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rows_of_the_tables(dtype):
    for entry in generate.read(f"softmax_{dtype.name}"):
        x = generate.from_hex(entry["x"], dtype)
        softmax = generate.from_decimal(entry["softmax"])
        assert_exact(exact.softmax(x), softmax)
        assert_exact(exact.log_softmax(x), generate.from_decimal(entry["log_softmax"]))
        largest = np.max(np.abs(x[np.isfinite(x)]))
        lse = generate.from_decimal(entry["logsumexp"])
        assert_exact(exact.logsumexp(x), lse, scale=np.maximum(np.abs(lse), largest))
        labels = np.array(entry["labels"])
        rows = np.broadcast_to(x, (labels.size, x.size))
        assert_exact(exact.loss(rows, labels), generate.from_decimal(entry["loss"]))
        gradient = np.array(np.broadcast_to(softmax, rows.shape))
        gradient[np.arange(labels.size), labels] = generate.from_decimal(entry["target_gradient"])
        assert_exact(exact.gradient(rows, labels), gradient)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_elementwise_values_of_the_tables(dtype):
    for entry in generate.read(f"sigmoid_{dtype.name}"):
        x = generate.from_hex(entry["x"], dtype)
        assert_exact(exact.sigmoid(x), generate.from_decimal(entry["sigmoid"]))
        assert_exact(exact.log_sigmoid(x), generate.from_decimal(entry["log_sigmoid"]))


@pytest.mark.parametrize("family", ["normal 30", "offset 1e6", "dominant 17", "confident 40"])
def test_fresh_rows_across_a_stretch(family):
    x = FAMILIES[family](fresh_rng(), (1, STRETCH + 1), FLOAT64)[0]
    row = [float(value) for value in x]
    assert_exact(exact.softmax(x)[:: STRETCH // 64], as_long(mp.softmax(row))[:: STRETCH // 64])
    assert_exact(exact.softmax(x).max(), as_long(mp.softmax(row)).max())
    label = np.argmax(x)
    assert_exact(exact.loss(x[None], label[None]), as_long([mp.loss(row, int(label))]))
    at_label = exact.gradient(x[None], label[None])[0, label]
    assert_exact(at_label, as_long([mp.target_gradient(row, int(label))])[0])


def test_dominant_logit_over_many_equal_ones():
    count, gap = 2**17, 17.0
    x = np.zeros(count + 1)
    x[count // 3] = gap
    rest = count * mp.ctx.exp(-mp.ctx.mpf(gap))
    label = np.array([count // 3])
    assert_exact(exact.loss(x[None], label), as_long([mp.ctx.log1p(rest)]))
    assert_exact(exact.gradient(x[None], label)[0, count // 3], as_long([-rest / (1 + rest)])[0])


def test_soft_targets_agree_with_the_sum_of_index_losses():
    rng = fresh_rng()
    x = FAMILIES["normal 5"](rng, (6, 11), FLOAT64)
    q = rng.uniform(0.0, 1.0, x.shape) * (rng.random(x.shape) < 0.7)
    classes = [np.full(len(x), label) for label in range(x.shape[1])]
    losses = np.stack([exact.loss(x, label) for label in classes], axis=-1)
    gradients = np.stack([exact.gradient(x, label) for label in classes], axis=-1)
    assert_exact(exact.soft_loss(x, q), np.sum(q * losses, axis=-1))
    summed = np.sum(q[:, None, :] * gradients, axis=-1)
    assert_exact(exact.soft_gradient(x, q), summed, scale=np.sum(q, axis=-1, keepdims=True))


def test_soft_gradient_of_a_one_hot_target_keeps_the_digits():
    x = np.array([[0.0, 40.0, -3.0]])
    assert_exact(exact.soft_gradient(x, [[0.0, 1.0, 0.0]]), exact.gradient(x, np.array([1])))


def test_a_row_without_a_finite_maximum_is_refused():
    with pytest.raises(ValueError, match="no finite maximum"):
        exact.softmax(np.array([[0.0, 1.0], [-np.inf, -np.inf]]))
