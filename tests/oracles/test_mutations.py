"""Families, bounds and metric together: the right formula passes everywhere, each well-known wrong one fails.

The right formula is evaluated in long double, a wrong one differs from it in a single place. What is checked here is
not softgrad but the means by which softgrad is checked.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import exact
from tests.oracles.bounds import DTYPES, GRADIENT, LOG_SOFTMAX, LOSS, SOFTMAX
from tests.oracles.inputs import FAMILIES, LONG, STRETCH, fresh_rng
from tests.oracles.ulp import ulp_error

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def evaluate(x, labels, mutation=None):
    """softmax, log_softmax, loss and gradient of rows, with one mutation."""
    dtype = x.dtype
    rows = x if mutation == "rounded shift" else x.astype(np.longdouble)
    maximum = rows.max(axis=-1, keepdims=True)
    top = np.arange(x.shape[-1]) == np.argmax(rows, axis=-1)[:, None]
    shifted = rows - maximum
    exponentials = np.exp(shifted)
    others = np.where(top, 0.0, exponentials)
    rest = others.sum(axis=-1, keepdims=True)
    if mutation == "one chain":
        rest = np.add.accumulate(others.astype(dtype), axis=-1)[:, -1:].astype(np.longdouble)
    log_rest = np.log1p(rest)
    if mutation == "log(1 + R)":
        log_rest = np.log(dtype.type(1.0) + rest.astype(dtype))
    p = exponentials / (1.0 + rest)
    hot = np.arange(x.shape[-1]) == labels[:, None]
    at_label = np.take_along_axis(rows, labels[:, None], axis=-1)
    loss = (maximum - at_label) + log_rest
    if mutation == "lse - x":
        loss = (maximum + log_rest).astype(dtype) - at_label
    if mutation == "exp(x - lse)":
        p = np.exp(rows - (maximum + log_rest).astype(dtype))
    gradient = np.where(hot, np.where(top, -rest / (1.0 + rest), p - 1.0), p)
    if mutation == "p - 1":
        gradient = p.astype(dtype) - hot
    if mutation == "flush to zero":
        p = np.where(p < np.finfo(dtype).smallest_normal, 0.0, p)
    results = {"softmax": p, "log_softmax": shifted - log_rest, "loss": loss[:, 0], "gradient": gradient}
    with np.errstate(under="ignore"):
        return {name: result.astype(dtype) for name, result in results.items()}


def failures(mutation, dtype, families, length):
    """What is beyond its bound: pairs of a result and a family."""
    rng = fresh_rng()
    bounds = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX, "loss": LOSS, "gradient": GRADIENT}
    found = set()
    for family in families:
        x = FAMILIES[family](rng, (4, length), dtype)
        for labels in (np.argmax(x, axis=1), rng.integers(length, size=4)):
            expected = {
                "softmax": exact.softmax(x),
                "log_softmax": exact.log_softmax(x),
                "loss": exact.loss(x, labels),
                "gradient": exact.gradient(x, labels),
            }
            for name, actual in evaluate(x, labels, mutation).items():
                if np.any(ulp_error(actual, expected[name]) > bounds[name][dtype]):
                    found.add((name, family))
    return found


@dtypes
def test_the_right_formula_passes(dtype):
    assert failures(None, dtype, FAMILIES, STRETCH + 1) == set()


@dtypes
@pytest.mark.parametrize(
    ("mutation", "length", "must_fail"),
    [
        ("log(1 + R)", STRETCH + 1, {("log_softmax", "confident 40"), ("loss", "confident 40")}),
        ("p - 1", STRETCH + 1, {("gradient", "confident 40")}),
        ("lse - x", STRETCH + 1, {("loss", "offset 1e4")}),
        ("exp(x - lse)", STRETCH + 1, {("softmax", "offset 1e4"), ("gradient", "offset 1e4")}),
        ("rounded shift", STRETCH + 1, {("softmax", "normal 30"), ("gradient", "normal 30")}),
        ("flush to zero", STRETCH + 1, {("softmax", "underflow")}),
        ("one chain", LONG, {("softmax", "normal 1"), ("softmax", "dominant 12"), ("loss", "dominant 12")}),
    ],
)
def test_a_wrong_formula_fails(mutation, length, must_fail, dtype):
    families = {family for _, family in must_fail}
    assert must_fail <= failures(mutation, dtype, sorted(families), length)
