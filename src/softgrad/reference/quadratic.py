"""quadratic: half the squared distance of a row to its target, 1/2 |a - y|^2; gradient a - y, Hessian the identity."""

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


def quadratic_jvp(
    outputs: ArrayLike,
    targets: ArrayLike,
    tangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Directional derivative s <a - y, v> of each row, reduced as the loss is.

    Parameters
    ----------
    outputs, targets and the options
        As in `quadratic`.
    tangent : array_like, shape of outputs
        The direction v.

    Returns
    -------
    float64 scalar, or an ndarray of shape of outputs without `axis` for reduction "none"

    Examples
    --------
    >>> float(quadratic_jvp([[1.0, 3.0]], [[0.0, 1.0]], [[1.0, -1.0]]))
    -1.0
    """
    s = row_weights(sample_weight, batch_and_class_shape(np.shape(outputs), axis)[0])
    counts = (s != 0.0)[..., None]
    a, y, v = (np.where(counts, to_rows(each, axis), 0.0) for each in (outputs, targets, tangent))
    return reduce_loss(s * np.sum((a - y) * v, axis=-1), s, s != 0.0, reduction, normalizer)


def quadratic_hessian(
    outputs: ArrayLike,
    targets: ArrayLike,  # noqa: ARG001 - the verb has it, the Hessian does not depend on it
    /,
    *,
    upstream: ArrayLike | None = None,
    axis: Axis = -1,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Second derivatives by the outputs of each row: s times the identity.

    Parameters
    ----------
    outputs, targets, upstream and the options
        As in `quadratic_grad`.

    Returns
    -------
    ndarray of float64, shape (\\*batch, K, K)
        Several class axes count as one, flattened in C order.

    Examples
    --------
    >>> quadratic_hessian([[1.0, 3.0]], [[0.0, 1.0]])
    array([[[1., 0.],
            [0., 1.]]])
    """
    *batch, classes = to_rows(outputs, axis).shape
    s = row_weights(sample_weight, tuple(batch))
    flat = (s[..., None, None] * np.eye(classes)).reshape((*batch, classes * classes))
    return reduce_gradient(flat, s, s != 0.0, reduction, normalizer, upstream).reshape((*batch, classes, classes))


def quadratic_hvp(
    outputs: ArrayLike,
    targets: ArrayLike,  # noqa: ARG001 - the verb has it, the Hessian does not depend on it
    vector: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    axis: Axis = -1,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Derivative of `quadratic_grad` along a vector: s v.

    Parameters
    ----------
    outputs, targets, upstream and the options
        As in `quadratic_grad`.
    vector : array_like, shape of outputs

    Returns
    -------
    ndarray of float64, shape of outputs

    Examples
    --------
    >>> quadratic_hvp([[1.0, 3.0]], [[0.0, 1.0]], [[0.5, -1.0]])
    array([[ 0.5, -1. ]])
    """
    s = row_weights(sample_weight, batch_and_class_shape(np.shape(outputs), axis)[0])
    products = s[..., None] * np.where((s != 0.0)[..., None], to_rows(vector, axis), 0.0)
    rows = reduce_gradient(products, s, s != 0.0, reduction, normalizer, upstream)
    return from_rows(rows, np.shape(outputs), axis)


def quadratic_hessian_diagonal(
    outputs: ArrayLike,
    targets: ArrayLike,  # noqa: ARG001 - the verb has it, the Hessian does not depend on it
    /,
    *,
    upstream: ArrayLike | None = None,
    axis: Axis = -1,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Second derivative by each output: s.

    Parameters
    ----------
    outputs, targets, upstream and the options
        As in `quadratic_grad`.

    Returns
    -------
    ndarray of float64, shape of outputs

    Examples
    --------
    >>> quadratic_hessian_diagonal([[1.0, 3.0]], [[0.0, 1.0]])
    array([[1., 1.]])
    """
    s = row_weights(sample_weight, batch_and_class_shape(np.shape(outputs), axis)[0])
    rows = np.broadcast_to(s[..., None], to_rows(outputs, axis).shape)
    return from_rows(reduce_gradient(rows, s, s != 0.0, reduction, normalizer, upstream), np.shape(outputs), axis)
