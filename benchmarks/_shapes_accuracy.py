"""How accurate the results are that the question about shapes times: the worst error in ulp."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.oracles import exact
from tests.oracles.ulp import ulp_error

from benchmarks._peers import Array

# Those of the first rows are enough to see the worst of a random input.
_ENTRIES = 200_000


def worst_error(function: str, result: Any, x: Array, labels: Array, cotangent: Array, repeats: int) -> float:
    """The worst error of a result for `x` in ulp of the exact value.

    Of a product with a derivative, and of logsumexp, in ulp of the terms that may cancel: nobody can do better than the
    rounding of these. The gradient is that of the mean over `repeats` times the rows of `x`.
    """
    if function == "cross_entropy":
        return float(ulp_error(np.asarray(result), np.mean(exact.loss(x, labels))))
    array = np.asarray(result[1] if function == "cross_entropy.value_and_grad" else result)
    count = len(x) * repeats
    first = slice(max(1, _ENTRIES // x.shape[1]))
    array, x, labels, cotangent = (each[first] for each in (array, x, labels, cotangent))
    expected, scale = _expected(function, x, labels, cotangent.astype(np.longdouble), count)
    return float(np.max(ulp_error(array, expected, scale=scale)))


def _expected(function: str, x: Array, labels: Array, cotangent: Array, count: int) -> tuple[Array, Array | None]:
    if function == "cross_entropy.value_and_grad":
        return exact.gradient(x, labels) / count, None
    if function == "logsumexp":
        lse = exact.logsumexp(x)
        return lse, np.maximum(np.abs(lse), np.max(np.abs(x), axis=-1))
    if function in ("softmax", "log_softmax"):
        return getattr(exact, function)(x), None
    p, size = exact.softmax(x), np.abs(cotangent)
    if function == "softmax.vjp, output":
        mean, of_sizes = (np.sum(p * each, axis=-1, keepdims=True) for each in (cotangent, size))
        return p * (cotangent - mean), p * (size + of_sizes)
    if function == "log_softmax.vjp, output":
        total, of_sizes = (np.sum(each, axis=-1, keepdims=True) for each in (cotangent, size))
        return cotangent - p * total, size + p * of_sizes
    raise ValueError(f"nothing is known of the exact results of {function!r}")
