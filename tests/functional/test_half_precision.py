"""float16 and bfloat16: the bounds, every value of the dtype, the conversions, and the dtype of the losses.

The arithmetic is done in float32 or better, so that the one rounding to two bytes is nearly all of the error: half a
unit. The bound below leaves a hundredth of a unit for the rest, which is sharper than the promise of 1.
"""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.losses.problems import one_hot
from tests.oracles import exact
from tests.oracles.bounds import FLOAT32, LOSS
from tests.oracles.half import BFLOAT16, FLOAT16, HALF_DTYPES, assert_half_within, every_value, long, nearest
from tests.oracles.inputs import FAMILIES, GROUP, LANES, LONG, STRETCH, fresh_rng
from tests.oracles.ulp import assert_within

dtypes = pytest.mark.parametrize("dtype", HALF_DTYPES, ids=str)
BOUND = 0.51
# float16 has no 1e6, and at 1e4 a grid of 8.
LARGE = {"offset 1e6", "offset -1e6"}
CASES = [(dtype, family) for dtype in HALF_DTYPES for family in FAMILIES if not (dtype == FLOAT16 and family in LARGE)]
families = pytest.mark.parametrize(("dtype", "family"), CASES, ids=[f"{dtype} {family}" for dtype, family in CASES])


def draw(family, rng, shape, dtype):
    """A family drawn in float32 and rounded; in float16 what overflows is clipped, but for -inf."""
    x = FAMILIES[family](rng, shape, FLOAT32)
    limit = float(nearest(1e9, dtype) if dtype == BFLOAT16 else 65504)
    return np.where(np.isinf(x), x, np.clip(x, -limit, limit)).astype(dtype)


def largest_finite(x):
    return np.max(np.abs(x), axis=-1, where=np.isfinite(x), initial=0.0)


def check(x, what):
    """The row functions and the cross-entropy of rows along the last axis."""
    wide = long(x)
    assert_half_within(BOUND, sg.softmax(x), exact.softmax(wide), what=f"softmax, {what}")
    assert_half_within(BOUND, sg.log_softmax(x), exact.log_softmax(wide), what=f"log_softmax, {what}")
    lse = exact.logsumexp(wide)
    scale = np.maximum(np.abs(lse), largest_finite(wide))
    assert_half_within(BOUND, sg.logsumexp(x), lse, scale=scale, what=f"logsumexp, {what}")


def check_loss(x, labels, what):
    wide = long(x)
    losses = sg.cross_entropy(x, labels, reduction="none")
    assert losses.dtype == np.float32
    assert_within(LOSS[FLOAT32], losses, exact.loss(wide, labels), what=f"loss, {what}")
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="sum")
    assert type(loss) is np.float32
    assert gradient.dtype == x.dtype
    assert_half_within(BOUND, gradient, exact.gradient(wide, labels), what=f"gradient, {what}")


@families
def test_bounds(dtype, family):
    rng = fresh_rng()
    lanes = LANES[FLOAT32]
    for rows, length in ((150, 3), (90, 10), (4, lanes - 1), (4, lanes + 1), (3, GROUP[FLOAT32] + 1), (2, STRETCH + 1)):
        x = draw(family, rng, (rows, length), dtype)
        check(x, f"{family}, {length} classes")
        for labels in (np.argmax(long(x), axis=1), rng.integers(length, size=rows)):
            check_loss(x, labels, f"{family}, {length} classes")


@dtypes
@pytest.mark.parametrize("family", ["normal 5", "dominant 12", "equal"])
def test_a_long_row(family, dtype):
    x = draw(family, fresh_rng(), (1, LONG), dtype)
    check(x, family)
    check_loss(x, np.argmax(long(x), axis=1), family)


@dtypes
def test_sigmoid_of_every_value(dtype):
    x = every_value(dtype)
    wide = long(x)
    with np.errstate(invalid="ignore"):
        assert_half_within(BOUND, sg.sigmoid(x), exact.sigmoid(wide), what="sigmoid")
        assert_half_within(BOUND, sg.log_sigmoid(x), exact.log_sigmoid(wide), what="log_sigmoid")


