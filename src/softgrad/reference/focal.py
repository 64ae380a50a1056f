"""focal: cross-entropy that counts a row the less the better it is predicted, and its derivatives.

With p = p_t the probability of the label t, r = 1 - p, l = -log p and the row's weight c = s w_t:

    loss   = c r^gamma l
    grad_j = c r^gamma (1 + gamma p l / r) (p_j - [j = t])

where p_t - 1 = -r. As r goes to 0, l / r goes to 1; as p goes to 0, so does p l. gamma = 0 is cross_entropy.

The loss is a function f of l, whose gradient is g = p - onehot(t), whose Hessian is that of logsumexp. So, with
f' the factor above and dr/dl = p, dp/dl = -p,

    f''     = gamma r^(gamma - 1) p (2 - l + (gamma - 1) p l / r)
    Hessian = c (f' (diag(p) - p p^T) + f'' g g^T)

With h = g / r, which is -1 at t and p_j / r elsewhere, f'' g g^T is r^2 f'' h h^T: r^2 f'' stays finite as r goes to 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._labels import one_hot
from softgrad.reference._reduction import Normalizer, Reduction, reduce_gradient, reduce_loss, row_weights
from softgrad.reference._rows import (
    Axis,
    BoolArray,
    FloatArray,
    Statistics,
    batch_and_class_shape,
    centred,
    from_rows,
    softmax_rows,
    statistics,
    to_rows,
)


class _Rows(NamedTuple):
    row: Statistics
    at_label: BoolArray
    """(*batch, K): True at t; all False in a row that is ignored."""
    p: FloatArray
    """(*batch, K)."""
    p_label: FloatArray
    """(*batch, 1): p_t."""
    complement: FloatArray
    """(*batch, 1): r, R / (1 + R) where t is the first maximum."""
    cost: FloatArray
    """(*batch, 1): l."""
    label_weight: FloatArray
    """(*batch,): c."""
    counts: BoolArray
    """(*batch,)."""


def _evaluate(
    logits: ArrayLike,
    labels: ArrayLike,
    axis: Axis,
    class_weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
    ignore_index: int | None,
) -> _Rows:
    x = to_rows(logits, axis)
    classes = x.shape[-1]
    if classes == 0:
        raise ValueError("the logits have no classes; the loss needs at least one")
    t = np.asarray(labels)
    if not np.issubdtype(t.dtype, np.integer):
        raise TypeError(f"labels has dtype {t.dtype}; focal takes class indices only")
    ignored = np.zeros(t.shape, dtype=np.bool_) if ignore_index is None else t == ignore_index
    at_label = one_hot(t, ignored, classes) == 1.0
    row = statistics(x)
    p = softmax_rows(row)

    def of_label(values: FloatArray) -> FloatArray:
        chosen: FloatArray = np.sum(np.where(at_label, values, 0.0), axis=-1, keepdims=True)
        return chosen

    log_rest = np.log1p(row.rest)
    p_label = of_label(p)
    label_is_maximum = np.any(at_label & row.first_maximum, axis=-1, keepdims=True)
    complement = np.where(label_is_maximum, row.rest / (1.0 + row.rest), 1.0 - p_label)
    cost = of_label(-row.shifted) + log_rest
    w = np.ones(classes) if class_weight is None else np.asarray(class_weight, dtype=np.float64).reshape(-1)
    s = row_weights(sample_weight, batch_and_class_shape(np.shape(logits), axis)[0])
    label_weight = s * np.sum(at_label * w, axis=-1)
    return _Rows(row, at_label, p, p_label, complement, cost, label_weight, label_weight != 0.0)


def _ratio(row: _Rows) -> FloatArray:
    """p l / r."""
    cost_of_p = np.multiply(row.p_label, row.cost, out=np.zeros(row.cost.shape), where=row.p_label != 0.0)
    return np.divide(cost_of_p, row.complement, out=np.ones(row.cost.shape), where=row.complement != 0.0)


def _first(row: _Rows, gamma: float) -> FloatArray:
    """f', shape (*batch, 1)."""
    factor: FloatArray = row.complement**gamma * (1.0 + gamma * _ratio(row))
    return factor


