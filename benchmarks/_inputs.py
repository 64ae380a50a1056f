"""The inputs of the questions, and what is right for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from benchmarks._peers import Array

# Rows whose results are compared with the definition.
_ROWS = 16


def logits(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """Normal, of scale 3."""
    x = rng.standard_normal(shape, np.float64 if dtype == np.float64 else np.float32)
    x *= 3.0
    return x.astype(dtype, copy=False)


def probabilities(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Rows that sum to 1."""
    p = rng.random(shape, np.float32)
    p /= p.sum(axis=1, keepdims=True)
    return p


def some_rows(count: int) -> NDArray[np.intp]:
    """The first, the last, and some between."""
    return np.unique(np.linspace(0, count - 1, _ROWS).astype(np.intp))


def assert_close(what: str, actual: Any, expected: Any, dtype: Any, eps: float = 2.0) -> None:
    """Each value to three or four digits, and `eps` units of the dtype's eps times the largest for what cancels.

    It is there to catch a contender that does other work, not one that is inaccurate: docs/accuracy.md is about that.
    Of a long row the small values must be right too: a gradient of zeros beside the target would be fast.
    """
    actual, expected = np.asarray(actual).astype(np.float64), np.asarray(expected)
    assert actual.shape == expected.shape, f"{what} has shape {actual.shape}, expected {expected.shape}"
    unit = float(ml_dtypes.finfo(dtype).eps)
    size = np.abs(expected)
    allowed = max(2.0**-12, 4.0 * unit) * size + eps * unit * np.max(size)
    # Of a NaN too.
    wrong = ~(np.abs(actual - expected) <= allowed)
    if np.any(wrong):
        place = np.argmax(wrong)
        raise AssertionError(
            f"{what} is {actual.flat[place]:.6g} at a place where {expected.flat[place]:.6g} is right; "
            f"{np.count_nonzero(wrong)} of {wrong.size} values are wrong"
        )


def check_rows(
    what: str, definition: Callable[..., Array], inputs: tuple[Array, ...], axis: int = -1
) -> Callable[[Any], None]:
    """Compare some rows with a definition that works on rows; `axis` is that of the classes."""
    first = np.moveaxis(inputs[0], axis, -1)
    chosen = some_rows(first.reshape(-1, first.shape[-1]).shape[0])

    def rows(array: Array) -> Array:
        return np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])[chosen]

    expected = definition(*(rows(each).astype(np.float64) for each in inputs))

    def check(result: Any) -> None:
        result = np.asarray(result)
        reduced = result.ndim < inputs[0].ndim
        actual = result.reshape(-1)[chosen] if reduced else rows(result)
        assert_close(what, actual, expected, inputs[0].dtype)

    return check
