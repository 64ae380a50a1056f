"""The formulas at 50 digits, in mpmath.

The maximum is left out of the sum and log1p taken of the rest: at a gap of 115 and more 1 + R rounds to 1
even at 50 digits. Gradients of the loss with options are taken by numerical differentiation at raised
precision, so that they rest on no derivation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import mpmath

ctx = mpmath.MPContext()
ctx.dps = 50

Number = Any
Vector = list[Number]


class Row(NamedTuple):
    first_maximum: int
    maximum: Number
    rest: Number


def _statistics(x: Sequence[Number]) -> Row:
    k = max(range(len(x)), key=lambda j: (x[j], -j))
    rest = ctx.fsum(ctx.exp(x[j] - x[k]) for j in range(len(x)) if j != k)
    return Row(k, x[k], rest)


def _vector(x: Sequence[float]) -> Vector:
    return [ctx.mpf(each) for each in x]


def softmax(x: Sequence[float]) -> Vector:
    x = _vector(x)
    row = _statistics(x)
    return [ctx.exp(each - row.maximum) / (1 + row.rest) for each in x]


def log_softmax(x: Sequence[float]) -> Vector:
    x = _vector(x)
    row = _statistics(x)
    return [(each - row.maximum) - ctx.log1p(row.rest) for each in x]


def logsumexp(x: Sequence[float]) -> Number:
    row = _statistics(_vector(x))
    return row.maximum + ctx.log1p(row.rest)


def loss(x: Sequence[float], label: int) -> Number:
    x = _vector(x)
    row = _statistics(x)
    return (row.maximum - x[label]) + ctx.log1p(row.rest)


def target_gradient(x: Sequence[float], label: int) -> Number:
    """The gradient at the label; at every other class it is softmax."""
    row = _statistics(_vector(x))
    return -row.rest / (1 + row.rest) if label == row.first_maximum else softmax(x)[label] - 1


def sigmoid(x: float) -> Number:
    return 1 / (1 + ctx.exp(-ctx.mpf(x)))


def log_sigmoid(x: float) -> Number:
    return -ctx.log1p(ctx.exp(-ctx.mpf(x))) if x > 0 else ctx.mpf(x) - ctx.log1p(ctx.exp(ctx.mpf(x)))


class Problem(NamedTuple):
    """A loss with options on rows of logits; `options` are those of cross_entropy."""

    logits: list[list[float]]
    labels: list[int] | list[list[float]]
    options: dict[str, Any]


def _row_target(problem: Problem, i: int) -> tuple[Vector, Number] | None:
    """The weighted target of row i and its label weight; None for a row that does not count."""
    options, label = problem.options, problem.labels[i]
    classes = range(len(problem.logits[i]))
    allowed = options["where"][i] if "where" in options else [True for _ in classes]
    if isinstance(label, list):
        y = _vector(label)
    elif label == options.get("ignore_index"):
        return None
    else:
        y = [ctx.mpf(k == label) for k in classes]
    w = _vector(options.get("class_weight", [1.0 for _ in classes]))
    label_weight = ctx.mpf(options["sample_weight"][i] if "sample_weight" in options else 1.0)
    label_weight *= ctx.fsum(y[k] * w[k] for k in classes)
    if label_weight == 0 or not any(allowed):
        return None
    a = ctx.mpf(options.get("label_smoothing", 0.0))
    share = a / sum(allowed)
    return [((1 - a) * y[k] + (share if allowed[k] else 0)) * w[k] for k in classes], label_weight


def _row_loss(problem: Problem, i: int, logits: Vector, target: Vector) -> Number:
    options = problem.options
    z = logits
    if "softcap" in options:
        c = ctx.mpf(options["softcap"])
        z = [c * ctx.tanh(each / c) for each in z]
    z = [each / ctx.mpf(options.get("temperature", 1.0)) for each in z]
    allowed = options["where"][i] if "where" in options else [True for _ in z]
    row = _statistics([each for each, taken in zip(z, allowed, strict=True) if taken])
    log_rest = ctx.log1p(row.rest)
    terms = zip(target, z, strict=True)
    value = ctx.fsum(q * ((row.maximum - each) + log_rest) for q, each in terms if q != 0)
    value += ctx.mpf(options.get("z_loss", 0.0)) * (row.maximum + log_rest) ** 2
    return value * ctx.mpf(options["sample_weight"][i] if "sample_weight" in options else 1.0)


def _divisor(problem: Problem, label_weights: Vector) -> Number:
    if problem.options.get("reduction", "mean") == "sum" or not label_weights:
        return ctx.mpf(1)
    normalizer = problem.options.get("normalizer", "weights")
    if normalizer == "weights":
        return ctx.fsum(label_weights)
    return ctx.mpf(len(label_weights) if normalizer == "count" else normalizer)


def cross_entropy(problem: Problem) -> tuple[Number, list[Vector]]:
    """The loss, reduction "mean" or "sum", and its gradient by numerical differentiation."""
    total, gradient, label_weights = ctx.mpf(0), [], []
    for i, logits in enumerate(problem.logits):
        x = _vector(logits)
        found = _row_target(problem, i)
        if found is None:
            gradient.append([ctx.mpf(0) for _ in x])
            continue
        target, label_weight = found
        label_weights.append(label_weight)
        total += _row_loss(problem, i, x, target)

        def moved(t: Number, k: int, x: Vector = x, i: int = i, target: Vector = target) -> Number:
            return _row_loss(problem, i, [*x[:k], t, *x[k + 1 :]], target)

        gradient.append([ctx.diff(lambda t, k=k, moved=moved: moved(t, k), x[k]) for k in range(len(x))])
    divisor = _divisor(problem, label_weights)
    return total / divisor, [[each / divisor for each in row] for row in gradient]
