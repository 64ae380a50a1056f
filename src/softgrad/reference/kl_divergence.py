"""kl_divergence of the softmax of logits from that of target logits, and its derivatives by the logits.

With p = softmax(x / T), q = softmax(u / T), both over the classes that take part, and the sample weight s:

    loss = s sum_j q_j (log q_j - log p_j)
    grad = s (p - q) / T
    Hessian = s (diag(p) - p p^T) / T^2

The loss is not multiplied by T^2. A row counts unless its sample weight is 0 or every class is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._reduction import Normalizer, Reduction, reduce_gradient, reduce_loss, row_weights
from softgrad.reference._rows import (
    Axis,
    BoolArray,
    FloatArray,
    Statistics,
    allowed_rows,
    batch_and_class_shape,
    centred,
    from_rows,
    softmax_rows,
    statistics,
    to_rows,
)


class _Rows(NamedTuple):
    p: Statistics
    """The statistics of the logits over the temperature, -inf in the classes that are left out."""
    q: Statistics
    """The statistics of the target logits over the temperature."""
    allowed: BoolArray
    """(*batch, K)."""
    sample_weight: FloatArray
    """(*batch,): s."""
    counts: BoolArray
    """(*batch,)."""


def _evaluate(
    logits: ArrayLike,
    target_logits: ArrayLike,
    axis: Axis,
    temperature: float,
    where: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> _Rows:
    shape = np.shape(logits)
    allowed = allowed_rows(where, shape, axis)
    s = row_weights(sample_weight, batch_and_class_shape(shape, axis)[0])
    p, q = (statistics(np.where(allowed, to_rows(x, axis) / temperature, -np.inf)) for x in (logits, target_logits))
    return _Rows(p, q, allowed, s, (s != 0.0) & np.any(allowed, axis=-1))


def _difference(row: _Rows) -> FloatArray:
    """p - q, 0 in the classes that are left out."""
    difference = softmax_rows(row.p) - softmax_rows(row.q)
    # 1 - p_k = R / (1 + R): where both are near 1 their difference is that of the complements.
    complements = row.q.rest / (1.0 + row.q.rest) - row.p.rest / (1.0 + row.p.rest)
    return np.where(row.allowed, np.where(row.p.first_maximum & row.q.first_maximum, complements, difference), 0.0)


def _probabilities(row: _Rows) -> FloatArray:
    """p, 0 in the classes that are left out; NaN where q is no distribution, as the loss is NaN there."""
    return np.where(row.allowed, softmax_rows(row.p) + 0.0 * row.q.rest, 0.0)


def _directions(vector: ArrayLike, axis: Axis, row: _Rows) -> FloatArray:
    """v - v_k, v taken as 0 where nothing counts."""
    return centred(np.where(row.allowed & row.counts[..., None], to_rows(vector, axis), 0.0), row.p)


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
    row = _evaluate(logits, target_logits, axis, temperature, where, sample_weight)
    log_p, log_q, q = _log_softmax_rows(row.p), _log_softmax_rows(row.q), softmax_rows(row.q)
    finite = (log_p != -np.inf) & (log_q != -np.inf)
    terms = np.multiply(q, np.subtract(log_q, log_p, out=np.zeros(q.shape), where=finite))
    terms = np.where(log_p == -np.inf, np.inf, terms)
    # The order matters: what has no target mass contributes 0 whatever p is, but a NaN in the row stays.
    terms = np.where(log_q == -np.inf, 0.0, terms)
    per_row = np.sum(np.where(row.allowed, terms, 0.0), axis=-1)
    per_row = np.where(np.isnan(row.p.rest[..., 0]) | np.isnan(row.q.rest[..., 0]), np.nan, per_row)
    s = row.sample_weight
    weighted = np.multiply(s, per_row, out=np.zeros(s.shape), where=row.counts)
    return reduce_loss(weighted, s, row.counts, reduction, normalizer)


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
    row = _evaluate(logits, target_logits, axis, temperature, where, sample_weight)
    s = row.sample_weight
    gradient = s[..., None] * _difference(row) / temperature
    rows = reduce_gradient(gradient, s, row.counts, reduction, normalizer, upstream)
    return from_rows(rows, np.shape(logits), axis)


def kl_divergence_jvp(
    logits: ArrayLike,
    target_logits: ArrayLike,
    tangent: ArrayLike,
    /,
    *,
    axis: Axis = -1,
    temperature: float = 1.0,
    where: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Directional derivative s <p - q, v - v_k> / T of each row, k the first maximum of p, reduced as the loss is.

    Parameters
    ----------
    logits, target_logits and the options
        As in `kl_divergence`.
    tangent : array_like, shape of logits
        The direction v, of the logits; the target logits stay.

    Returns
    -------
    float64 scalar, or an ndarray of shape of logits without the class axes for reduction "none"

    Examples
    --------
    >>> float(kl_divergence_jvp([0.0, 0.0], [0.0, np.log(3.0)], [1.0, 0.0]).round(15))
    0.25
    """
    row = _evaluate(logits, target_logits, axis, temperature, where, sample_weight)
    s = row.sample_weight
    rates = np.sum(_difference(row) * _directions(tangent, axis, row), axis=-1) / temperature
    return reduce_loss(s * rates, s, row.counts, reduction, normalizer)


