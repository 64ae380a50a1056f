"""The calls whose instructions tests/instructions.py counts, and the process in which callgrind sees each of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import softgrad as sg
from softgrad import _native
from tests.bit_cases import CASES, DTYPES, SEED, Rows, draw

# By tiles, with lanes across rows; some rows together; one row after the other.
SHAPES = ((1024, 10), (16, 400), (4, 5000))
# Rows, features, stored entries of a sparse row; and the classes.
FEATURES = (256, 60, 12)
CLASSES = (3, 10, 60)
# What of tests/bit_cases.py has a kernel of its own.
KERNELS = (
    "softmax",
    "softmax, where and temperature",
    "log_softmax",
    "logsumexp",
    "sigmoid",
    "log_sigmoid",
    "cross_entropy",
    "cross_entropy, smoothed",
    "cross_entropy, probabilities",
    "cross_entropy, every option",
    "focal",
    "token_logprobs",
    "softmax.vjp",
    "softmax.jvp",
    "log_softmax.vjp",
    "log_softmax.jvp",
    "logsumexp.vjp",
    "logsumexp.jvp",
)
Call = Callable[[], Any]


def cases() -> Iterator[tuple[str, Call]]:
    rng = np.random.default_rng(SEED)
    for dtype in DTYPES:
        for shape in SHAPES:
            for name, call in _of_rows(draw(rng, shape, dtype)).items():
                yield f"{name}, {dtype}, {shape[0]} x {shape[1]}", call
    for dtype in (np.dtype(np.float64), np.dtype(np.float32)):
        yield from _regression_cases(rng, dtype)


def _of_rows(rows: Rows) -> dict[str, Call]:
    given = {function: function(rows.x) for function in (sg.softmax, sg.log_softmax)}
    return {
        **{name: partial(CASES[name], rows) for name in KERNELS},
        "cross_entropy, no gradient": partial(sg.cross_entropy, rows.x, rows.labels),
        "cross_entropy.hvp": partial(sg.cross_entropy.hvp, rows.x, rows.labels, rows.other),
        **{
            f"{function.name}.vjp, given output": partial(function.vjp, None, rows.other, output=output)
            for function, output in given.items()
        },
    }


def _regression_cases(rng: np.random.Generator, dtype: np.dtype[Any]) -> Iterator[tuple[str, Call]]:
    n, d, _ = FEATURES
    dense, sparse = rng.standard_normal((n, d)).astype(dtype), _sparse_features(rng, dtype)
    row_weights = rng.uniform(0.5, 2.0, n)
    for k in CLASSES:
        weight, bias = rng.standard_normal((k, d)).astype(dtype), rng.standard_normal(k).astype(dtype)
        by_feature = np.ascontiguousarray(weight.T)
        probabilities = sg.softmax(rng.standard_normal((n, k)).astype(dtype))
        functions = ((_native.add_loss_gradient, rng.integers(k, size=n)), (_native.add_hessian_product, probabilities))
        for kind, features, matrix in (("dense", dense, weight), ("sparse", sparse, by_feature)):
            for function, of_rows in functions:
                sums = np.zeros_like(matrix), np.zeros(k)
                call = partial(function, features, of_rows, row_weights, 0.0, matrix, bias, *sums)
                yield f"{function.__name__}, {kind}, {dtype}, {n} x {d} x {k}", call
    # Features and classes of small tables, of which the whole Hessian is made.
    for d, k in ((14, 3), (31, 2), (7, 10)):
        few, weight = np.ascontiguousarray(dense[:, :d]), rng.standard_normal((k, d)).astype(dtype)
        out = np.zeros(((k - 1) * d,) * 2)
        call = partial(_native.add_hessian_matrix, few, weight, row_weights, np.arange(1, k), out)
        yield f"add_hessian_matrix, {dtype}, {n} x {d} x {k}", call


def _sparse_features(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[NDArray[Any], ...]:
    """The data, indices and indptr of a matrix in CSR form."""
    n, d, stored = FEATURES
    columns = rng.permuted(np.tile(np.arange(d, dtype=np.int32), (n, 1)), axis=1)[:, :stored]
    starts = np.arange(0, n * stored + 1, stored, dtype=np.int32)
    return rng.standard_normal(n * stored).astype(dtype), np.sort(columns, axis=1).ravel(), starts


def main() -> None:
    for name, call in cases():
        # The first call makes the scratch memory of the thread.
        call()
        # At each call of this function, which nobody else calls, callgrind writes what it counted and begins anew.
        os.getppid()
        call()
        os.getppid()
        print(name)


if __name__ == "__main__":
    main()
