"""More than 2^31 elements in one call, and a row of 2^24: broadcast inputs, since the machines that test are small."""

from __future__ import annotations

import numpy as np
import pytest

import softgrad as sg
from tests.oracles import exact
from tests.oracles.bounds import DTYPES, GRADIENT, LOG_SOFTMAX, LOGSUMEXP, LOSS, SOFTMAX
from tests.oracles.half import assert_half_within, long
from tests.oracles.inputs import FAMILIES, fresh_rng
from tests.oracles.ulp import assert_within

pytestmark = pytest.mark.slow
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)
MANY = 2**31 + 2**16


def test_more_than_2_to_the_31_elements_from_one_row():
    """Rows without a stride: 2^31 elements that take a few megabytes."""
    rng = fresh_rng()
    classes = 2**16
    row = (3.0 * rng.standard_normal(classes)).astype(np.float32)
    x = np.broadcast_to(row, (MANY // classes, classes))
    assert x.size > 2**31
    lse = sg.logsumexp(x)
    expected = exact.logsumexp(row[None])[0]
    assert_within(LOGSUMEXP[row.dtype], lse[:1], [expected], scale=max(expected, np.max(np.abs(row))), what="logsumexp")
    assert np.all(lse == lse[0])
    labels = rng.integers(classes, size=x.shape[0])
    losses = sg.cross_entropy(x, labels, reduction="none")
    assert_within(LOSS[row.dtype], losses, -exact.log_softmax(row[None])[0][labels], what="loss")


def test_one_row_of_more_than_2_to_the_31_classes():
    """Equal logits: the counts of the lanes and the sums of the parts reach 2^31 and beyond."""
    x = np.broadcast_to(np.float32(1.5), (MANY,))
    log_count = np.log(np.longdouble(MANY))
    lse = sg.logsumexp(x)
    assert_within(LOGSUMEXP[x.dtype], lse, 1.5 + log_count, what="logsumexp")


def test_an_output_of_more_than_2_to_the_31_elements():
    """float16 in place: 4 GiB; every row is one of a few, and the last is looked at as well as the first."""
    rng = fresh_rng()
    classes = 2**11 + 3
    rows = MANY // classes + 1
    x = np.empty((rows, classes), np.float16)
    few = (4.0 * rng.standard_normal((7, classes))).astype(np.float16)
    for start in range(7):
        x[start::7] = few[start]
    assert x.size > 2**31
    assert sg.softmax(x, out=x) is x
    p = exact.softmax(long(few))
    for at in (0, rows // 2 // 7 * 7, (2**31 // classes) // 7 * 7, (rows - 7) // 7 * 7):
        assert_half_within(0.51, x[at : at + 7], p, what=f"rows from {at}")
    first = x[:7].view(np.uint16)
    for start in range(7):
        assert np.all(x[start::7].view(np.uint16) == first[start])


@dtypes
@pytest.mark.parametrize("family", ["normal 5", "dominant 17"])
def test_a_row_of_2_to_the_24(family, dtype):
    rng = fresh_rng()
    x = FAMILIES[family](rng, (1, 2**24), dtype)
    lse = exact.logsumexp(x)
    scale = np.maximum(np.abs(lse), np.max(np.abs(x)))
    assert_within(LOGSUMEXP[dtype], sg.logsumexp(x), lse, scale=scale, what="logsumexp")
    assert_within(SOFTMAX[dtype], sg.softmax(x), exact.softmax(x), what="softmax")
    assert_within(LOG_SOFTMAX[dtype], sg.log_softmax(x), exact.log_softmax(x), what="log_softmax")
    labels = np.argmax(x, axis=1)
    loss, gradient = sg.cross_entropy.value_and_grad(x, labels, reduction="none")
    assert_within(LOSS[dtype], loss, exact.loss(x, labels), what="loss")
    assert_within(GRADIENT[dtype], gradient, exact.gradient(x, labels), what="gradient")
