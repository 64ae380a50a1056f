"""What others get wrong, or do not have: one test for each of the known defects."""

from __future__ import annotations

import numpy as np
import pytest
from ml_dtypes import bfloat16

import softgrad as sg
from tests.losses.problems import one_hot
from tests.oracles import exact
from tests.oracles.bounds import DTYPES, GRADIENT, LOG_SOFTMAX, LOSS
from tests.oracles.inputs import fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
INF = np.inf


@dtypes
@pytest.mark.parametrize("gap", [10, 17, 20, 40, 80])
def test_confident_rows_keep_their_loss_and_gradient(gap, dtype):
    """Elsewhere the loss and the target's gradient are exactly 0 from a margin of 17 (float32) or 37 (float64) on."""
    x = np.array([[gap, 0.0]], dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [0], reduction="none")
    rest = np.exp(-np.longdouble(gap))
    assert_within(LOSS[dtype], loss, np.log1p([rest]), what="loss")
    assert_within(GRADIENT[dtype], gradient, [[-rest / (1 + rest), rest / (1 + rest)]], what="gradient")
    assert_within(LOG_SOFTMAX[dtype], sg.log_softmax(x), [[-np.log1p(rest), -gap - np.log1p(rest)]], what="log_softmax")
    assert loss[0] > 0.0
    assert gradient[0, 0] < 0.0


def test_many_equal_float16_logits_do_not_overflow():
    """Their exponentials add up to 131072, beyond float16: inf elsewhere, in truth 11.78."""
    x = np.zeros(2**17, np.float16)
    assert float(sg.logsumexp(x)) == float(np.float16(17 * np.log(2.0)))
    assert sg.cross_entropy(x, 3) == np.float32(17 * np.log(2.0))
    np.testing.assert_array_equal(sg.softmax(x), np.float16(2.0**-17))


@pytest.mark.parametrize("dtype", [np.float16, bfloat16])
@pytest.mark.parametrize(
    "name", ["cross_entropy", "binary_cross_entropy", "kl_divergence", "focal", "quadratic", "linear_cross_entropy"]
)
def test_losses_of_two_bytes_are_not_printed_on_their_grid(name, dtype):
    """A grid of 0.06 to 0.25 for a mean that is followed to the third digit."""
    member = sg.registry()[name]
    for reduction in ("mean", "sum", "none"):
        arguments, options = member.sample_arguments(np.random.default_rng(0), np.dtype(dtype))
        assert np.asarray(member(*arguments, **options, reduction=reduction)).dtype == np.float32


def test_a_loss_of_bfloat16_does_not_depend_on_the_chunks():
    rng = fresh_rng()
    x = (6.0 * rng.standard_normal((1000, 50))).astype(bfloat16)
    labels = rng.integers(50, size=1000)
    truth = float(np.mean(exact.loss(x.astype(np.float32), labels)))
    for size in (1000, 100, 7):
        parts = [
            sg.cross_entropy(x[i : i + size], labels[i : i + size], normalizer=1000.0) for i in range(0, 1000, size)
        ]
        assert np.sum(parts, dtype=np.float64) == pytest.approx(truth, rel=float(np.finfo(np.float32).eps), abs=0.0)


@dtypes
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_batch_of_ignored_labels_has_loss_and_gradient_zero(reduction, dtype):
    x = np.array([[np.nan, 1.0], [INF, 2.0]], dtype)
    for options in ({}, {"label_smoothing": 0.1}, {"class_weight": [1.0, 2.0]}, {"normalizer": "count"}):
        if reduction == "sum" and "normalizer" in options:
            continue
        loss, gradient = sg.cross_entropy.value_and_grad(
            x, [-100, -100], ignore_index=-100, reduction=reduction, **options
        )
        assert loss == 0.0
        np.testing.assert_array_equal(gradient, 0.0)
    hidden = np.full((2, 3), np.nan, dtype)
    loss, gradients = sg.linear_cross_entropy.value_and_grad(
        hidden, np.ones((4, 3), dtype), [-1, -1], ignore_index=-1, reduction=reduction
    )
    assert loss == 0.0
    np.testing.assert_array_equal(gradients.hidden, 0.0)
    np.testing.assert_array_equal(gradients.weight, 0.0)


@dtypes
def test_class_weights_with_smoothing_give_indices_and_rows_the_same_mean(dtype):
    """1.73 and 5.61 elsewhere for the same targets."""
    rng = fresh_rng()
    x = rng.standard_normal((50, 6)).astype(dtype)
    labels = rng.integers(6, size=50)
    options = {"class_weight": np.array([0.1, 1.0, 5.0, 0.3, 2.0, 9.0]), "label_smoothing": 0.2}
    for normalizer in ("weights", "count"):
        loss, gradient = sg.cross_entropy.value_and_grad(x, labels, normalizer=normalizer, **options)
        same, slope = sg.cross_entropy.value_and_grad(x, one_hot(labels, 6, dtype), normalizer=normalizer, **options)
        eps = np.finfo(dtype).eps
        assert abs(same - loss) <= 2 * eps * loss
        assert np.max(np.abs(slope - gradient)) <= 4 * eps * np.max(np.abs(gradient))


