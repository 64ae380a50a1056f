"""Laws of softmax and its family, on examples that Hypothesis looks for.

A failure prints a @reproduce_failure line; nothing is stored between runs.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import softgrad as sg
from tests.losses.problems import one_hot
from tests.oracles.bounds import DTYPES
from tests.oracles.half import HALF_DTYPES, long

law = settings(
    database=None,
    deadline=None,
    derandomize=False,
    print_blob=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
all_dtypes = pytest.mark.parametrize("dtype", [*DTYPES, *HALF_DTYPES], ids=str)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
SIDES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
EPS = {dtype: float(ml_dtypes.finfo(dtype).eps) for dtype in (*DTYPES, *HALF_DTYPES)}
# The smallest subnormal: below the range of a dtype its grid is all that is promised.
GRID = {dtype: float(ml_dtypes.finfo(dtype).smallest_subnormal) for dtype in (*DTYPES, *HALF_DTYPES)}


def wide(values):
    values = np.asarray(values)
    return long(values) if values.dtype in HALF_DTYPES else values.astype(np.longdouble)


@st.composite
def logits(draw, dtype, *, masked=True):
    """Rows of any finite values of moderate size, some of them -inf, one class at least finite."""
    shape = draw(SIDES)
    limit = draw(st.sampled_from([1.0, 20.0, 300.0, 6e4]))
    x = draw(hnp.arrays(np.float32, shape, elements=st.floats(-limit, limit, width=32, allow_nan=False)))
    if masked and draw(st.booleans()):
        out = draw(hnp.arrays(bool, shape))
        out[:, draw(st.integers(0, shape[1] - 1))] = False
        x = np.where(out, -np.inf, x)
    return x.astype(dtype)


@st.composite
def logits_and_labels(draw, dtype, *, masked=True):
    x = draw(logits(dtype, masked=masked))
    labels = draw(hnp.arrays(np.int64, x.shape[0], elements=st.integers(0, x.shape[1] - 1)))
    return x, labels


def same_bits(one, other):
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


@all_dtypes
@law
@given(data=st.data())
def test_rows_sum_to_one(dtype, data):
    p = wide(sg.softmax(data.draw(logits(dtype))))
    assert np.all(p >= 0)
    assert np.all(p <= 1)
    # Each component errs by an ulp or two of its own, or by the grid below the range.
    allowed = 2 * EPS[dtype] + p.shape[1] * GRID[dtype]
    assert np.all(np.abs(p.sum(axis=1) - 1) <= allowed)


@all_dtypes
@law
@given(data=st.data())
def test_gradient_rows_sum_to_zero(dtype, data):
    x, labels = data.draw(logits_and_labels(dtype))
    gradient = wide(sg.cross_entropy.grad(x, labels, reduction="sum"))
    allowed = 3 * EPS[dtype] * np.sum(np.abs(gradient), axis=1) + 3 * x.shape[1] * GRID[dtype]
    assert np.all(np.abs(gradient.sum(axis=1)) <= allowed)
    off_target = gradient[np.arange(x.shape[1]) != labels[:, None]]
    assert np.all(off_target >= 0)
    assert np.all(gradient[np.arange(len(labels)), labels] <= 0)


@dtypes
@law
@given(data=st.data())
def test_shifts_that_are_exact(dtype, data):
    """Integers, shifted by an integer: x - m is the same, and so are all results but logsumexp, to the bound."""
    shape = data.draw(SIDES)
    x = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-100, 100)))
    shift = data.draw(st.sampled_from([1, -1, 1000, -(2**20), 2**22]))
    labels = data.draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))
    near, far = x.astype(dtype), (x + shift).astype(dtype)
    eps, grid = EPS[dtype], GRID[dtype]

    def assert_close(one, other, bound):
        assert np.all(np.abs(wide(one) - wide(other)) <= 2 * bound * (eps * np.abs(wide(other)) + grid))

    assert_close(sg.softmax(far), sg.softmax(near), 2)
    assert_close(sg.log_softmax(far), sg.log_softmax(near), 2)
    far_loss, far_gradient = sg.cross_entropy.value_and_grad(far, labels, reduction="none")
    near_loss, near_gradient = sg.cross_entropy.value_and_grad(near, labels, reduction="none")
    assert_close(far_loss, near_loss, 2)
    assert_close(far_gradient, near_gradient, 3)
    lse = wide(sg.logsumexp(near)) + shift
    assert np.all(np.abs(wide(sg.logsumexp(far)) - lse) <= 2 * eps * np.maximum(np.abs(shift) + 110, np.abs(lse)))


@all_dtypes
@law
@given(data=st.data())
def test_permuted_rows_have_the_same_bits(dtype, data):
    x, labels = data.draw(logits_and_labels(dtype))
    order = data.draw(st.permutations(range(x.shape[0])))
    for name in ("softmax", "log_softmax", "logsumexp"):
        assert same_bits(getattr(sg, name)(x[order]), getattr(sg, name)(x)[order]), name
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="none")
    other, slope = sg.cross_entropy.value_and_grad(x[order], labels[order], reduction="none")
    assert same_bits(other, loss[order])
    assert same_bits(slope, gradient[order])


@dtypes
@law
@given(data=st.data())
def test_permuted_classes_permute_the_result(dtype, data):
    """To the bound: the sums run in another order."""
    x, labels = data.draw(logits_and_labels(dtype))
    order = np.array(data.draw(st.permutations(range(x.shape[1]))))
    eps, grid = EPS[dtype], GRID[dtype]

    def assert_close(one, other, bound):
        one, other = wide(one), wide(other)
        finite = np.isfinite(other)
        np.testing.assert_array_equal(one[~finite], other[~finite])
        difference = np.abs(one[finite] - other[finite])
        assert np.all(difference <= 2 * bound * (eps * np.abs(other[finite]) + grid))

    for name in ("softmax", "log_softmax"):
        assert_close(getattr(sg, name)(x[:, order]), getattr(sg, name)(x)[:, order], 2)
    moved = np.argsort(order)[labels]
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="none")
    other, slope = sg.cross_entropy.value_and_grad(x[:, order], moved, reduction="none")
    assert_close(other, loss, 2)
    assert_close(slope, gradient[:, order], 3)


@dtypes
@law
@given(data=st.data())
def test_an_index_equals_its_one_hot_row(dtype, data):
    x, labels = data.draw(logits_and_labels(dtype))
    rows = one_hot(labels, x.shape[1], dtype)
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="none")
    other, slope = sg.cross_entropy.value_and_grad(x, rows, reduction="none")
    eps, grid = EPS[dtype], GRID[dtype]
    finite = np.isfinite(loss)
    np.testing.assert_array_equal(other[~finite], loss[~finite])
    assert np.all(np.abs(wide(other[finite]) - wide(loss[finite])) <= 4 * (eps * np.abs(wide(loss[finite])) + grid))
    assert np.all(np.abs(wide(slope) - wide(gradient)) <= 6 * (eps * np.abs(wide(gradient)) + grid))


@all_dtypes
@law
@given(data=st.data())
def test_nan_reaches_its_row_and_no_other(dtype, data):
    x, labels = data.draw(logits_and_labels(dtype))
    struck = data.draw(hnp.arrays(bool, x.shape[0]))
    places = data.draw(hnp.arrays(np.int64, x.shape[0], elements=st.integers(0, x.shape[1] - 1)))
    value = data.draw(st.sampled_from([np.nan, np.inf]))
    hit = x.copy()
    hit[struck, places[struck]] = value
    for name in ("softmax", "log_softmax"):
        before, after = getattr(sg, name)(x), getattr(sg, name)(hit)
        assert np.all(np.isnan(wide(after[struck])))
        assert same_bits(after[~struck], before[~struck])
    before, after = sg.logsumexp(x), sg.logsumexp(hit)
    np.testing.assert_array_equal(wide(after[struck]), value)
    assert same_bits(after[~struck], before[~struck])
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="none")
    struck_loss, struck_gradient = sg.cross_entropy.value_and_grad(hit, labels, reduction="none")
    assert np.all(np.isnan(struck_loss[struck]))
    assert np.all(np.isnan(wide(struck_gradient[struck])))
    assert same_bits(struck_loss[~struck], loss[~struck])
    assert same_bits(struck_gradient[~struck], gradient[~struck])


@all_dtypes
@law
@given(data=st.data())
def test_inputs_are_never_written(dtype, data):
    x, labels = data.draw(logits_and_labels(dtype))
    kept = x.copy()
    sg.softmax(x)
    sg.logsumexp(x)
    sg.cross_entropy.value_and_grad(x, labels, label_smoothing=0.1)
    sg.cross_entropy.value_and_grad(x, labels, temperature=2.0)
    assert same_bits(x, kept)


@dtypes
@law
@given(data=st.data())
def test_softmax_of_a_pair_is_the_sigmoid(dtype, data):
    x = data.draw(hnp.arrays(dtype, 30, elements=st.floats(-80, 80, width=32)))
    pairs = np.stack([x, np.zeros_like(x)], axis=1)
    s = wide(sg.sigmoid(x))
    assert np.all(np.abs(wide(sg.softmax(pairs))[:, 0] - s) <= 5 * (EPS[dtype] * s + GRID[dtype]))


@dtypes
@law
@given(data=st.data())
def test_monotony(dtype, data):
    """A larger logit never has a smaller probability, nor a smaller log-probability."""
    x = data.draw(logits(dtype))
    order = np.argsort(x, axis=1)
    for name in ("softmax", "log_softmax"):
        sorted_rows = np.take_along_axis(wide(getattr(sg, name)(x)), order, axis=1)
        with np.errstate(invalid="ignore"):
            steps = np.diff(sorted_rows, axis=1)
        assert np.all((steps >= 0) | np.isnan(steps)), name


@dtypes
@law
@given(data=st.data())
def test_a_mask_is_minus_infinity(dtype, data):
    """Leaving classes out and setting them to -inf is the same, to the bound, while one class takes part."""
    x, labels = data.draw(logits_and_labels(dtype, masked=False))
    mask = data.draw(hnp.arrays(bool, x.shape))
    mask[np.arange(len(labels)), labels] = True
    sunk = np.where(mask, x, dtype.type(-np.inf))
    eps, grid = EPS[dtype], GRID[dtype]
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, where=mask, reduction="none")
    other, slope = sg.cross_entropy.value_and_grad(sunk, labels, reduction="none")
    assert np.all(np.abs(wide(loss) - wide(other)) <= 4 * (eps * wide(other) + grid))
    assert np.all(np.abs(wide(gradient) - wide(slope)) <= 6 * (eps * np.abs(wide(slope)) + grid))