def kl_divergence_hvp(
    logits: ArrayLike,
    target_logits: ArrayLike,
    vector: ArrayLike,
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
    """Derivative of `kl_divergence_grad` along a vector: s p (v' - <p, v'>) / T^2 with v' = v - v_k.

    Parameters
    ----------
    logits, target_logits, upstream and the options
        As in `kl_divergence_grad`.
    vector : array_like, shape of logits

    Returns
    -------
    ndarray of float64, shape of logits

    Examples
    --------
    >>> kl_divergence_hvp([0.0, 0.0], [0.0, 1.0], [1.0, 0.0])
    array([ 0.25, -0.25])
    """
    row = _evaluate(logits, target_logits, axis, temperature, where, sample_weight)
    s, p, v = row.sample_weight, _probabilities(row), _directions(vector, axis, row)
    products = s[..., None] * p * (v - np.sum(p * v, axis=-1, keepdims=True)) / temperature**2
    rows = reduce_gradient(products, s, row.counts, reduction, normalizer, upstream)
    return from_rows(rows, np.shape(logits), axis)


def kl_divergence_hessian(
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
    """Second derivatives of each row by its logits, s (diag(p) - p p^T) / T^2.

    Parameters
    ----------
    logits, target_logits, upstream and the options
        As in `kl_divergence_grad`.

    Returns
    -------
    ndarray of float64, shape (\\*batch, K, K)
        Several class axes count as one, flattened in C order.

    Examples
    --------
    >>> kl_divergence_hessian([0.0, 0.0], [0.0, 1.0])
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    row = _evaluate(logits, target_logits, axis, temperature, where, sample_weight)
    s, p = row.sample_weight, _probabilities(row)
    matrices = -p[..., :, None] * p[..., None, :]
    diagonal = np.arange(p.shape[-1])
    # 1 - p_k is R / (1 + R); the subtraction would lose it in a confident row.
    complement = np.where(row.p.first_maximum, row.p.rest / (1.0 + row.p.rest), 1.0 - p)
    matrices[..., diagonal, diagonal] = np.where(row.allowed, p * complement, 0.0)
    flat = s[..., None] * matrices.reshape((*s.shape, -1)) / temperature**2
    return reduce_gradient(flat, s, row.counts, reduction, normalizer, upstream).reshape(matrices.shape)


def kl_divergence_hessian_diagonal(
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
    """The diagonals of `kl_divergence_hessian`, s p (1 - p) / T^2.

    Parameters
    ----------
    logits, target_logits, upstream and the options
        As in `kl_divergence_grad`.

    Returns
    -------
    ndarray of float64, shape of logits

    Examples
    --------
    >>> kl_divergence_hessian_diagonal([0.0, 0.0], [0.0, 1.0])
    array([0.25, 0.25])
    """
    matrices = kl_divergence_hessian(
        logits,
        target_logits,
        upstream=upstream,
        axis=axis,
        temperature=temperature,
        where=where,
        sample_weight=sample_weight,
        reduction=reduction,
        normalizer=normalizer,
    )
    return from_rows(np.diagonal(matrices, axis1=-2, axis2=-1), np.shape(logits), axis)
