"""The loss and its gradient within the promised bounds, on every input family."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.losses.problems import one_hot
from tests.oracles import exact, generate
from tests.oracles.bounds import DTYPES, GRADIENT, LOSS
from tests.oracles.inputs import FAMILIES, GROUP, LANES, LONG, STRETCH, fresh_rng, lengths
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
families = pytest.mark.parametrize("family", FAMILIES)


def rows_for(length):
    """Many short rows, since the core takes them in tiles of many; few long ones."""
    return 150 if length <= 10 else 4 if length <= STRETCH // 2 else 2


def some_labels(rng, x):
    """The first maximum, a random class, the smallest logit: the three regimes of the loss and the gradient."""
    return [np.argmax(x, axis=1), rng.integers(x.shape[1], size=x.shape[0]), np.argmin(x, axis=1)]


def check(x, labels, what):
    dtype = x.dtype
    losses = sg.cross_entropy(x, labels, reduction="none")
    _, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="sum")
    assert losses.dtype == gradient.dtype == dtype
    assert not np.any(np.signbit(losses))
    assert_within(LOSS[dtype], losses, exact.loss(x, labels), what=f"loss, {what}")
    assert_within(GRADIENT[dtype], gradient, exact.gradient(x, labels), what=f"gradient, {what}")


def check_soft(x, q, target, what, **options):
    """`target` is the mass that labels `q` and the options put on each class, as long doubles.

    Q p - q cancels where p is close to q: the unit there is that of its larger term.
    """
    dtype = x.dtype
    losses = sg.cross_entropy(x, q, reduction="none", **options)
    _, gradient = sg.cross_entropy.value_and_grad(x, q, reduction="sum", **options)
    assert_within(LOSS[dtype], losses, exact.soft_loss(x, target), what=f"loss, {what}")
    total = np.sum(target, axis=-1, keepdims=True)
    scale = np.maximum(target, total * exact.softmax(x))
    assert_within(GRADIENT[dtype], gradient, exact.soft_gradient(x, target), scale=scale, what=f"gradient, {what}")


@dtypes
@families
def test_every_length(family, dtype):
    rng = fresh_rng()
    for length in lengths(dtype):
        x = FAMILIES[family](rng, (rows_for(length), length), dtype)
        for labels in some_labels(rng, x):
            check(x, labels, f"{family}, {length} classes")


@dtypes
@families
def test_a_long_row(family, dtype):
    rng = fresh_rng()
    x = FAMILIES[family](rng, (1, LONG), dtype)
    for labels in some_labels(rng, x)[:2]:
        check(x, labels, f"{family}, {LONG} classes")


@dtypes
@pytest.mark.parametrize("family", ["normal 5", "dominant 17"])
def test_a_row_of_a_million(family, dtype):
    x = FAMILIES[family](fresh_rng(), (1, 2**20), dtype)
    check(x, np.argmax(x, axis=1), f"{family}, 2^20 classes")


@dtypes
@pytest.mark.parametrize("level", [0.0, 0.3])
@pytest.mark.parametrize("gap", [11, 17, 30])
def test_dominant_logit_over_many_equal_ones(gap, level, dtype):
    """The exponentials of 0.0 are powers of two; those of 0.3 are rounded, and so are their sums, always alike."""
    count = 2**17
    x = np.full((2, count + 1), level, dtype)
    places = np.array([0, count - 3])
    x[[0, 1], places] = gap
    gap -= np.longdouble(x[0, 1])
    rest = count * np.exp(-gap)
    losses = sg.cross_entropy(x, places, reduction="none")
    assert_within(LOSS[dtype], losses, np.full(2, np.log1p(rest)), what="loss")
    _, gradient = sg.cross_entropy.value_and_grad(x, places, reduction="sum")
    expected = np.full(x.shape, np.exp(-gap) / (1 + rest))
    expected[[0, 1], places] = -rest / (1 + rest)
    assert_within(GRADIENT[dtype], gradient, expected, what="gradient")


@dtypes
@pytest.mark.parametrize("classes", [63, 64, 500])
def test_dominant_logit_over_few_others(classes, dtype):
    """Each of them alone is lost beside the exponential of the dominant one, and always with the same rounding."""
    rng = fresh_rng()
    vanishing = np.log(2) * (np.finfo(dtype).nmant + 1)
    x = np.repeat(rng.uniform(-vanishing - 9, -vanishing, (500, 1)), classes, axis=1).astype(dtype)
    places = rng.integers(classes, size=500)
    x[np.arange(500), places] = 0
    losses = sg.cross_entropy(x, places, reduction="none")
    others = x[np.arange(500), places - 1].astype(np.longdouble)
    assert_within(LOSS[dtype], losses, np.log1p((classes - 1) * np.exp(others)), what=f"{classes - 1} times the same")


@dtypes
@pytest.mark.parametrize("length", [128256, 2**17 + 1, 2**21])
def test_very_many_logits_far_below_the_second_largest(length, dtype):
    """Each of them alone is lost beside the exponential of the second largest, and always with the same rounding."""
    rng = fresh_rng()
    vanishing = np.log(2) * (np.finfo(dtype).nmant + 1)
    for level in rng.uniform(-vanishing - 2, -vanishing + 3, 16 if length > 2**20 else 60).astype(dtype):
        x = np.full((1, length), level, dtype)
        first, second = rng.choice(length, 2, replace=False)
        x[0, first], x[0, second] = 20, 0
        rest = np.exp(np.longdouble(-20)) * (1 + (length - 2) * np.exp(np.longdouble(level)))
        losses = sg.cross_entropy(x, [first], reduction="none")
        assert_within(LOSS[dtype], losses, np.array([np.log1p(rest)]), what=f"{length - 2} times {level}")


@dtypes
@pytest.mark.parametrize("length", [3, 10, "lanes", "group"])
def test_extreme_values_in_every_lane(length, dtype):
    length = {"lanes": 2 * LANES[dtype] + 3, "group": GROUP[dtype] + LANES[dtype] + 5}.get(length, length)
    rng = fresh_rng()
    rows = max(length, 160)
    places = np.arange(rows) % length
    beyond = 1.25 * float(np.log(np.finfo(dtype).max))
    for value in (beyond, -beyond, float(np.finfo(dtype).max), -np.inf):
        x = rng.standard_normal((rows, length)).astype(dtype)
        x[np.arange(rows), places] = value
        for labels in (places, (places + 1) % length):
            check(x, labels, f"{value} at each of {length} places")


@dtypes
def test_rows_of_the_tables(dtype):
    for entry in generate.read(f"softmax_{dtype.name}"):
        x, labels = generate.from_hex(entry["x"], dtype), np.array(entry["labels"])
        rows = np.stack([x] * labels.size)
        losses = sg.cross_entropy(rows, labels, reduction="none")
        assert_within(LOSS[dtype], losses, generate.from_decimal(entry["loss"]), what=entry["family"])
        expected = np.stack([generate.from_decimal(entry["softmax"])] * labels.size)
        expected[np.arange(labels.size), labels] = generate.from_decimal(entry["target_gradient"])
        _, gradient = sg.cross_entropy.value_and_grad(rows, labels, reduction="sum")
        assert_within(GRADIENT[dtype], gradient, expected, what=entry["family"])


@dtypes
@families
def test_probability_labels(family, dtype):
    rng = fresh_rng()
    for shape in ((150, 2), (80, 10), (4, LANES[dtype] + 1), (3, 700), (1, STRETCH + 1)):
        x = FAMILIES[family](rng, shape, dtype)
        q = rng.uniform(0.0, 1.0, shape).astype(dtype)
        q[(rng.random(shape) < 0.3) | (x == -np.inf)] = 0.0
        check_soft(x, q, q.astype(np.longdouble), f"{family}, {shape[1]} classes")


@dtypes
@families
def test_label_smoothing(family, dtype):
    rng = fresh_rng()
    smoothing = np.longdouble(0.1)
    for shape in ((150, 2), (80, 10), (4, LANES[dtype] + 1), (3, 700), (1, STRETCH + 1)):
        x = FAMILIES[family](rng, shape, dtype)
        labels = rng.integers(shape[1], size=shape[0])
        target = (1 - smoothing) * one_hot(labels, shape[1], np.longdouble) + smoothing / shape[1]
        check_soft(x, labels, target, f"{family}, {shape[1]} classes", label_smoothing=0.1)


@dtypes
def test_probability_labels_of_a_long_row(dtype):
    rng = fresh_rng()
    for family in ("normal 5", "dominant 12", "equal"):
        x = FAMILIES[family](rng, (1, LONG), dtype)
        q = rng.uniform(0.0, 2.0 / LONG, x.shape).astype(dtype)
        check_soft(x, q, q.astype(np.longdouble), f"{family}, {LONG} classes")


@dtypes
def test_very_many_probability_labels_that_are_all_alike(dtype):
    """Each of them is added with the same rounding."""
    length = 2**19
    for q in fresh_rng().uniform(0.5, 1.0, 8).astype(dtype) / dtype.type(length):
        losses = sg.cross_entropy(np.zeros((1, length), dtype), np.full((1, length), q), reduction="none")
        expected = length * np.longdouble(q) * np.log(np.longdouble(length))
        assert_within(LOSS[dtype], losses, np.array([expected]), what=f"{length} times {q}")


@dtypes
@families
def test_one_hot_rows_give_the_loss_of_their_index(family, dtype):
    rng = fresh_rng()
    for shape in ((150, 3), (9, 10), (4, 333)):
        x = FAMILIES[family](rng, shape, dtype)
        for labels in some_labels(rng, x):
            q = one_hot(labels, shape[1], dtype)
            losses = sg.cross_entropy(x, q, reduction="none")
            _, gradient = sg.cross_entropy.value_and_grad(x, q, reduction="sum")
            assert_within(LOSS[dtype], losses, exact.loss(x, labels), what=f"loss, {family}")
            assert_within(GRADIENT[dtype], gradient, exact.gradient(x, labels), what=f"gradient, {family}")


@dtypes
@families
def test_gradient_rows_sum_to_zero(family, dtype):
    rng = fresh_rng()
    for shape in ((150, 3), (5, 700), (2, STRETCH + 1)):
        x = FAMILIES[family](rng, shape, dtype)
        for labels in some_labels(rng, x):
            _, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="sum")
            gradient = gradient.astype(np.longdouble)
            allowed = GRADIENT[dtype] * np.finfo(dtype).eps * np.sum(np.abs(gradient), axis=-1)
            # Where the gradient is subnormal the grid itself is that coarse.
            allowed += GRADIENT[dtype] * shape[1] * np.finfo(dtype).smallest_subnormal
            assert np.all(np.abs(np.sum(gradient, axis=-1)) <= allowed)


@dtypes
def test_mean_and_sum_over_many_rows(dtype):
    """Of losses and gradients alike; all losses are positive, so the mean is relatively as exact as they are."""
    rng = fresh_rng()
    eps = np.finfo(dtype).eps
    for rows, classes in ((1, 10), (7, 700), (10001, 10), (1000, 130)):
        x = FAMILIES["normal 5"](rng, (rows, classes), dtype)
        labels = rng.integers(classes, size=rows)
        total = np.sum(exact.loss(x, labels))
        gradient = exact.gradient(x, labels)
        loss, mean_gradient = sg.cross_entropy.value_and_grad(x, labels)
        assert abs(loss - total / rows) <= 4 * eps * total / rows
        assert abs(sg.cross_entropy(x, labels, reduction="sum") - total) <= 4 * eps * total
        # One rounding more than the gradient of the sum: the division.
        assert_within(GRADIENT[dtype] + 1, mean_gradient, gradient / rows, what=f"gradient of {rows} rows")


@dtypes
def test_equal_logits_of_a_large_vocabulary(dtype):
    """Off-target gradients are 2^-18: a tolerance chosen for the target would not see them."""
    count = 2**18
    x = np.full((1, count), -7.5, dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [3])
    assert_within(LOSS[dtype], loss, np.log(np.longdouble(count)), what="loss")
    expected = np.full((1, count), 1.0 / count)
    expected[0, 3] -= 1.0
    assert_within(GRADIENT[dtype], gradient, expected, what="gradient")
