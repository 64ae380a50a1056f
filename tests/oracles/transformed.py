"""Exact enough values for rows with `where`, a softcap and a temperature, in long doubles.

The row is z = c tanh(x / c) / T over the classes that take part. Without a softcap x - m is an exact pair,
and so is its quotient by T: a rounded x / T would cost |x / T| roundings of the exponential.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

LongArray = NDArray[np.longdouble]
ZERO = np.longdouble(0.0)


class Transformed(NamedTuple):
    allowed: NDArray[np.bool_]
    first_maximum: NDArray[np.bool_]
    below: LongArray
    """z - max z, <= 0; what its rounding lost is in `lost`."""
    lost: LongArray
    maximum: LongArray
    exponentials: LongArray
    rest: LongArray
    slope: LongArray
    """dz / dx."""


def _two_sum(a: LongArray, b: LongArray) -> tuple[LongArray, LongArray]:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _two_product(a: LongArray, b: LongArray) -> tuple[LongArray, LongArray]:
    """a b and the exact remainder, by halves of 32 bits (Dekker)."""
    product = a * b
    halves = []
    for value in (a, b):
        scaled = value * np.longdouble(2**32 + 1)
        high = scaled - (scaled - value)
        halves.append((high, value - high))
    (a_high, a_low), (b_high, b_low) = halves
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def transformed(
    x: ArrayLike,
    *,
    where: ArrayLike | None = None,
    softcap: float | None = None,
    temperature: float = 1.0,
) -> Transformed:
    """Rows along the last axis, each with a finite maximum among the classes that take part."""
    rows = np.asarray(x).astype(np.longdouble)
    allowed = np.broadcast_to(True if where is None else where, rows.shape)
    divisor = np.longdouble(temperature)
    rows = np.where(allowed, rows, -np.inf)
    slope = np.ones_like(rows) / divisor
    if softcap is not None:
        cap = np.longdouble(softcap)
        with np.errstate(over="ignore"):
            slope = slope / np.cosh(np.where(allowed, rows, ZERO) / cap) ** 2
        rows = np.where(allowed, cap * np.tanh(rows / cap), -np.inf)
    first = np.argmax(rows, axis=-1)[..., None]
    maximum = np.take_along_axis(rows, first, axis=-1)
    if not np.all(np.isfinite(maximum)):
        raise ValueError("a row has no finite maximum")
    finite = np.isfinite(rows)
    high, low = _two_sum(np.where(finite, rows, ZERO), -maximum)
    quotient = high / divisor
    back, rest_of_back = _two_product(quotient, divisor)
    lost = (((high - back) - rest_of_back) + low) / divisor
    below = np.where(finite, quotient, -np.inf)
    lost = np.where(finite, lost, ZERO)
    with np.errstate(under="ignore"):
        exponentials = np.exp(below)
        exponentials = exponentials + exponentials * lost
    is_first = np.arange(rows.shape[-1]) == first
    rest = np.sum(np.where(is_first, ZERO, exponentials), axis=-1, keepdims=True)
    return Transformed(allowed, is_first, below, lost, maximum / divisor, exponentials, rest, slope)


def softmax(row: Transformed) -> LongArray:
    return row.exponentials / (1 + row.rest)


def log_softmax(row: Transformed) -> LongArray:
    return row.below + (row.lost - np.log1p(row.rest))


def logsumexp(row: Transformed) -> LongArray:
    return (row.maximum + np.log1p(row.rest))[..., 0]


def loss(row: Transformed, target: LongArray, z_loss: float = 0.0) -> LongArray:
    """Per-row loss against the masses `target`."""
    cost = np.sum(np.multiply(target, -log_softmax(row), out=np.zeros_like(target), where=target != 0.0), axis=-1)
    return cost + np.longdouble(z_loss) * logsumexp(row) ** 2


def gradient(row: Transformed, target: LongArray, z_loss: float = 0.0) -> tuple[LongArray, LongArray]:
    """The gradient by the logits, and the size of the largest of the terms that add up to each component."""
    total = np.sum(target, axis=-1, keepdims=True)
    p = softmax(row)
    others = np.sum(np.where(row.first_maximum, ZERO, target), axis=-1, keepdims=True)
    at_maximum = others - total * (row.rest / (1 + row.rest))
    plain = np.where(row.first_maximum & (2 * target > total), at_maximum, total * p - target)
    pull = 2 * np.longdouble(z_loss) * logsumexp(row)[..., None] * p
    scale = np.maximum(np.maximum(np.abs(pull), total * p), np.maximum(np.abs(total * p + pull), target))
    return np.where(row.allowed, (plain + pull) * row.slope, ZERO), scale * row.slope
