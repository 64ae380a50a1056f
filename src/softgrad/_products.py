"""Products with the derivatives of softmax, row by row in the native core."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from softgrad import _native
from softgrad._contracts import Float64, Floating, output_for, round_to, shape_without

# With p the softmax of a row and v its vector: p (v - <p, v>), v - <p, v>, v - p sum(v), p, p (1 - p).
Product = Literal["softmax", "log_softmax_tangent", "log_softmax_cotangent", "probabilities", "variances"]


def row_products(
    product: Product,
    x: Floating,
    vector: Floating | None,
    axes: tuple[int, ...],
    mask: NDArray[np.bool_] | None = None,
    *,
    temperature: float = 1.0,
    factor: Float64 | None = None,
    scale: float = 1.0,
    out: Floating | None = None,
) -> Floating:
    """The product of each row, times `scale` and the row's `factor` (flat), in the shape and dtype of `x`.

    Rows of factor 0 and classes that the mask leaves out give 0, whatever they hold. `out` may be `x`, and nothing else
    that is read.
    """
    result = output_for(x, out)
    read = None
    if vector is not None:
        x, vector = in_one_dtype(x, vector)
        read = _native.buffer(vector)
    work = result if result.dtype == x.dtype else np.empty(x.shape, x.dtype)
    _native.row_products(product, _native.buffer(x), read, axes, mask, temperature, factor, scale, _native.buffer(work))
    if work is not result:
        result[...] = round_to(work, result.dtype)
    return result


def softmax_means(
    x: Floating, vector: Floating, axes: tuple[int, ...], mask: NDArray[np.bool_] | None = None
) -> Float64:
    """<p, v> of each row; 0 for a row whose classes are all left out."""
    x, vector = in_one_dtype(x, vector)
    means = np.empty(shape_without(x.shape, axes))
    _native.softmax_means(_native.buffer(x), _native.buffer(vector), axes, mask, means)
    return means


def in_one_dtype(x: Floating, vector: Floating) -> tuple[Floating, Floating]:
    """Both in the dtype that holds both, as the core reads them."""
    common = np.result_type(x.dtype, vector.dtype)
    return x.astype(common, copy=False), vector.astype(common, copy=False)
