"""cross_entropy with every option, its gradient and its second order.

A row of logits x becomes z = c tanh(x / c) / T (softcap c, temperature T; `where` leaves classes out). With
the target y (one-hot of the label, or the given probabilities), label smoothing a over the K allowed classes,
class weights w and sample weight s:

    q_k  = ((1 - a) y_k + a / K) w_k,   Q = sum q_k
    loss = s (Q log1p(R) + sum q_k (m - z_k) + z_loss lse(z)^2)
    grad = s (Q p - q + 2 z_loss lse(z) p) (1 - tanh(x / c)^2) / T

A row counts unless its label is ignore_index, its label weight s sum y_k w_k is 0, or every class is left
out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._labels import one_hot, target_rows
from softgrad.reference._reduction import (
    Normalizer,
    Reduction,
    reduce_gradient,
    reduce_loss,
    row_weights,
)
from softgrad.reference._rows import (
    Axis,
    BoolArray,
    FloatArray,
    Statistics,
    allowed_rows,
    batch_and_class_shape,
    centred,
    from_rows,
    logsumexp_rows,
    softmax_rows,
    statistics,
    to_rows,
)


class _Target(NamedTuple):
    weighted: FloatArray
    """(*batch, K): q."""
    label_weight: FloatArray
    """(*batch,): s sum y_k w_k."""
    counts: BoolArray
    """(*batch,)."""


def _target(
    labels: ArrayLike,
    axis: Axis,
    class_weight: ArrayLike | None,
    sample_weight: FloatArray,
    ignore_index: int | None,
    label_smoothing: float,
    allowed: BoolArray,
) -> _Target:
    labels = np.asarray(labels)
    classes = allowed.shape[-1]
    if classes == 0:
        raise ValueError("the logits have no classes; the loss needs at least one")
    ignored = np.zeros(sample_weight.shape, dtype=np.bool_)
    if np.issubdtype(labels.dtype, np.integer):
        if ignore_index is not None:
            ignored = labels == ignore_index
        y = one_hot(labels, ignored, classes)
    elif ignore_index is not None:
        raise ValueError("ignore_index needs class indices; the labels are probabilities")
    else:
        ignored = sample_weight == 0.0
        y = target_rows(labels, axis, ignored)
    w = np.ones(classes) if class_weight is None else np.asarray(class_weight, dtype=np.float64).reshape(-1)
    any_allowed = np.any(allowed, axis=-1)
    spread = label_smoothing / np.maximum(np.sum(allowed, axis=-1, keepdims=True), 1)
    q = ((1.0 - label_smoothing) * y + np.where(allowed, spread, 0.0)) * w
    label_weight = sample_weight * np.sum(y * w, axis=-1)
    return _Target(q, label_weight, ~ignored & (label_weight != 0.0) & any_allowed)


def _transformed(
    logits: ArrayLike, axis: Axis, allowed: BoolArray, softcap: float | None, temperature: float
) -> Statistics:
    """The statistics of z = c tanh(x / c) / T over the allowed classes."""
    x = to_rows(logits, axis)
    capped = x if softcap is None else softcap * np.tanh(x / softcap)
    return statistics(np.where(allowed, capped / temperature, -np.inf))


def cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    where: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Cross-entropy -sum_k q_k log p_k of each row, p the softmax of the logits and q the target.

    Parameters
    ----------
    logits : array_like, any shape
        Logits with at least one class.
    labels : array_like
        Integers: class indices, shape of logits without the class axes. Otherwise: target probabilities,
        shape of logits; a probability of 0 contributes 0, also at a logit of -inf.
    axis : int, tuple of int or None
        The class axes; several are counted as one, flattened in C order.
    class_weight : array_like, shape (K,)
        Weight of each class; multiplies the smoothed target.
    sample_weight : array_like, shape of logits without the class axes
        Weight of each row.
    ignore_index : int
        Rows with this label do not count, whatever their logits hold.
    label_smoothing : float
        The part of the target that is spread evenly over the allowed classes.
    temperature : float
        Divides the (capped) logits.
    softcap : float
        Replaces the logits by softcap * tanh(logits / softcap) before all else.
    z_loss : float
        Adds z_loss * logsumexp^2 to each row.
    where : array_like of bool, broadcast to logits
        Classes that take part. A target on a class that is left out costs +inf.
    reduction : "mean", "sum" or "none"
    normalizer : "weights", "count" or a number
        What "mean" divides by: the sum of the label weights of the rows that count, their number, or this
        number.

    Returns
    -------
    float64 scalar, or an ndarray of shape of logits without the class axes for reduction "none"
        0 where no row counts.

    Examples
    --------
    >>> float(cross_entropy([[0.0, 0.0], [0.0, 0.0]], [0, 1]))
    0.6931471805599453
    """
    shape = np.shape(logits)
    allowed = allowed_rows(where, shape, axis)
    s = row_weights(sample_weight, batch_and_class_shape(shape, axis)[0])
    target = _target(labels, axis, class_weight, s, ignore_index, label_smoothing, allowed)
    row = _transformed(logits, axis, allowed, softcap, temperature)
    q = target.weighted
    # np.where: 0 * inf is NaN, but a class without mass costs nothing.
    distance = np.sum(np.multiply(q, -row.shifted, out=np.zeros_like(q), where=q != 0.0), axis=-1)
    per_row = np.sum(q, axis=-1) * np.log1p(row.rest[..., 0]) + distance
    if z_loss != 0.0:
        per_row = per_row + z_loss * logsumexp_rows(row)[..., 0] ** 2
    with np.errstate(invalid="ignore"):
        per_row = s * per_row
    return reduce_loss(per_row, target.label_weight, target.counts, reduction, normalizer)


