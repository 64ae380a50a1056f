"""What is asked of the tokens of a language model: log-probability, entropy and rank, in one pass over the logits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._contracts import (
    Axis,
    axes_tuple,
    class_labels,
    floating_array,
    loss_dtype,
    row_size,
    shape_without,
)
from softgrad.losses._reduction import round_to


class TokenLogprobs(NamedTuple):
    """What `token_logprobs` returns, each of the shape of the labels."""

    logprob: NDArray[np.floating[Any]]
    entropy: NDArray[np.floating[Any]]
    rank: NDArray[np.int64]


def token_logprobs(logits: ArrayLike, labels: ArrayLike, /, *, axis: Axis = -1) -> TokenLogprobs:
    """Log-probability and rank of the label of each row, and the entropy of the row, in one pass.

    The gradient of the log-probability is the negative of `cross_entropy.grad`.

    Parameters
    ----------
    logits : array_like, any shape
        float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides; integers are taken as float64.
    labels : array_like of integers, shape of `logits` without `axis`
        Class indices.
    axis : int, tuple of int or None, default -1
        The class axes; None takes the whole array as one row.

    Returns
    -------
    TokenLogprobs
        A named tuple: ``logprob`` and ``entropy`` (in nats) in the dtype of `logits`, float32 for those of two bytes;
        ``rank``, int64, 1 for the most probable class, which ties share. -inf is a class of probability 0, which adds 0
        to the entropy. A row with a NaN, a +inf, or nothing but -inf gives NaN, NaN and rank 0.

    Raises
    ------
    TypeError
        An argument has a dtype that is not listed.
    ValueError
        A label is out of range (the message names it), shapes do not fit, or a row has no classes.
    numpy.exceptions.AxisError
        `axis` is out of range.

    Notes
    -----
    The log-probability is as exact as the loss of `cross_entropy`. The entropy is log1p(R) + sum p_j (m - x_j), with m
    the maximum and R the sum of the others' exp(x_j - m): no term is negative.

    Examples
    --------
    >>> import softgrad as sg
    >>> logprob, entropy, rank = sg.token_logprobs([2.0, 3.0, 4.0], 1)
    >>> float(logprob.round(4)), float(entropy.round(4)), int(rank)
    (-1.4076, 0.8324, 2)
    """
    x = floating_array(logits, "logits")
    axes = axes_tuple(axis, x.ndim)
    batch = shape_without(x.shape, axes)
    classes = row_size(x.shape, axes)
    given = np.asarray(labels)
    if given.dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {given.dtype}; token_logprobs takes class indices")
    if classes == 0:
        raise ValueError(f"logits has shape {x.shape}: a row of no classes has no label")
    indices, _ = class_labels(given, batch, classes, None)
    logprobs, entropies, ranks = np.empty(batch), np.empty(batch), np.empty(batch, np.int64)
    _native.token_logprobs(_native.buffer(x), axes, indices, logprobs, entropies, ranks)
    dtype = loss_dtype(x)
    return TokenLogprobs(round_to(logprobs, dtype)[()], round_to(entropies, dtype)[()], ranks[()])
