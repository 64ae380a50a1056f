"""Exact enough values for whole arrays, in NumPy's long double.

x - m is kept as an exact pair, so the exponential is right to about 2^-63 however large the gap. A long
double has 11 bits more than float64, so the oracle errs by about a thousandth of a float64 ulp; test_exact.py
holds it below a hundredth, against mpmath. All functions work along the last axis, on rows whose maximum is
finite: the other rows are a matter of named cases, not of accuracy.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

LongArray = NDArray[np.longdouble]

if np.finfo(np.longdouble).nmant < 63:
    raise RuntimeError("the oracle needs a long double of at least 64 bits; this platform has none")


class Row(NamedTuple):
    first_maximum: NDArray[np.intp]
    shifted: LongArray
    correction: LongArray
    exponentials: LongArray
    rest: LongArray


def _long(x: ArrayLike) -> LongArray:
    return np.asarray(x).astype(np.longdouble)


def _difference(a: LongArray, b: LongArray) -> tuple[LongArray, LongArray]:
    """a - b as the rounded difference and the exact remainder (two-sum); an infinite difference has none."""
    difference = a - b
    with np.errstate(invalid="ignore"):
        virtual = difference - a
        remainder = (a - (difference - virtual)) - (b + virtual)
    return difference, np.where(np.isfinite(difference), remainder, 0.0)


def _statistics(x: ArrayLike) -> Row:
    """The statistics of rows; the last ones are kept, since a check asks for several results of one array."""
    array = np.asarray(x)
    return _statistics_of(array.tobytes(), array.dtype, array.shape)


@lru_cache(maxsize=1)
def _statistics_of(values: bytes, dtype: np.dtype, shape: tuple[int, ...]) -> Row:
    rows = _long(np.frombuffer(values, dtype).reshape(shape))
    first_maximum = np.argmax(rows, axis=-1)[..., None]
    maximum = np.take_along_axis(rows, first_maximum, axis=-1)
    if not np.all(np.isfinite(maximum)):
        raise ValueError("a row has no finite maximum")
    shifted, correction = _difference(rows, maximum)
    with np.errstate(under="ignore"):
        exponentials = np.exp(shifted)
        exponentials = exponentials + exponentials * correction
    without_maximum = exponentials.copy()
    np.put_along_axis(without_maximum, first_maximum, np.longdouble(0.0), axis=-1)
    rest = np.sum(without_maximum, axis=-1, keepdims=True)
    row = Row(first_maximum, shifted, correction, exponentials, rest)
    for array in row:
        array.flags.writeable = False
    return row


def softmax(x: ArrayLike) -> LongArray:
    row = _statistics(x)
    with np.errstate(under="ignore"):
        return row.exponentials / (1.0 + row.rest)


def log_softmax(x: ArrayLike) -> LongArray:
    row = _statistics(x)
    return row.shifted + (row.correction - np.log1p(row.rest))


def logsumexp(x: ArrayLike) -> LongArray:
    return (np.max(_long(x), axis=-1, keepdims=True) + np.log1p(_statistics(x).rest))[..., 0]


def loss(x: ArrayLike, labels: NDArray[np.integer]) -> LongArray:
    """Per-row cross-entropy of class indices, without weights."""
    return -np.take_along_axis(log_softmax(x), labels[..., None], axis=-1)[..., 0]


def gradient(x: ArrayLike, labels: NDArray[np.integer]) -> LongArray:
    """Gradient of `loss` for each row: softmax, and at the label what is left of it after taking 1 away."""
    row = _statistics(x)
    result = softmax(x)
    at_label = np.take_along_axis(result, labels[..., None], axis=-1)
    at_maximum = -row.rest / (1.0 + row.rest)
    value = np.where(labels[..., None] == row.first_maximum, at_maximum, at_label - 1.0)
    np.put_along_axis(result, labels[..., None], value, axis=-1)
    return result


def soft_loss(x: ArrayLike, target: ArrayLike) -> LongArray:
    """Per-row cross-entropy of target masses q: the sum of q_j times -log p_j over the classes with mass."""
    q = _long(target)
    return np.sum(np.multiply(q, -log_softmax(x), out=np.zeros_like(q), where=q != 0.0), axis=-1)


def soft_gradient(x: ArrayLike, target: ArrayLike) -> LongArray:
    """Gradient of `soft_loss` for each row: Q p - q."""
    q = _long(target)
    row = _statistics(x)
    total = np.sum(q, axis=-1, keepdims=True)
    others = q.copy()
    np.put_along_axis(others, row.first_maximum, np.longdouble(0.0), axis=-1)
    at_maximum = np.sum(others, axis=-1, keepdims=True) - total * (row.rest / (1.0 + row.rest))
    result = total * softmax(x) - q
    plain = np.take_along_axis(result, row.first_maximum, axis=-1)
    mass = np.take_along_axis(q, row.first_maximum, axis=-1)
    np.put_along_axis(result, row.first_maximum, np.where(2.0 * mass > total, at_maximum, plain), axis=-1)
    return result


def sigmoid(x: ArrayLike) -> LongArray:
    with np.errstate(over="ignore", under="ignore"):
        return 1.0 / (1.0 + np.exp(-_long(x)))


def log_sigmoid(x: ArrayLike) -> LongArray:
    rows = _long(x)
    with np.errstate(under="ignore"):
        return np.minimum(rows, 0.0) - np.log1p(np.exp(-np.abs(rows)))