def cross_entropy_grad(
    logits: ArrayLike,
    labels: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    where: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Gradient of `cross_entropy` with respect to the logits: s (Q p - q) and the terms of the options.

    Parameters
    ----------
    logits, labels and the options
        As in `cross_entropy`.
    upstream : array_like, shape of the loss
        The gradient of what follows with respect to the loss; None is 1.

    Returns
    -------
    ndarray of float64, shape of logits
        Exactly 0 in the rows that do not count and in the classes that `where` leaves out.

    Examples
    --------
    >>> cross_entropy_grad([[0.0, 0.0], [0.0, 0.0]], [0, 1])
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    shape = np.shape(logits)
    allowed = allowed_rows(where, shape, axis)
    s = row_weights(sample_weight, batch_and_class_shape(shape, axis)[0])
    target = _target(labels, axis, class_weight, s, ignore_index, label_smoothing, allowed)
    row = _transformed(logits, axis, allowed, softcap, temperature)
    gradient = s[..., None] * _gradient_by_transformed(target.weighted, row, z_loss) / temperature
    if softcap is not None:
        # 1 - tanh^2 = 1 / cosh^2, without the cancellation.
        with np.errstate(over="ignore", under="ignore"):
            gradient = gradient / np.cosh(to_rows(logits, axis) / softcap) ** 2
    gradient = np.where(allowed, gradient, 0.0)
    rows = reduce_gradient(gradient, target.label_weight, target.counts, reduction, normalizer, upstream)
    return from_rows(rows, shape, axis)


def cross_entropy_jvp(
    logits: ArrayLike,
    labels: ArrayLike,
    tangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    reduction: Reduction = "mean",
    **options: Any,
) -> FloatArray:
    """Derivative of `cross_entropy` in the direction `tangent`: <gradient, tangent> of each row.

    Parameters
    ----------
    logits, labels and the options
        As in `cross_entropy`.
    tangent : array_like, shape of logits

    Returns
    -------
    float64 scalar, or an ndarray of shape of logits without the class axes for reduction "none"

    Examples
    --------
    >>> float(cross_entropy_jvp([0.0, 0.0], 1, [1.0, 0.0]))
    0.5
    """
    gradient = to_rows(cross_entropy_grad(logits, labels, axis=axis, reduction=reduction, **options), axis)
    # Where the gradient is 0 the row, or the class, does not count: the tangent may hold NaN there.
    v = np.where(gradient == 0.0, 0.0, to_rows(tangent, axis))
    per_row = np.sum(gradient * v, axis=-1)
    change: FloatArray = per_row if reduction == "none" else np.asarray(np.sum(per_row))
    return change[()]


def cross_entropy_hvp(
    logits: ArrayLike,
    labels: ArrayLike,
    vector: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    temperature: float = 1.0,
    softcap: float | None = None,
    z_loss: float = 0.0,
    where: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Derivative of `cross_entropy_grad` in the direction `vector`.

    With dz = z'(x) v and dp = p * (dz - <p, dz>) the gradient g by z changes by
    dg = Q dp + 2 z_loss (lse dp + <p, dz> p), and that by x by z'(x) dg + z''(x) v g.

    Parameters
    ----------
    logits, labels and the options
        As in `cross_entropy_grad`.
    vector : array_like, shape of logits

    Returns
    -------
    ndarray of float64, shape of logits

    Examples
    --------
    >>> cross_entropy_hvp([0.0, 0.0], 1, [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    shape = np.shape(logits)
    allowed = allowed_rows(where, shape, axis)
    s = row_weights(sample_weight, batch_and_class_shape(shape, axis)[0])
    target = _target(labels, axis, class_weight, s, ignore_index, label_smoothing, allowed)
    row = _transformed(logits, axis, allowed, softcap, temperature)
    x = to_rows(logits, axis)
    v = np.where(allowed & target.counts[..., None], to_rows(vector, axis), 0.0)
    slope, curvature = np.full_like(x, 1.0 / temperature), np.zeros_like(x)
    if softcap is not None:
        with np.errstate(over="ignore", under="ignore"):
            slope = slope / np.cosh(x / softcap) ** 2
        curvature = -2.0 / softcap * np.tanh(x / softcap) * slope
    p = softmax_rows(row)
    dz = slope * v
    apart = centred(dz, row)
    dp = p * (apart - np.sum(p * apart, axis=-1, keepdims=True))
    change = np.sum(target.weighted, axis=-1, keepdims=True) * dp
    if z_loss != 0.0:
        mean = np.sum(p * dz, axis=-1, keepdims=True)
        change = change + 2.0 * z_loss * (logsumexp_rows(row) * dp + mean * p)
    change = slope * change
    if softcap is not None:
        change = change + curvature * v * _gradient_by_transformed(target.weighted, row, z_loss)
    change = np.where(allowed, s[..., None] * change, 0.0)
    rows = reduce_gradient(change, target.label_weight, target.counts, reduction, normalizer, upstream)
    return from_rows(rows, shape, axis)


def cross_entropy_hessian(logits: ArrayLike, labels: ArrayLike, /, *, axis: Axis = -1, **options: Any) -> FloatArray:
    """The Hessian of each row by its logits, column by column as a product with a unit vector.

    Parameters
    ----------
    logits, labels and the options
        As in `cross_entropy_grad`.

    Returns
    -------
    ndarray of float64, shape (\\*batch, K, K)
        The class axes are flattened into one.

    Examples
    --------
    >>> cross_entropy_hessian([0.0, 0.0], 1)
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    shape = np.shape(logits)
    rows = to_rows(logits, axis)
    columns = []
    for unit in np.eye(rows.shape[-1]):
        vector = from_rows(np.broadcast_to(unit, rows.shape).copy(), shape, axis)
        columns.append(to_rows(cross_entropy_hvp(logits, labels, vector, axis=axis, **options), axis))
    diagonal_blocks: FloatArray = np.stack(columns, axis=-1)
    return diagonal_blocks


def cross_entropy_hessian_diagonal(
    logits: ArrayLike, labels: ArrayLike, /, *, axis: Axis = -1, **options: Any
) -> FloatArray:
    """The diagonal of `cross_entropy_hessian`.

    Parameters
    ----------
    logits, labels and the options
        As in `cross_entropy_grad`.

    Returns
    -------
    ndarray of float64, shape of logits

    Examples
    --------
    >>> cross_entropy_hessian_diagonal([0.0, 0.0], 1)
    array([0.25, 0.25])
    """
    diagonal_blocks = cross_entropy_hessian(logits, labels, axis=axis, **options)
    return from_rows(np.diagonal(diagonal_blocks, axis1=-2, axis2=-1).copy(), np.shape(logits), axis)


def _gradient_by_transformed(q: FloatArray, row: Statistics, z_loss: float) -> FloatArray:
    """Q p - q + 2 z_loss lse p, the gradient of a row by its transformed logits."""
    total = np.sum(q, axis=-1, keepdims=True)
    p = softmax_rows(row)
    # At the maximum Q p_k - q_k = sum over j != k of q_j - Q R / (1 + R), which keeps its digits when p_k is
    # nearly 1. With less than half of the mass at k nothing cancels in the plain form.
    others = np.sum(np.where(row.first_maximum, 0.0, q), axis=-1, keepdims=True)
    at_maximum = others - total * (row.rest / (1.0 + row.rest))
    gradient: FloatArray = np.where(row.first_maximum & (q > 0.5 * total), at_maximum, total * p - q)
    if z_loss != 0.0:
        gradient += 2.0 * z_loss * logsumexp_rows(row) * p
    return gradient
