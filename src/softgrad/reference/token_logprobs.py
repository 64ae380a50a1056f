"""token_logprobs: the log-probability of a label, the entropy of its row, and the rank of the label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad.reference._labels import one_hot
from softgrad.reference._rows import Axis, FloatArray, softmax_rows, statistics, to_rows


class TokenLogprobs(NamedTuple):
    """What `token_logprobs` gives; each of the shape of the labels."""

    logprob: FloatArray
    entropy: FloatArray
    rank: NDArray[np.int64]


def token_logprobs(logits: ArrayLike, labels: ArrayLike, /, *, axis: Axis = -1) -> TokenLogprobs:
    """Log-probability log p_t of each label t, entropy -sum_j p_j log p_j of its row, and rank of t.

    Parameters
    ----------
    logits : array_like, any shape
        A class at -inf contributes 0 to the entropy. A NaN, a +inf or nothing but -inf gives NaN twice and
        rank 0.
    labels : array_like of integers, shape of logits without the class axes
    axis : int, tuple of int or None
        The class axes; several are counted as one, flattened in C order.

    Returns
    -------
    TokenLogprobs
        A named tuple (logprob, entropy, rank); the rank is 1 + the number of strictly larger logits.

    Examples
    --------
    >>> logprob, entropy, rank = token_logprobs([0.0, 0.0, -np.inf], 1)
    >>> float(logprob), float(entropy), int(rank)
    (-0.6931471805599453, 0.6931471805599453, 1)
    """
    x = to_rows(logits, axis)
    t = np.asarray(labels)
    at_label = one_hot(t, np.zeros(t.shape, dtype=np.bool_), x.shape[-1]) == 1.0
    row = statistics(x)
    log_rest = np.log1p(row.rest)
    log_p = np.sum(np.where(at_label, row.shifted, 0.0), axis=-1) - log_rest[..., 0]
    p = softmax_rows(row)
    # -sum p log p = log1p(R) + sum p_j (m - x_j): every term is >= 0.
    distance = np.sum(np.multiply(p, -row.shifted, out=np.zeros(p.shape), where=p != 0.0), axis=-1)
    x_label = np.sum(np.where(at_label, x, 0.0), axis=-1, keepdims=True)
    defined = ~np.isnan(row.rest[..., 0])
    rank = np.where(defined, 1 + np.count_nonzero(x > x_label, axis=-1), 0)
    return TokenLogprobs(log_p[()], (log_rest[..., 0] + distance)[()], rank[()])


def token_logprobs_jvp(
    logits: ArrayLike, labels: ArrayLike, tangent: ArrayLike, /, *, axis: Axis = -1
) -> tuple[FloatArray, FloatArray]:
    """Directional derivatives of the log-probability, <onehot(t) - p, v>, and of the entropy, <-p (log p + H), v>.

    Parameters
    ----------
    logits, labels, axis
        As in `token_logprobs`; finite logits.
    tangent : array_like, shape of logits
        The direction v.

    Returns
    -------
    tuple of two ndarrays of float64, shape of the labels

    Examples
    --------
    >>> logprob, entropy = token_logprobs_jvp([0.0, 0.0], 1, [0.0, 1.0])
    >>> float(logprob), float(entropy)
    (0.5, 0.0)
    """
    row = statistics(to_rows(logits, axis))
    p = softmax_rows(row)
    log_p = row.shifted - np.log1p(row.rest)
    v = to_rows(tangent, axis)
    entropy = token_logprobs(logits, labels, axis=axis).entropy
    at_label = np.arange(p.shape[-1]) == np.asarray(labels)[..., None]
    by_logprob = np.sum((at_label - p) * v, axis=-1)
    by_entropy = np.sum(-p * (log_p + np.asarray(entropy)[..., None]) * v, axis=-1)
    return by_logprob[()], by_entropy[()]
