"""focal: cross-entropy that counts a row the less the better it is predicted, and its gradient.

With p = p_t the probability of the label t, r = 1 - p, l = -log p and the row's weight c = s w_t:

    loss   = c r^gamma l
    grad_j = c r^gamma (1 + gamma p l / r) (p_j - [j = t])

where p_t - 1 = -r. As r goes to 0, l / r goes to 1; as p goes to 0, so does p l. gamma = 0 is cross_entropy.
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
    batch_and_class_shape,
    from_rows,
    softmax_rows,
    statistics,
    to_rows,
)


class _Rows(NamedTuple):
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
    return _Rows(at_label, p, p_label, complement, cost, label_weight, label_weight != 0.0)


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
        Scores with at least one class.
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
    cost_of_p = np.multiply(row.p_label, row.cost, out=np.zeros(row.cost.shape), where=row.p_label != 0.0)
    ratio = np.divide(cost_of_p, row.complement, out=np.ones(row.cost.shape), where=row.complement != 0.0)
    factor = row.complement**gamma * (1.0 + gamma * ratio)
    gradient = row.label_weight[..., None] * factor * np.where(row.at_label, -row.complement, row.p)
    rows = reduce_gradient(gradient, row.label_weight, row.counts, reduction, normalizer, upstream)
    return from_rows(rows, np.shape(logits), axis)
