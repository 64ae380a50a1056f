"""The reference definitions against the mpmath tables.

The reference subtracts the maximum in float64: x - m, rounded, moves the exponential by |x - m| eps. That is
its stated error, and the allowance here.
"""

from __future__ import annotations

import numpy as np
import pytest

from softgrad import reference
from tests.oracles import generate
from tests.oracles.bounds import DTYPES
from tests.oracles.ulp import assert_within

EPS = np.finfo(np.float64).eps


def allowance(x):
    finite = x[np.isfinite(x)]
    return 4.0 + float(np.ptp(finite.astype(np.longdouble)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_softmax_family(dtype):
    for entry in generate.read(f"softmax_{dtype.name}"):
        x = generate.from_hex(entry["x"], dtype)
        bound, what = allowance(x), f"{entry['family']}, {x.size} classes"
        softmax = generate.from_decimal(entry["softmax"])
        assert_within(bound, reference.softmax(x), softmax, what=f"softmax, {what}")
        exact = generate.from_decimal(entry["log_softmax"])
        assert_within(bound, reference.log_softmax(x), exact, what=f"log_softmax, {what}")
        exact = generate.from_decimal(entry["logsumexp"])
        largest = np.max(np.abs(x[np.isfinite(x)]))
        scale = np.maximum(np.abs(exact), largest)
        assert_within(2, reference.logsumexp(x), exact, scale=scale, what=f"logsumexp, {what}")
        labels = np.array(entry["labels"])
        rows = np.broadcast_to(x, (labels.size, x.size))
        loss = reference.cross_entropy(rows, labels, reduction="none")
        assert_within(bound, loss, generate.from_decimal(entry["loss"]), what=f"loss, {what}")
        exact = np.array(np.broadcast_to(softmax, rows.shape))
        exact[np.arange(labels.size), labels] = generate.from_decimal(entry["target_gradient"])
        gradient = reference.cross_entropy_grad(rows, labels, reduction="sum")
        assert_within(bound, gradient, exact, what=f"gradient, {what}")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sigmoid_family(dtype):
    for entry in generate.read(f"sigmoid_{dtype.name}"):
        x = generate.from_hex(entry["x"], dtype)
        assert_within(2, reference.sigmoid(x), generate.from_decimal(entry["sigmoid"]), what="sigmoid")
        exact = generate.from_decimal(entry["log_sigmoid"])
        assert_within(2, reference.log_sigmoid(x), exact, what="log_sigmoid")


OPTIONS = generate.read("cross_entropy_options")


def describe(entry):
    kind = "indices" if entry["labels"] == generate.LABELS else "probabilities"
    return f"{kind}, {' and '.join(entry['options']) or 'no option'}"


@pytest.mark.parametrize("entry", OPTIONS, ids=describe)
def test_cross_entropy_options(entry):
    logits = np.stack([generate.from_hex(row, np.dtype(np.float32)) for row in entry["logits"]])
    labels, options = np.array(entry["labels"]), entry["options"]
    loss = reference.cross_entropy(logits, labels, **options)
    exact_loss = generate.from_decimal(entry["loss"])
    if np.isfinite(exact_loss):
        assert_within(8, loss, exact_loss, what="loss")
    else:
        np.testing.assert_array_equal(loss, exact_loss)
    gradient = reference.cross_entropy_grad(logits, labels, **options)
    exact = generate.from_decimal(entry["gradient"])
    # Q p - q may cancel to nothing: the scale is that of the terms, here weights and probabilities up to 6.
    np.testing.assert_array_less(np.abs(gradient - exact), 16 * EPS)
    assert np.max(np.abs(exact)) > 0.01
