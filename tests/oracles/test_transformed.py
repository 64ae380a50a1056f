"""The long double oracle of transformed rows against mpmath at 50 digits."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import multiprecision, transformed
from tests.oracles.inputs import FAMILIES, fresh_rng
from tests.oracles.multiprecision import ctx
from tests.oracles.ulp import unit

FLOAT64 = np.dtype(np.float64)
# In units of float64: what the oracle itself may err by.
HUNDREDTH = 0.01
SETTINGS = [
    {"temperature": 0.7},
    {"temperature": 3.3},
    {"softcap": 15.0},
    {"softcap": 2.5, "temperature": 0.3},
]


def rows_of_mpmath(x, allowed, softcap=None, temperature=1.0):
    for row, taken in zip(x, allowed, strict=True):
        z = [ctx.mpf(float(value)) for value in row]
        if softcap is not None:
            z = [ctx.mpf(softcap) * ctx.tanh(value / ctx.mpf(softcap)) for value in z]
        yield [value / ctx.mpf(temperature) for value, kept in zip(z, taken, strict=True) if kept], taken


def difference(actual, exact):
    """The error of long doubles against mpmath numbers, itself a long double."""
    return np.array([float(ctx.mpf(str(a)) - b) for a, b in zip(actual, exact, strict=True)])


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("family", ["normal 5", "offset 1e6", "confident 40", "wide", "ties"])
def test_against_mpmath(family, settings):
    rng = fresh_rng()
    x = FAMILIES[family](rng, (6, 9), FLOAT64)
    allowed = rng.random(x.shape) < 0.7
    allowed[:, 4] = True
    row = transformed.transformed(x, where=allowed, **settings)
    for i, (z, taken) in enumerate(rows_of_mpmath(x, allowed, **settings)):
        log_p = multiprecision.log_softmax(z)
        found = transformed.log_softmax(row)[i]
        error = np.abs(difference(found[taken], log_p))
        # log p is what it is; the probability errs by its absolute error.
        scale = unit(np.array([float(value) for value in log_p]), FLOAT64)
        assert np.all(error <= HUNDREDTH * np.maximum(scale, unit(1.0, FLOAT64))), np.max(error / scale)
        assert np.all(found[~taken] == -np.inf)
        p = multiprecision.softmax(z)
        error = np.abs(difference(transformed.softmax(row)[i][taken], p))
        assert np.all(error <= 4 * HUNDREDTH * unit(np.array([float(value) for value in p]), FLOAT64))
        lse = multiprecision.logsumexp(z)
        scale = unit(np.maximum(abs(float(lse)), np.max(np.abs([float(value) for value in z]))), FLOAT64)
        assert abs(difference([transformed.logsumexp(row)[i]], [lse])[0]) <= HUNDREDTH * scale


@pytest.mark.parametrize("settings", [{}, *SETTINGS], ids=str)
def test_loss_and_gradient_against_mpmath(settings):
    rng = fresh_rng()
    x = 3.0 * rng.standard_normal((3, 4))
    labels = rng.integers(4, size=3)
    allowed = (rng.random(x.shape) < 0.7) | (np.arange(4) == labels[:, None])
    target = (0.8 * (np.arange(4) == labels[:, None]) + 0.2 * allowed / allowed.sum(axis=1, keepdims=True)).astype(
        np.longdouble
    )
    row = transformed.transformed(x, where=allowed, **settings)
    options = {"where": allowed.tolist(), "label_smoothing": 0.2, "z_loss": 0.05, "reduction": "sum", **settings}
    total, gradient = multiprecision.cross_entropy(multiprecision.Problem(x.tolist(), labels.tolist(), options))
    eps = float(np.finfo(np.float64).eps)
    assert abs(float(np.sum(transformed.loss(row, target, 0.05))) - float(total)) <= 4 * eps * float(total)
    found, scale = transformed.gradient(row, target, 0.05)
    expected = np.array([[float(each) for each in line] for line in gradient])
    assert np.all(np.abs(found - np.where(allowed, expected, 0.0)) <= 8 * eps * np.maximum(scale, eps))