@dtypes
def test_every_value_beside_zero(dtype):
    """Rows (x, 0): softmax is the sigmoid of x and of -x, the loss the log_sigmoid, logsumexp their softplus."""
    x = every_value(dtype)
    x = x[np.isfinite(long(x))]
    rows = np.stack([x, np.zeros_like(x)], axis=-1)
    wide = long(x)
    expected = np.stack([exact.sigmoid(wide), exact.sigmoid(-wide)], axis=-1)
    logs = np.stack([exact.log_sigmoid(wide), exact.log_sigmoid(-wide)], axis=-1)
    assert_half_within(BOUND, sg.softmax(rows), expected, what="softmax")
    assert_half_within(BOUND, sg.log_softmax(rows), logs, what="log_softmax")
    softplus = -exact.log_sigmoid(-wide)
    assert_half_within(BOUND, sg.logsumexp(rows), softplus, scale=np.maximum(softplus, np.abs(wide)), what="logsumexp")
    for label in (0, 1):
        labels = np.full(x.shape, label)
        losses = sg.cross_entropy(rows, labels, reduction="none")
        assert_within(LOSS[FLOAT32], losses, -logs[:, label], what=f"loss at {label}")
        gradient = sg.cross_entropy.grad(rows, labels, reduction="sum")
        slope = np.stack([-expected[:, 1 - label], expected[:, 1 - label]], axis=-1)
        assert_half_within(BOUND, gradient, slope if label == 0 else -slope, what=f"gradient at {label}")


@dtypes
def test_every_value_beside_its_opposite(dtype):
    x = every_value(dtype)
    x = x[np.isfinite(long(x)) & (long(x) > 0)]
    check(np.stack([x, -x], axis=-1), "x and -x")
    check(np.stack([x, -x, x / x.dtype.type(2)], axis=-1), "x, -x and x / 2")


@dtypes
def test_every_value_is_read_and_written(dtype):
    """logsumexp of one class is the class itself: zeros of both signs, subnormals, infinities, NaN."""
    x = every_value(dtype)
    result = sg.logsumexp(x[:, None])
    nan = np.isnan(long(x))
    np.testing.assert_array_equal(
        result.view(np.uint16)[~nan & (long(x) != 0)], x.view(np.uint16)[~nan & (long(x) != 0)]
    )
    assert np.all(np.isnan(long(result[nan])))
    np.testing.assert_array_equal(long(result[long(x) == 0]), 0.0)


def written(values, dtype):
    """`values` of float32 as the core rounds them: a gradient of -1/2, times an upstream of -2 of them."""
    x = np.zeros((values.size, 2), dtype)
    upstream = -2.0 * values.astype(np.float64)
    labels = np.zeros(values.size, np.int64)
    return sg.cross_entropy.grad(x, labels, reduction="none", upstream=upstream)[:, 0]


@dtypes
def test_rounding_to_nearest_even(dtype):
    """All values of the dtype, the midpoints between neighbours, and what is next to a midpoint in float32."""
    finite = every_value(dtype)
    finite = np.sort(finite[np.isfinite(long(finite))].astype(np.float32))
    middle = (finite[:-1].astype(np.float64) + finite[1:]) / 2
    # The largest and half a unit more: from there on it is infinity.
    info_max = float(finite[-1])
    unit = info_max - float(finite[-2])
    with np.errstate(over="ignore"):
        beyond = np.array([info_max + 0.49 * unit, info_max + 0.5 * unit, info_max + unit, 4 * info_max]).astype(
            np.float32
        )
    inside = middle.astype(np.float32)
    inside = inside[inside.astype(np.float64) == middle]
    beside = [np.nextafter(inside, np.float32(side)) for side in (np.inf, -np.inf)]
    values = np.concatenate([finite, inside, *beside, beyond, -beyond])
    with np.errstate(over="ignore"):
        expected = nearest(values, dtype)
    np.testing.assert_array_equal(long(written(values, dtype)), expected)
    assert np.isinf(expected).sum() >= 4