@dtypes
def test_masked_classes_do_not_make_one_hot_rows_nan(dtype):
    """0 times -inf is left out, in the value and in the gradient."""
    x = np.array([[1.0, -INF, 0.5]], dtype)
    expected, slope = sg.cross_entropy.value_and_grad(x, [0])
    loss, gradient = sg.cross_entropy.value_and_grad(x, one_hot([0], 3, dtype))
    assert np.isfinite(loss)
    np.testing.assert_allclose(loss, expected, rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(gradient, slope, rtol=4 * np.finfo(dtype).eps)
    assert gradient[0, 1] == 0.0
    # Smoothed over the classes that take part, the loss is finite.
    loss, gradient = sg.cross_entropy.value_and_grad(x, [0], label_smoothing=0.1, where=np.isfinite(x))
    assert np.isfinite(loss)
    assert np.all(np.isfinite(gradient))
    # And a row of which nothing takes part is no NaN.
    assert sg.cross_entropy(x, [0], where=np.zeros(3, bool)) == 0.0


@dtypes
@pytest.mark.parametrize("label", [-1, 3, -100, 2**31])
def test_a_label_out_of_range_is_an_error_that_names_it(label, dtype):
    """Elsewhere -1 is the last class, and the number of classes gives NaN."""
    x = np.zeros((2, 2, 3), dtype)
    labels = np.array([[0, 1], [2, label]])
    out = np.full(x.shape, 7.0, dtype)
    with pytest.raises(ValueError, match=rf"labels\[1, 1\] is {label}; logits have 3 classes \(0 to 2\)"):
        sg.cross_entropy.value_and_grad(x, labels, out=out)
    np.testing.assert_array_equal(out, 7.0)


@pytest.mark.parametrize("integer", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_labels_of_any_integer_dtype(integer):
    x = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 4.0]])
    assert sg.cross_entropy(x, np.array([2, 0], integer)) == sg.cross_entropy(x, [2, 0])


@dtypes
def test_the_class_axis_may_be_any(dtype):
    rng = fresh_rng()
    last = rng.standard_normal((4, 5, 6, 7)).astype(dtype)
    labels = rng.integers(7, size=(4, 5, 6))
    loss, gradient = sg.cross_entropy.value_and_grad(last, labels)
    for axis in range(4):
        x = np.ascontiguousarray(np.moveaxis(last, -1, axis))
        same, slope = sg.cross_entropy.value_and_grad(x, labels, axis=axis)
        assert same == loss
        np.testing.assert_array_equal(np.moveaxis(slope, axis, -1), gradient)


def test_the_checker_does_not_look_along_the_null_vector_only():
    """A gradient that is wrong by what it projects out passes in the direction of ones; here it must not."""
    x = fresh_rng().standard_normal((4, 6))
    labels = [0, 1, 2, 3]
    assert sg.check_gradient(sg.cross_entropy, x, labels).passed

    def wrong(logits, labels):
        gradient = sg.cross_entropy.grad(logits, labels)
        return 1.001 * gradient

    assert not sg.check_gradient(sg.cross_entropy, x, labels, grad=wrong).passed


def test_the_checker_sees_off_target_gradients_of_a_large_vocabulary():
    """They are 1e-3 of the target's here; a tolerance for the target would let them pass as zeros."""
    x = fresh_rng().standard_normal((1, 2000))

    def target_only(logits, labels):
        gradient = sg.cross_entropy.grad(logits, labels)
        return np.where(np.arange(2000) == 5, gradient, 0.0)

    assert not sg.check_gradient(sg.cross_entropy, x, [5], grad=target_only).passed
    assert sg.check_gradient(sg.cross_entropy, x, [5]).passed


@dtypes
def test_micro_batches_of_different_sizes_add_up(dtype):
    rng = fresh_rng()
    x = (3.0 * rng.standard_normal((100, 9))).astype(dtype)
    labels = rng.integers(9, size=100)
    labels[rng.random(100) < 0.3] = -1
    counted = float(np.count_nonzero(labels != -1))
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, ignore_index=-1)
    total, slopes = 0.0, []
    for part in np.split(np.arange(100), [3, 10, 11, 60]):
        value, slope = sg.cross_entropy.value_and_grad(x[part], labels[part], ignore_index=-1, normalizer=counted)
        total += float(value)
        slopes.append(slope)
    assert total == pytest.approx(float(loss), rel=8 * float(np.finfo(dtype).eps), abs=0.0)
    np.testing.assert_array_equal(np.concatenate(slopes), gradient)
