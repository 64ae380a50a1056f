"""quadratic: half the squared distance to the target, and its gradient."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._reduction import (
    Normalizer,
    Reduction,
    reduce_gradient,
    reduce_loss,
    row_weights,
)
from softgrad.reference._rows import Axis, FloatArray, batch_and_class_shape, from_rows, to_rows


def quadratic(
    outputs: ArrayLike,
    targets: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Half the squared distance of each row, 1/2 sum_j (a_j - y_j)^2.

    Parameters
    ----------
    outputs, targets : array_like, same shape
    axis : int, tuple of int or None
        The axes that make up a row.
    sample_weight : array_like, shape of outputs without `axis`
        Weight of each row; a row of weight 0 does not count, whatever it holds.
    reduction : "mean", "sum" or "none"
    normalizer : "weights", "count" or a number
        What "mean" divides by: the sum of the weights of the rows that count, their number, or this number.

    Returns
    -------
    float64 scalar, or an ndarray of shape of outputs without `axis` for reduction "none"

    Examples
    --------
    >>> float(quadratic([[1.0, 3.0]], [[0.0, 1.0]]))
    2.5
    """
    difference = to_rows(outputs, axis) - to_rows(targets, axis)
    s = row_weights(sample_weight, batch_and_class_shape(np.shape(outputs), axis)[0])
    per_row = s * 0.5 * np.sum(difference**2, axis=-1)
    return reduce_loss(per_row, s, s != 0.0, reduction, normalizer)


def quadratic_grad(
    outputs: ArrayLike,
    targets: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    axis: Axis = -1,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Gradient of `quadratic` with respect to the outputs: s (a - y).

    Parameters
    ----------
    outputs, targets and the options
        As in `quadratic`.
    upstream : array_like, shape of the loss
        The gradient of what follows with respect to the loss; None is 1.

    Returns
    -------
    ndarray of float64, shape of outputs

    Examples
    --------
    >>> quadratic_grad([[1.0, 3.0]], [[0.0, 1.0]])
    array([[1., 2.]])
    """
    shape = np.shape(outputs)
    s = row_weights(sample_weight, batch_and_class_shape(shape, axis)[0])
    gradient = s[..., None] * (to_rows(outputs, axis) - to_rows(targets, axis))
    rows = reduce_gradient(gradient, s, s != 0.0, reduction, normalizer, upstream)
    return from_rows(rows, shape, axis)