@dtypes
def test_subnormal_results(dtype):
    """Probabilities on both sides of the smallest subnormal."""
    smallest = np.log(np.longdouble(float(np.min(np.abs(long(every_value(dtype)[1:2]))))))
    x = np.zeros((400, 2), dtype)
    x[:, 1] = np.linspace(float(smallest) + 12, float(smallest) - 2, 400).astype(dtype)
    p = exact.softmax(long(x))
    assert_half_within(BOUND, sg.softmax(x), p, what="softmax")
    assert np.any(nearest(p, dtype) == 0.0)
    assert np.unique(long(sg.softmax(x))[:, 1]).size > 20


@dtypes
@pytest.mark.parametrize("length", [2, 10, 70, 330])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_in_every_lane(value, length, dtype):
    rng = fresh_rng()
    rows = 2 * max(length, 40)
    x = rng.standard_normal((rows, length)).astype(dtype)
    untouched = sg.softmax(x), sg.logsumexp(x), sg.cross_entropy(x, np.zeros(rows, int), reduction="none")
    struck, plain = np.arange(1, rows, 2), np.arange(0, rows, 2)
    x[struck, struck // 2 % length] = value
    p, lse = sg.softmax(x), sg.logsumexp(x)
    losses, gradient = sg.cross_entropy.value_and_grad(x, np.zeros(rows, int), reduction="none")
    for now, before in zip((p, lse, losses), untouched, strict=True):
        np.testing.assert_array_equal(now[plain].view(np.uint8), before[plain].view(np.uint8))
    if value == -np.inf:
        check(x, "-inf in every lane")
        check_loss(x, (struck.repeat(2) // 2 + 1) % length, "-inf in every lane, beside the target")
        return
    assert np.all(np.isnan(long(p[struck])))
    assert np.all(np.isnan(losses[struck]))
    assert np.all(np.isnan(long(gradient[struck])))
    np.testing.assert_array_equal(long(lse[struck]), value)


@dtypes
def test_types_of_the_results(dtype):
    x = np.zeros((2, 3), dtype)
    for name in ("softmax", "log_softmax", "sigmoid", "log_sigmoid"):
        result = getattr(sg, name)(x)
        assert result.dtype == dtype, name
        assert result.shape == x.shape
    assert sg.logsumexp(x).dtype == dtype
    assert type(sg.logsumexp(x[0])) is dtype.type
    assert type(sg.sigmoid(x[0, 0])) is dtype.type
    for reduction in ("mean", "sum"):
        assert type(sg.cross_entropy(x, [0, 1], reduction=reduction)) is np.float32
    assert sg.cross_entropy(x, [0, 1], reduction="none").dtype == np.float32
    assert sg.cross_entropy(x, np.full((2, 3), 1 / 3)).dtype == np.float32
    for name in ("softmax", "log_softmax"):
        for verb in ("vjp", "jvp"):
            assert getattr(getattr(sg, name), verb)(x, x).dtype == dtype, (name, verb)
        assert getattr(sg, name).jacobian(x).dtype == dtype, name


@dtypes
def test_out(dtype):
    rng = fresh_rng()
    x = rng.standard_normal((7, 50)).astype(dtype)
    expected = sg.softmax(x)
    out = np.empty_like(x)
    assert sg.softmax(x, out=out) is out
    np.testing.assert_array_equal(out.view(np.uint16), expected.view(np.uint16))
    loss, gradient = sg.cross_entropy.value_and_grad(x, np.arange(7))
    place = x.copy()
    same, result = sg.cross_entropy.value_and_grad(place, np.arange(7), out=place)
    assert result is place
    assert same == loss
    np.testing.assert_array_equal(place.view(np.uint16), gradient.view(np.uint16))
    with pytest.raises(TypeError, match=f"out has dtype float32; the result has dtype {dtype}"):
        sg.softmax(x, out=np.empty(x.shape, np.float32))


@dtypes
def test_probability_labels_of_two_bytes_and_of_others(dtype):
    """The labels keep their own precision."""
    rng = fresh_rng()
    x = (3.0 * rng.standard_normal((60, 9))).astype(dtype)
    q = rng.uniform(0.0, 1.0, x.shape)
    for labels in (q.astype(dtype), q.astype(np.float32), q):
        masses = long(labels) if labels.dtype == dtype else labels.astype(np.longdouble)
        losses, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="none")
        wide = long(x)
        assert_within(LOSS[FLOAT32], losses, exact.soft_loss(wide, masses), what="loss")
        scale = np.maximum(masses, np.sum(masses, axis=-1, keepdims=True) * exact.softmax(wide))
        assert_half_within(BOUND, gradient, exact.soft_gradient(wide, masses), scale=scale, what="gradient")


@dtypes
def test_smoothing_temperature_and_weights(dtype):
    rng = fresh_rng()
    x = (3.0 * rng.standard_normal((60, 9))).astype(dtype)
    labels = rng.integers(9, size=60)
    weight = rng.uniform(0.5, 2.0, 9)
    smoothing = np.longdouble(0.1)
    target = ((1 - smoothing) * one_hot(labels, 9, np.longdouble) + smoothing / 9) * weight
    scaled = long(x) / np.longdouble(0.7)
    losses, gradient = sg.cross_entropy.value_and_grad(
        x, labels, reduction="none", label_smoothing=0.1, class_weight=weight, temperature=0.7
    )
    assert_within(LOSS[FLOAT32], losses, exact.soft_loss(scaled, target), what="loss")
    scale = np.maximum(target, np.sum(target, axis=-1, keepdims=True) * exact.softmax(scaled)) / 0.7
    slope = exact.soft_gradient(scaled, target) / np.longdouble(0.7)
    assert_half_within(BOUND, gradient, slope, scale=scale, what="gradient")


def test_equal_float16_logits_do_not_overflow():
    """131072 of them: their exponentials add up to more than float16 holds."""
    x = np.zeros((1, 2**17), np.float16)
    assert_half_within(BOUND, sg.logsumexp(x), [17 * np.log(np.longdouble(2))], what="logsumexp")
    np.testing.assert_array_equal(long(sg.softmax(x)), 2.0**-17)
    loss, gradient = sg.cross_entropy.value_and_grad(x, [5])
    assert_within(LOSS[FLOAT32], loss, 17 * np.log(np.longdouble(2)), what="loss")
    assert_half_within(BOUND, gradient[0, :5], np.full(5, np.longdouble(2.0**-17)), what="gradient")


def test_the_loss_of_bfloat16_is_not_on_its_grid():
    """At 36 bfloat16 steps by a quarter; the losses differ by thousandths, and so do the results."""
    x = np.zeros((64, 4), BFLOAT16)
    x[:, 0] = 36.0
    x[:, 1] = np.linspace(36.0, 20.0, 64).astype(BFLOAT16)
    losses = sg.cross_entropy(x, np.full(64, 3), reduction="none")
    assert_within(LOSS[FLOAT32], losses, exact.loss(long(x), np.full(64, 3)), what="loss")
    steps = np.unique(losses[losses < 36.1])
    assert steps.size > 10
    assert np.min(np.diff(steps)) < 0.01


def test_the_mean_of_bfloat16_losses_does_not_depend_on_the_blocks():
    rng = fresh_rng()
    x = (4.0 * rng.standard_normal((257, 33))).astype(BFLOAT16)
    labels = rng.integers(33, size=257)
    whole = sg.cross_entropy(x, labels)
    total = np.sum(exact.loss(long(x), labels))
    for size in (1, 16, 100):
        parts = [sg.cross_entropy(x[i : i + size], labels[i : i + size], normalizer=257.0) for i in range(0, 257, size)]
        np.testing.assert_allclose(np.sum(parts, dtype=np.float64), total / 257, rtol=2 * np.finfo(np.float32).eps)
    np.testing.assert_allclose(whole, total / 257, rtol=2 * np.finfo(np.float32).eps)


@dtypes
def test_float32_and_two_bytes_agree_on_the_same_values(dtype):
    """The result is that of float32 for the same logits, rounded: nothing is computed on the coarse grid."""
    rng = fresh_rng()
    x = (5.0 * rng.standard_normal((33, 120))).astype(dtype)
    wide = x.astype(np.float32)
    for name in ("softmax", "log_softmax", "logsumexp", "sigmoid", "log_sigmoid"):
        np.testing.assert_array_equal(long(getattr(sg, name)(x)), nearest(getattr(sg, name)(wide), dtype), err_msg=name)
    labels = rng.integers(120, size=33)
    assert sg.cross_entropy(x, labels) == sg.cross_entropy(wide, labels)
