"""Products with the derivatives of softmax, row by row in the native core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from softgrad import _native
from softgrad._contracts import Float64, Floating, output_for, round_to, shape_without

# With p the softmax of a row and v, w its vectors: p (v - <p, v>), v - <p, v>, v - p sum(v), p, p (1 - p), and
# p (d - <p, d>) with d = (v - <p, v>) (w - <p, w>).
Product = Literal[
    "softmax", "log_softmax_tangent", "log_softmax_cotangent", "probabilities", "variances", "softmax_second"
]


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
    second: Floating | None = None,
    massless_is_zero: bool = False,
    out: Floating | None = None,
    flushing: bool = False,
) -> Floating:
    """The product of each row, times `scale` and the row's `factor` (flat), in the shape and dtype of `x`.

    Rows of factor 0 and classes that the mask leaves out give 0, whatever they hold. A row of nothing but -inf has no
    p: it gives NaN, or 0 with `massless_is_zero`. `out` may be `x`, and nothing else that is read. `flushing`: results
    that would be subnormal are 0.
    """
    result = output_for(x, out)
    x, *vectors = in_one_dtype(x, *(each for each in (vector, second) if each is not None))
    v, w = [*map(_native.buffer, vectors), None, None][:2]
    x_buffer = _native.buffer(x)
    native_products = _native.row_products_flushed if flushing else _native.row_products
    return _rounded_into(
        result,
        x.dtype,
        lambda work: native_products(
            product, x_buffer, v, w, axes, mask, temperature, factor, scale, massless_is_zero, work
        ),
    )


def products_of_output(
    product: Product,
    output: Floating,
    vector: Floating,
    axes: tuple[int, ...],
    mask: NDArray[np.bool_] | None,
    *,
    scale: float,
    out: Floating | None,
) -> Floating:
    """The product of each row times `scale`, from the p of "softmax" or the log p of the others, in its dtype.

    Classes that the mask leaves out give 0, whatever they hold. `out` may be `output`, and nothing else that is read.
    """
    result = output_for(output, out)
    output, vector = in_one_dtype(output, vector)
    buffers = _native.buffer(output), _native.buffer(vector)
    return _rounded_into(
        result, output.dtype, lambda work: _native.products_of_output(product, *buffers, axes, mask, scale, work)
    )


def _rounded_into(result: Floating, dtype: np.dtype[Any], write: Callable[[NDArray[Any]], None]) -> Floating:
    """The result, with what is written in the dtype that is worked in."""
    work = result if result.dtype == dtype else np.empty(result.shape, dtype)
    write(_native.buffer(work))
    if work is not result:
        result[...] = round_to(work, result.dtype)
    return result


def softmax_means(
    x: Floating, vector: Floating, axes: tuple[int, ...], mask: NDArray[np.bool_] | None = None
) -> Float64:
    """<p, v> of each row; 0 for a row whose classes are all left out or at -inf."""
    x, vector = in_one_dtype(x, vector)
    means = np.empty(shape_without(x.shape, axes))
    _native.softmax_means(_native.buffer(x), _native.buffer(vector), axes, mask, means)
    return means


def in_one_dtype(*arrays: Floating) -> tuple[Floating, ...]:
    """All in the dtype that holds all, as the core reads them."""
    if all(array.dtype == arrays[0].dtype for array in arrays):
        return arrays
    common = np.result_type(*(array.dtype for array in arrays))
    return tuple(array.astype(common, copy=False) for array in arrays)
