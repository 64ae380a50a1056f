"""Confident logits: what is too small to matter does not reach the products, and what matters does."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from softgrad import _native, reference
from softgrad._negligible import clear_negligible
from softgrad.losses._linear_cross_entropy import _head
from tests.oracles.bounds import FLOAT32, FLOAT64
from tests.oracles.inputs import fresh_rng

# What an entry of the gradient of a row's own loss must have to be kept, as the docstring states.
LEAST = {FLOAT32: 2.0**-96, FLOAT64: 2.0**-992}
# Standard deviations of logits at which many of their gradients would be subnormal.
SPREADS = {FLOAT32: (16.0, 32.0, 64.0), FLOAT64: (128.0, 300.0, 1000.0)}
IN_BLOCKS = [{}, {"block_bytes": 4096}]
dtypes = pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)


def subnormal(array: np.ndarray) -> int:
    sizes = np.abs(array)
    return int(np.count_nonzero((sizes > 0.0) & (sizes < np.finfo(array.dtype).smallest_normal)))


def confident(rng, dtype, spread, rows=96, features=16, classes=300):
    hidden = rng.standard_normal((rows, features)).astype(dtype)
    weight = (rng.standard_normal((classes, features)) * spread / np.sqrt(features)).astype(dtype)
    return hidden, weight, rng.integers(classes, size=rows)


def around_the_least(rng, dtype, rows=40, classes=67):
    """Logits of probabilities about as small as what is kept, but for the maximum; hidden picks a row of them each."""
    x = np.log(LEAST[dtype]) + np.log(2.0) * rng.uniform(-12.0, 12.0, (rows, classes))
    labels = rng.integers(classes, size=rows)
    # Neither 0 nor 1.
    x[np.arange(rows), labels] = 0.0
    x[np.arange(rows), (labels + 1) % classes] = -1.0
    x = x.astype(dtype)
    return np.eye(rows, dtype=dtype), np.ascontiguousarray(x.T), labels, x.astype(np.float64)


@dtypes
@pytest.mark.parametrize("options", IN_BLOCKS, ids=str)
def test_what_is_kept_is_what_is_stated(options, dtype):
    rng = fresh_rng()
    hidden, weight, labels, x = around_the_least(rng, dtype)
    sample_weight = 2.0 ** rng.uniform(-8.0, 0.0, len(x))
    upstream = -(2.0 ** rng.uniform(-8.0, 0.0, len(x)))
    found = sg.linear_cross_entropy.grad(
        hidden, weight, labels, sample_weight=sample_weight, reduction="none", upstream=upstream, **options
    ).weight.T
    own = reference.cross_entropy_grad(x, labels, reduction="sum")
    expected = own * (sample_weight * upstream)[:, None]
    eps = 16 * np.finfo(dtype).eps
    kept, dropped = np.abs(own) > LEAST[dtype] * (1 + eps), np.abs(own) < LEAST[dtype] * (1 - eps)
    assert kept.any(axis=1).all()
    assert np.count_nonzero(dropped) > 100
    assert np.count_nonzero(kept) > 100
    np.testing.assert_array_equal(found[dropped], 0.0)
    assert np.all(np.abs(found - expected)[kept] <= eps * np.abs(expected[kept]))


@dtypes
def test_a_small_factor_changes_nothing_of_it(dtype):
    hidden, weight, labels, _ = around_the_least(fresh_rng(), dtype)
    small = 2.0**-20
    whole = sg.linear_cross_entropy.grad(hidden, weight, labels, reduction="sum").weight
    scaled = sg.linear_cross_entropy.grad(hidden, weight, labels, reduction="sum", upstream=small).weight
    assert np.count_nonzero(whole) > np.count_nonzero(np.abs(whole) > LEAST[dtype] * 2.0**10) > 0
    np.testing.assert_array_equal(scaled, whole * np.asarray(small, dtype))


@dtypes
@pytest.mark.parametrize("options", [*IN_BLOCKS, {"temperature": 2.0}, {"softcap": 2000.0}], ids=str)
def test_no_subnormal_gradient_is_multiplied(options, dtype, monkeypatch):
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def product(a, b, out):
        seen.append((a.copy(), b.copy()))
        np.matmul(a, b, out=out)

    monkeypatch.setattr(_head, "in_numpy", product)
    for spread in SPREADS[dtype]:
        hidden, weight, labels = confident(fresh_rng(), dtype, spread)
        plain = reference.cross_entropy_grad(hidden.astype(np.float64) @ weight.T.astype(np.float64), labels)
        assert subnormal(plain.astype(dtype)) > 0
        sg.linear_cross_entropy.grad(hidden, weight, labels, **options)
        if "block_bytes" not in options:
            sg.linear_cross_entropy.hvp(hidden, weight, labels, None, (hidden[::-1], weight[::-1], None), **options)
    assert len(seen) > 9
    assert [subnormal(each) for pair in seen for each in pair] == [0] * 2 * len(seen)


@dtypes
@pytest.mark.parametrize("options", IN_BLOCKS, ids=str)
def test_confident_gradients_against_the_reference(options, dtype):
    eps = float(np.finfo(dtype).eps)
    for spread in SPREADS[dtype]:
        hidden, weight, labels = confident(fresh_rng(), dtype, spread)
        loss, found = sg.linear_cross_entropy.value_and_grad(hidden, weight, labels, **options)
        wide = hidden.astype(np.float64), weight.astype(np.float64)
        assert abs(loss - reference.linear_cross_entropy(*wide, labels)) <= 64 * eps * loss
        expected = reference.linear_cross_entropy_grad(*wide, labels)
        # The logits are rounded, which counts in the exponentials; so is each sum.
        for one, other in ((found.hidden, expected.hidden), (found.weight, expected.weight)):
            assert np.max(np.abs(one - other)) <= 8 * spread * eps * np.max(np.abs(other))
            assert np.max(np.abs(other)) > 0.0


@dtypes
def test_confident_second_derivatives_against_the_reference(dtype):
    eps = float(np.finfo(dtype).eps)
    for spread in SPREADS[dtype]:
        rng = fresh_rng()
        hidden, weight, labels = confident(rng, dtype, spread)
        vectors = rng.standard_normal(hidden.shape).astype(dtype), rng.standard_normal(weight.shape).astype(dtype), None
        wide = hidden.astype(np.float64), weight.astype(np.float64)
        change = sg.linear_cross_entropy.jvp(hidden, weight, labels, None, vectors)
        each = reference.linear_cross_entropy_jvp(*wide, labels, None, vectors, reduction="none")
        assert abs(change - np.mean(each)) <= 8 * spread * eps * np.max(np.abs(each))
        found = sg.linear_cross_entropy.hvp(hidden, weight, labels, None, vectors)
        expected = reference.linear_cross_entropy_hvp(*wide, labels, None, vectors)
        for one, other in ((found.hidden, expected.hidden), (found.weight, expected.weight)):
            assert np.max(np.abs(one - other)) <= 32 * spread * eps * np.max(np.abs(other))
            assert np.max(np.abs(other)) > 0.0


@dtypes
def test_small_vectors_lose_nothing_more(dtype):
    hidden, weight, labels, _ = around_the_least(fresh_rng(), dtype)
    small = np.asarray(2.0**-20, dtype)
    vector = fresh_rng().standard_normal(weight.shape).astype(dtype)

    def product(v):
        return sg.linear_cross_entropy.hvp(hidden, weight, labels, None, (None, v, None), wrt=("weight",)).weight

    whole = product(vector)
    assert np.count_nonzero(whole) > np.count_nonzero(np.abs(whole) > LEAST[dtype] * 2.0**10) > 0
    np.testing.assert_array_equal(product(vector * small), whole * small)


@dtypes
def test_entries_are_cleared_by_the_threshold_of_their_row(dtype):
    rng = fresh_rng()
    for classes in (*range(1, 40), 1000):
        factors = rng.choice([0.0, 1.0, -0.25, np.inf, np.nan], size=37)
        values = (LEAST[dtype] * 2.0 ** rng.uniform(-3.0, 3.0, (37, classes))).astype(dtype)
        values *= rng.choice([-1.0, 1.0], size=values.shape).astype(dtype)
        values[rng.random(values.shape) < 0.1] = np.nan
        vectors = (2.0 ** rng.uniform(-3.0, 3.0, values.shape) * rng.choice([-1.0, 1.0], size=values.shape)).astype(
            dtype
        )
        vectors[rng.random(37) < 0.2] = 0.0
        vectors[0, rng.integers(classes)] = np.inf
        for beside, largest in (None, 1.0), (vectors, np.abs(vectors).max(axis=1).astype(np.float64)):
            wider = np.full((37, classes + 3), 7.0, dtype)
            wider[:, 1:-2] = values
            clear_negligible(wider[:, 1:-2], factors, dtype, beside)
            with np.errstate(invalid="ignore"):
                thresholds = np.broadcast_to(np.abs(factors) * LEAST[dtype] * largest, 37).astype(dtype)
                expected = np.where(np.abs(values) < thresholds[:, None], 0.0, values)
            np.testing.assert_array_equal(wider[:, 1:-2], expected)
            assert np.all(wider[:, [0, -2, -1]] == 7.0)


@dtypes
def test_workers_flush_as_their_caller_does_and_no_longer(dtype):
    """With enough rows for two threads; afterwards the workers keep subnormals again."""
    rng = fresh_rng()
    x = np.log(float(np.finfo(dtype).smallest_normal)) + rng.uniform(-8.0, 8.0, (4096, 200))
    x[:, 7] = 0.0
    x = x.astype(dtype)
    labels = np.full(len(x), 7)

    def gradient(loss):
        out = np.empty_like(x)
        loss(x, labels, (1,), gradient=out)
        return out

    with sg.num_threads(1):
        one = gradient(_native.cross_entropy_loss_flushed)
    with sg.num_threads(2):
        two, kept = gradient(_native.cross_entropy_loss_flushed), gradient(_native.cross_entropy_loss)
    assert one.tobytes() == two.tobytes()
    assert subnormal(two) == 0
    assert np.all(np.any((np.abs(kept) > 0.0) & (two == 0.0), axis=1))
    normal = np.abs(kept) >= 2 * np.finfo(dtype).smallest_normal
    np.testing.assert_allclose(two[normal], kept[normal], rtol=2 * np.finfo(dtype).eps, atol=0.0)


@dtypes
def test_what_would_be_subnormal_is_zero(dtype):
    """By a small factor in the gradients, by itself in a derivative along tangents."""
    tiny, eps = float(np.finfo(dtype).smallest_normal), 16 * np.finfo(dtype).eps
    hidden, weight, labels, x = around_the_least(fresh_rng(), dtype)
    small = 2.0**-30
    found = sg.linear_cross_entropy.grad(hidden, weight, labels, reduction="sum", upstream=small).weight.T
    expected = reference.cross_entropy_grad(x, labels, reduction="sum") * small
    np.testing.assert_array_equal(found[np.abs(expected) < tiny * (1 - eps)], 0.0)
    normal = np.abs(expected) > tiny * (1 + eps)
    assert np.all(np.abs(found - expected)[normal] <= eps * np.abs(expected[normal]))
    far = np.asarray([[0.0, np.log(tiny) - 2.0], [0.0, np.log(tiny) + 2.0]], dtype)
    tangents = None, np.eye(2, dtype=dtype)[1][:, None] * np.ones((1, 2), dtype), None
    change = sg.linear_cross_entropy.jvp(
        np.eye(2, dtype=dtype), np.ascontiguousarray(far.T), [0, 0], None, tangents, reduction="none"
    )
    assert change[0] == 0.0
    assert abs(change[1] - np.exp(float(far[1, 1]))) <= eps * np.exp(float(far[1, 1]))
