"""The promised accuracies, in ulp of the exact result for the given inputs."""

from __future__ import annotations

import numpy as np

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
DTYPES = (FLOAT32, FLOAT64)

SOFTMAX = {FLOAT32: 2, FLOAT64: 3}
LOG_SOFTMAX = {FLOAT32: 2, FLOAT64: 3}
LOSS = {FLOAT32: 2, FLOAT64: 3}
GRADIENT = {FLOAT32: 3, FLOAT64: 4}
# In ulp of max(|lse|, max |x|): where m and log1p(R) cancel, no formula does better than the inputs' grid.
LOGSUMEXP = {FLOAT32: 1, FLOAT64: 1}
SIGMOID = SOFTMAX
LOG_SIGMOID = LOG_SOFTMAX

EPS = float(np.finfo(FLOAT64).eps)
# What extrapolated differences say of a component that is far below the largest: half of the digits.
HALF_OF_THE_DIGITS = EPS**0.5


def printed(decimals: int, size: float = 1.0) -> float:
    """How far a number of at most `size`, printed with so many decimals, may be from what was printed."""
    return 0.5 * 10.0**-decimals + EPS * size
