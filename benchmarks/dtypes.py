"""Cross-entropy with gradient in float64, float16 and bfloat16

In place, as in the first table; a copy of the same dtype. PyTorch and JAX return the loss of two-byte logits in two
bytes, softgrad in float32. The mean of 65536 float16 rows, which PyTorch gives as NaN, is not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np

from benchmarks._harness import Bench, Case
from benchmarks._results import Row
from benchmarks.cross_entropy import rows_and_labels, value_and_grad


def _case(bench: Bench, rows: int, classes: int, dtype: Any) -> Case:
    pairs = rows_and_labels(bench, rows, classes, dtype)
    return value_and_grad(bench, f", {np.dtype(dtype)}", pairs, ("PyTorch", "JAX"))


def rows(bench: Bench) -> Iterator[Row]:
    shapes = [(16, 50)] if bench.quick else [(1024, 1000), (1024, 32000)]
    return bench.timed(
        _case(bench, *shape, dtype) for dtype in (np.float64, np.float16, ml_dtypes.bfloat16) for shape in shapes
    )
