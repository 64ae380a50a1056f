"""Gradients by logits that go into products of matrices: what is too small to matter there becomes 0.

For the classes that a confident row rules out they are subnormal, or close to it, and a processor may take a hundred
times as long for a product or a sum that is. The rule is relative to what the loss of a row is multiplied by, so that
small weights, a large normalizer or a small gradient from above leave the same entries.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from softgrad import _native
from softgrad._contracts import Float64, Floating

# What remains, times a factor of 2^-30 or more, is normal.
_MARGIN = 2.0**30


def clear_negligible(
    gradient: Floating, factors: Float64 | float, dtype: np.dtype[Any], vectors: Floating | None = None
) -> None:
    """Entries of rows (N, K) below `least_kept` times the factor of their row become 0.

    With `vectors` (N, K) also times the largest magnitude of their row. The entries of a row are contiguous. `dtype`:
    of the products. A factor may be negative; where it is 0 or NaN nothing changes.
    """
    thresholds = np.empty(len(gradient))
    np.multiply(np.abs(factors), least_kept(dtype), out=thresholds)
    _native.clear_below(gradient, thresholds, vectors)


@cache
def least_kept(dtype: np.dtype[Any]) -> float:
    """The least entry of a row of factor 1 that stays: 2^-96 for float32, 2^-992 for float64."""
    return float(np.finfo(dtype).smallest_normal) * _MARGIN