def _second(row: _Rows, gamma: float) -> FloatArray:
    """r^2 f'', shape (*batch, 1); 0 where p is 0, also at an infinite l."""
    finite = np.where(row.p_label == 0.0, 0.0, row.cost)
    factor: FloatArray = (
        gamma * row.complement ** (gamma + 1.0) * row.p_label * (2.0 - finite + (gamma - 1.0) * _ratio(row))
    )
    return factor


def _slope(row: _Rows) -> FloatArray:
    """g, shape (*batch, K)."""
    return np.where(row.at_label, -row.complement, row.p)


def _scaled_slope(row: _Rows) -> FloatArray:
    """h = g / r, shape (*batch, K); 0 in a row without others, where r is 0."""
    fractions = np.divide(row.p, row.complement, out=np.zeros(row.p.shape), where=row.complement != 0.0)
    return np.where(row.at_label, -np.sign(row.complement), fractions)


def _directions(vector: ArrayLike, axis: Axis, row: _Rows) -> FloatArray:
    """v - v_k, v taken as 0 in the rows that do not count."""
    return centred(np.where(row.counts[..., None], to_rows(vector, axis), 0.0), row.row)


def focal(
    logits: ArrayLike,
    labels: ArrayLike,
    /,
    *,
    gamma: float = 2.0,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Focal loss (1 - p_t)^gamma (-log p_t) of each row, p the softmax of the logits and t its label.

    Parameters
    ----------
    logits : array_like, any shape
        Logits with at least one class.
    labels : array_like of integers, shape of logits without the class axes
    gamma : float
        Not negative; 0 is cross_entropy.
    axis : int, tuple of int or None
        The class axes; several are counted as one, flattened in C order.
    class_weight : array_like, shape (K,)
    sample_weight : array_like, shape of logits without the class axes
        Their product is the weight of a row; a row of weight 0 does not count, whatever it holds.
    ignore_index : int
        Rows with this label do not count, whatever their logits hold.
    reduction : "mean", "sum" or "none"
    normalizer : "weights", "count" or a number
        What "mean" divides by: the sum of the weights of the rows that count, their number, or this number.

    Returns
    -------
    float64 scalar, or an ndarray of shape of logits without the class axes for reduction "none"

    Examples
    --------
    >>> float(focal([0.0, 0.0], 1) / np.log(2.0))
    0.25
    """
    row = _evaluate(logits, labels, axis, class_weight, sample_weight, ignore_index)
    per_row = (row.complement**gamma * row.cost)[..., 0]
    weighted = np.multiply(row.label_weight, per_row, out=np.zeros(per_row.shape), where=row.counts)
    return reduce_loss(weighted, row.label_weight, row.counts, reduction, normalizer)


def focal_grad(
    logits: ArrayLike,
    labels: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    gamma: float = 2.0,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Gradient of `focal` with respect to the logits.

    Parameters
    ----------
    logits, labels and the options
        As in `focal`.
    upstream : array_like, shape of the loss
        The gradient of what follows with respect to the loss; None is 1.

    Returns
    -------
    ndarray of float64, shape of logits

    Examples
    --------
    >>> focal_grad([0.0, 0.0], 1, gamma=0.0)
    array([ 0.5, -0.5])
    """
    row = _evaluate(logits, labels, axis, class_weight, sample_weight, ignore_index)
    gradient = row.label_weight[..., None] * _first(row, gamma) * _slope(row)
    rows = reduce_gradient(gradient, row.label_weight, row.counts, reduction, normalizer, upstream)
    return from_rows(rows, np.shape(logits), axis)


def focal_jvp(
    logits: ArrayLike,
    labels: ArrayLike,
    tangent: ArrayLike,
    /,
    *,
    gamma: float = 2.0,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Directional derivative c f' <g, v - v_k> of each row, k the first maximum, reduced as the loss is.

    Parameters
    ----------
    logits, labels and the options
        As in `focal`.
    tangent : array_like, shape of logits
        The direction v.

    Returns
    -------
    float64 scalar, or an ndarray of shape of logits without the class axes for reduction "none"

    Examples
    --------
    >>> float(focal_jvp([0.0, 0.0], 1, [1.0, 0.0], gamma=0.0))
    0.5
    """
    row = _evaluate(logits, labels, axis, class_weight, sample_weight, ignore_index)
    rates = _first(row, gamma)[..., 0] * np.sum(_slope(row) * _directions(tangent, axis, row), axis=-1)
    return reduce_loss(row.label_weight * rates, row.label_weight, row.counts, reduction, normalizer)


def focal_hvp(
    logits: ArrayLike,
    labels: ArrayLike,
    vector: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    gamma: float = 2.0,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Derivative of `focal_grad` along a vector: c (f' p (v' - <p, v'>) + r^2 f'' h <h, v'>) with v' = v - v_k.

    Parameters
    ----------
    logits, labels, upstream and the options
        As in `focal_grad`.
    vector : array_like, shape of logits

    Returns
    -------
    ndarray of float64, shape of logits

    Examples
    --------
    >>> focal_hvp([0.0, 0.0], 1, [1.0, 0.0], gamma=0.0)
    array([ 0.25, -0.25])
    """
    row = _evaluate(logits, labels, axis, class_weight, sample_weight, ignore_index)
    v, h = _directions(vector, axis, row), _scaled_slope(row)
    of_logsumexp = row.p * (v - np.sum(row.p * v, axis=-1, keepdims=True))
    products = _first(row, gamma) * of_logsumexp + _second(row, gamma) * h * np.sum(h * v, axis=-1, keepdims=True)
    weighted = row.label_weight[..., None] * products
    rows = reduce_gradient(weighted, row.label_weight, row.counts, reduction, normalizer, upstream)
    return from_rows(rows, np.shape(logits), axis)


def focal_hessian(
    logits: ArrayLike,
    labels: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    gamma: float = 2.0,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Second derivatives of each row by its logits, c (f' (diag(p) - p p^T) + r^2 f'' h h^T).

    Parameters
    ----------
    logits, labels, upstream and the options
        As in `focal_grad`.

    Returns
    -------
    ndarray of float64, shape (\\*batch, K, K)
        Several class axes count as one, flattened in C order.

    Examples
    --------
    >>> focal_hessian([0.0, 0.0], 1, gamma=0.0)
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    row = _evaluate(logits, labels, axis, class_weight, sample_weight, ignore_index)
    p, h = row.p, _scaled_slope(row)
    of_logsumexp = -p[..., :, None] * p[..., None, :]
    diagonal = np.arange(p.shape[-1])
    # 1 - p_k is R / (1 + R); the subtraction would lose it in a confident row.
    complement = np.where(row.row.first_maximum, row.row.rest / (1.0 + row.row.rest), 1.0 - p)
    of_logsumexp[..., diagonal, diagonal] = p * complement
    first, second = _first(row, gamma)[..., None], _second(row, gamma)[..., None]
    matrices = first * of_logsumexp + second * h[..., :, None] * h[..., None, :]
    flat = row.label_weight[..., None] * matrices.reshape((*row.counts.shape, -1))
    reduced = reduce_gradient(flat, row.label_weight, row.counts, reduction, normalizer, upstream)
    return reduced.reshape(matrices.shape)


def focal_hessian_diagonal(
    logits: ArrayLike,
    labels: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    gamma: float = 2.0,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """The diagonals of `focal_hessian`.

    Parameters
    ----------
    logits, labels, upstream and the options
        As in `focal_grad`.

    Returns
    -------
    ndarray of float64, shape of logits

    Examples
    --------
    >>> focal_hessian_diagonal([0.0, 0.0], 1, gamma=0.0)
    array([0.25, 0.25])
    """
    matrices = focal_hessian(
        logits,
        labels,
        upstream=upstream,
        gamma=gamma,
        axis=axis,
        class_weight=class_weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        reduction=reduction,
        normalizer=normalizer,
    )
    return from_rows(np.diagonal(matrices, axis1=-2, axis2=-1), np.shape(logits), axis)
