"""kl_divergence of the softmax of logits from that of target logits, and its gradient by the logits.

With p = softmax(x / T), q = softmax(u / T), both over the classes that take part, and the sample weight s:

    loss = s sum_j q_j (log q_j - log p_j)
    grad = s (p - q) / T

The loss is not multiplied by T^2. A row counts unless its sample weight is 0 or every class is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._reduction import Normalizer, Reduction, reduce_gradient, reduce_loss, row_weights
from softgrad.reference._rows import (
    Axis,
    FloatArray,
    Statistics,
    allowed_rows,
    batch_and_class_shape,
    from_rows,
    softmax_rows,
    statistics,
    to_rows,
)


def _log_softmax_rows(row: Statistics) -> FloatArray:
    log_p: FloatArray = row.shifted - np.log1p(row.rest)
    return log_p


def kl_divergence(
    logits: ArrayLike,
    target_logits: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    temperature: float = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Kullback-Leibler divergence sum_j q_j (log q_j - log p_j) of each row.

    Parameters
    ----------
    logits : array_like, any shape
        x, of which p is the softmax.
    target_logits : array_like, shape of logits
        u, of which q is the softmax. A class at -inf contributes 0; any other at which the logit is -inf
        gives +inf.
    axis : int, tuple of int or None
        The class axes; several are counted as one.
    temperature : float
        Divides both.
    where : array_like of bool, broadcast to logits
        Classes that take part; what the others hold is left out.
    sample_weight : array_like, shape of logits without the class axes
        Weight of each row; a row of weight 0 does not count, whatever it holds.
    reduction : "mean", "sum" or "none"
    normalizer : "weights", "count" or a number
        What "mean" divides by: the sum of the weights of the rows that count, their number, or this number.

    Returns
    -------
    float64 scalar, or an ndarray of shape of logits without the class axes for reduction "none"

    Examples
    --------
    >>> float(kl_divergence([0.0, 0.0], [0.0, np.log(3.0)]).round(6))
    0.130812
    """
    shape = np.shape(logits)
    allowed = allowed_rows(where, shape, axis)
    s = row_weights(sample_weight, batch_and_class_shape(shape, axis)[0])
    p_row, q_row = (
        statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf)) for x in (logits, target_logits)
    )
    log_p, log_q, q = _log_softmax_rows(p_row), _log_softmax_rows(q_row), softmax_rows(q_row)
    finite = (log_p != -np.inf) & (log_q != -np.inf)
    terms = np.multiply(q, np.subtract(log_q, log_p, out=np.zeros(q.shape), where=finite))
    terms = np.where(log_p == -np.inf, np.inf, terms)
    # The order matters: what has no target mass contributes 0 whatever p is, but a NaN in the row stays.
    terms = np.where(log_q == -np.inf, 0.0, terms)
    per_row = np.sum(np.where(allowed, terms, 0.0), axis=-1)
    per_row = np.where(np.isnan(p_row.rest[..., 0]) | np.isnan(q_row.rest[..., 0]), np.nan, per_row)
    counts = (s != 0.0) & np.any(allowed, axis=-1)
    return reduce_loss(np.multiply(s, per_row, out=np.zeros(s.shape), where=counts), s, counts, reduction, normalizer)


def kl_divergence_grad(
    logits: ArrayLike,
    target_logits: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    axis: Axis = -1,
    temperature: float = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Gradient of `kl_divergence` with respect to the logits: s (p - q) / T.

    Parameters
    ----------
    logits, target_logits and the options
        As in `kl_divergence`.
    upstream : array_like, shape of the loss
        The gradient of what follows with respect to the loss; None is 1.

    Returns
    -------
    ndarray of float64, shape of logits
        Exactly 0 in the rows that do not count and in the classes that `where` leaves out.

    Examples
    --------
    >>> kl_divergence_grad([0.0, 0.0], [0.0, np.log(3.0)])
    array([ 0.25, -0.25])
    """
    shape = np.shape(logits)
    allowed = allowed_rows(where, shape, axis)
    s = row_weights(sample_weight, batch_and_class_shape(shape, axis)[0])
    p_row, q_row = (
        statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf)) for x in (logits, target_logits)
    )
    difference = softmax_rows(p_row) - softmax_rows(q_row)
    # 1 - p_k = R / (1 + R): where both are near 1 their difference is that of the complements.
    complements = q_row.rest / (1.0 + q_row.rest) - p_row.rest / (1.0 + p_row.rest)
    difference = np.where(p_row.first_maximum & q_row.first_maximum, complements, difference)
    gradient = np.where(allowed, s[..., None] * difference / temperature, 0.0)
    counts = (s != 0.0) & np.any(allowed, axis=-1)
    return from_rows(reduce_gradient(gradient, s, counts, reduction, normalizer, upstream), shape, axis)
