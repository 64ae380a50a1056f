"""token_logprobs: the log-probability of a label, the entropy of its row, and the rank of the label.

The rank has no derivative. The others have the gradients

    onehot(t) - p      at the label 1 - p_t, R / (1 + R) where it is the first maximum
    -p_j ((x_j - m) + d)      d = sum_i p_i (m - x_i)

The second is -p (log p + entropy) without log1p(R), which both terms have: among nearly equal classes the rest would be
lost in it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad.reference._labels import one_hot
from softgrad.reference._rows import (
    Axis,
    FloatArray,
    centred,
    from_rows,
    softmax_rows,
    statistics,
    to_rows,
)


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


class TokenDerivatives(NamedTuple):
    """A part for each result of `token_logprobs` that has a derivative."""

    logprob: FloatArray
    entropy: FloatArray


def _gradients(logits: ArrayLike, labels: ArrayLike, axis: Axis) -> TokenDerivatives:
    """The two gradients of each row, (*batch, K)."""
    row = statistics(to_rows(logits, axis))
    p = softmax_rows(row)
    at_label = np.arange(p.shape[-1]) == np.asarray(labels)[..., None]
    complement = np.where(row.first_maximum, row.rest / (1.0 + row.rest), 1.0 - p)
    below = np.where(p == 0.0, 0.0, row.shifted)
    mean_below = np.sum(p * below, axis=-1, keepdims=True)
    return TokenDerivatives(np.where(at_label, complement, -p), -p * (below - mean_below))


def token_logprobs_jvp(
    logits: ArrayLike, labels: ArrayLike, tangent: ArrayLike, /, *, axis: Axis = -1
) -> TokenDerivatives:
    """Directional derivatives <gradient, v - v_k>, k the first maximum: each gradient sums to 0 over its row.

    Parameters
    ----------
    logits, labels, axis
        As in `token_logprobs`.
    tangent : array_like, shape of logits
        The direction v.

    Returns
    -------
    TokenDerivatives
        A named tuple (logprob, entropy) of ndarrays of float64, shape of the labels.

    Examples
    --------
    >>> logprob, entropy = token_logprobs_jvp([0.0, 0.0], 1, [0.0, 1.0])
    >>> float(logprob), float(entropy)
    (0.5, 0.0)
    """
    v = centred(to_rows(tangent, axis), statistics(to_rows(logits, axis)))
    of_logprob, of_entropy = _gradients(logits, labels, axis)
    return TokenDerivatives(np.sum(of_logprob * v, axis=-1)[()], np.sum(of_entropy * v, axis=-1)[()])


def token_logprobs_jacobian(logits: ArrayLike, labels: ArrayLike, /, *, axis: Axis = -1) -> TokenDerivatives:
    """The gradients of the log-probability and of the entropy of each row.

    Parameters
    ----------
    logits, labels, axis
        As in `token_logprobs`.

    Returns
    -------
    TokenDerivatives
        A named tuple (logprob, entropy) of ndarrays of float64, shape of logits.

    Examples
    --------
    >>> logprob, entropy = token_logprobs_jacobian([0.0, np.log(3.0)], 1)
    >>> logprob
    array([-0.25,  0.25])
    >>> (entropy / np.log(3.0)).round(15)
    array([ 0.1875, -0.1875])
    """
    of_logprob, of_entropy = (from_rows(rows, np.shape(logits), axis) for rows in _gradients(logits, labels, axis))
    return TokenDerivatives(of_logprob, of_entropy)


def token_logprobs_vjp(
    logits: ArrayLike, labels: ArrayLike, cotangent: tuple[ArrayLike, ArrayLike], /, *, axis: Axis = -1
) -> FloatArray:
    """Pull a pair of cotangents back to the logits: the sum of the two gradients, each times its own.

    Parameters
    ----------
    logits, labels, axis
        As in `token_logprobs`.
    cotangent : pair of array_like, each of the shape of labels
        Of the log-probability, and of the entropy.

    Returns
    -------
    ndarray of float64, shape of logits

    Examples
    --------
    >>> token_logprobs_vjp([0.0, np.log(3.0)], 1, (4.0, 0.0))
    array([-1.,  1.])
    """
    by_logprob, by_entropy = (np.asarray(part, dtype=np.float64)[..., None] for part in cotangent)
    of_logprob, of_entropy = _gradients(logits, labels, axis)
    return from_rows(by_logprob * of_logprob + by_entropy * of_entropy, np.shape(logits), axis)
