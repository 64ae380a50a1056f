"""The losses of one row as they are defined, in mpmath, and their derivatives without any derivation.

A first derivative is the imaginary part of the function a tiny step off the real line, which loses no digit; a second
one a difference of these. Logits may be -inf: such a class has probability 0 and stays there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

ctx = mpmath.MPContext()
ctx.dps = 150

Number = Any
Logits = Sequence[Number]
Loss = Callable[[Logits], Number]

# The error of a difference is of the order of the square of its step, and of the digits over the step.
_IMAGINARY, _REAL = ctx.mpf(10) ** -400, ctx.mpf(10) ** -40

# What cannot be told from 0 by these digits and steps.
NOISE = np.longdouble(10.0) ** -100


def numbers(row: Sequence[float]) -> list[Number]:
    return [ctx.mpf(float(each)) for each in row]


def _exponential(x: Number) -> Number:
    return ctx.mpf(0) if x == -ctx.inf else ctx.exp(x)


def log_sum_exp(x: Logits) -> Number:
    return ctx.log(ctx.fsum(_exponential(each) for each in x))


def cross_entropy(target: Sequence[float], temperature: float = 1.0) -> Loss:
    """sum q_j (lse - z_j), z the logits over the temperature."""

    def loss(x: Logits) -> Number:
        z = [each / ctx.mpf(temperature) for each in x]
        lse = log_sum_exp(z)
        return ctx.fsum(ctx.mpf(float(q)) * (lse - each) for q, each in zip(target, z, strict=True) if q != 0.0)

    return loss


def kl_divergence(target_logits: Sequence[float], temperature: float = 1.0) -> Loss:
    """sum q_j (log q_j - log p_j)."""
    t = [each / ctx.mpf(temperature) for each in numbers(target_logits)]
    normalizer = log_sum_exp(t)

    def loss(x: Logits) -> Number:
        z = [each / ctx.mpf(temperature) for each in x]
        lse = log_sum_exp(z)
        pairs = [(b - normalizer, a - lse) for a, b in zip(z, t, strict=True) if b != -ctx.inf]
        return ctx.fsum(ctx.exp(log_q) * (log_q - log_p) for log_q, log_p in pairs)

    return loss


def focal(label: int, gamma: float) -> Loss:
    """(1 - p)^gamma (-log p) of the label."""

    def loss(x: Logits) -> Number:
        others = ctx.fsum(_exponential(each) for j, each in enumerate(x) if j != label)
        if others == 0:
            return ctx.mpf(0)
        log_p = x[label] - log_sum_exp(x)
        return (others / (others + _exponential(x[label]))) ** ctx.mpf(gamma) * -log_p

    return loss


def binary_cross_entropy(targets: Sequence[float]) -> Loss:
    """The sum over elements of y log(1 + exp(-x)) + (1 - y) log(1 + exp(x))."""

    def loss(x: Logits) -> Number:
        total = ctx.mpf(0)
        for y, each in zip(numbers(targets), x, strict=True):
            # log(1 + exp(x)) - x is log(1 + exp(-x)); at -inf it is inf, which counts where y does.
            total += ctx.log(1 + _exponential(each))
            if y != 0:
                total -= y * each
        return total

    return loss


def entropy(x: Logits) -> Number:
    """-sum p_j log p_j."""
    lse = log_sum_exp(x)
    return -ctx.fsum(ctx.exp(each - lse) * (each - lse) for each in x if each != -ctx.inf)


def _moved(x: Logits, steps: Sequence[Number]) -> list[Number]:
    # An infinite logit has no place to move to.
    return [each if each == -ctx.inf else each + step for each, step in zip(x, steps, strict=True)]


def _slope(loss: Loss, x: Logits, i: int) -> Number:
    value = loss(_moved(x, [ctx.mpc(0, _IMAGINARY) if j == i else 0 for j in range(len(x))]))
    return value.imag / _IMAGINARY


def gradient(loss: Loss, x: Logits) -> list[Number]:
    return [_slope(loss, x, i) for i in range(len(x))]


def hessian(loss: Loss, x: Logits) -> list[list[Number]]:
    def row(j: int) -> list[Number]:
        step = [_REAL if k == j else 0 for k in range(len(x))]
        above, below = (gradient(loss, _moved(x, [sign * each for each in step])) for sign in (1, -1))
        return [(a - b) / (2 * _REAL) for a, b in zip(above, below, strict=True)]

    return [row(j) for j in range(len(x))]


def as_array(values: Any) -> NDArray[np.longdouble]:
    """Long doubles, by two parts, since mpmath itself converts to float64 alone."""

    def convert(value: Number) -> np.longdouble:
        high = float(value)
        return np.longdouble(high) + np.longdouble(float(value - high) if np.isfinite(high) else 0.0)

    if isinstance(values, list):
        return np.array([as_array(each) for each in values], np.longdouble)
    return convert(ctx.mpf(values))
