"""What is asked of the tokens of a language model: log-probability, entropy and rank, in one pass over the logits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._contracts import (
    Axis,
    Floating,
    Int64,
    axes_tuple,
    class_labels,
    class_rows,
    floating_array,
    loss_dtype,
    row_size,
    same_shape,
    shape_without,
)
from softgrad._differentiable import Differentiable
from softgrad.losses._reduction import round_to


class TokenStatistics(NamedTuple):
    """What `token_logprobs` returns, each of the shape of the labels."""

    logprob: NDArray[np.floating[Any]]
    entropy: NDArray[np.floating[Any]]
    rank: NDArray[np.int64]


class TokenTangents(NamedTuple):
    """What `token_logprobs.jvp` returns, each of the shape of the labels; the rank has no derivative."""

    logprob: NDArray[np.floating[Any]]
    entropy: NDArray[np.floating[Any]]


class TokenLogprobs(Differentiable):
    """Log-probability and rank of the label of each row, and the entropy of the row, in one pass.

    ``token_logprobs(logits, labels, /, *, axis=-1)``, and its derivative ``token_logprobs.jvp``. The gradient of the
    log-probability is the negative of `cross_entropy.grad`.

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
    TokenStatistics
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

    name = "token_logprobs"

    def __call__(self, logits: ArrayLike, labels: ArrayLike, /, *, axis: Axis = -1) -> TokenStatistics:
        x = floating_array(logits, "logits")
        axes = axes_tuple(axis, x.ndim)
        indices = _indices(labels, x, axes)
        batch = indices.shape
        logprobs, entropies, ranks = np.empty(batch), np.empty(batch), np.empty(batch, np.int64)
        _native.token_logprobs(_native.buffer(x), axes, indices, logprobs, entropies, ranks)
        dtype = loss_dtype(x)
        return TokenStatistics(round_to(logprobs, dtype)[()], round_to(entropies, dtype)[()], ranks[()])

    def jvp(self, logits: ArrayLike, labels: ArrayLike, tangent: ArrayLike, /, *, axis: Axis = -1) -> TokenTangents:
        """The derivatives in the direction `tangent` of the logits.

        v_t - <p, v> of the log-probability, -sum p_j (log p_j + entropy) (v_j - v_k) of the entropy, k the most
        probable class.

        Parameters
        ----------
        logits, labels, axis
            As in the call.
        tangent : array_like, shape of `logits`

        Returns
        -------
        TokenTangents
            A named tuple (logprob, entropy), in the dtypes of the call.

        Examples
        --------
        >>> import softgrad as sg
        >>> logprob, entropy = sg.token_logprobs.jvp([2.0, 3.0, 4.0], 1, [0.0, 1.0, 0.0])
        >>> float(logprob.round(4)), float(entropy.round(4))
        (0.7553, 0.1408)
        """
        x = floating_array(logits, "logits")
        axes = axes_tuple(axis, x.ndim)
        indices = _indices(labels, x, axes)
        rows = class_rows(x, axes)
        v = class_rows(same_shape(tangent, "tangent", x, "logits"), axes)
        p, log_p = np.empty_like(rows), np.empty_like(rows)
        last = (rows.ndim - 1,)
        _native.softmax(rows, p, last, None, 1.0)
        _native.log_softmax(rows, log_p, last, None, 1.0)
        v = v - np.take_along_axis(v, p.argmax(axis=-1)[..., None], axis=-1)
        chosen = np.take_along_axis(v, indices[..., None], axis=-1)[..., 0]
        weighted = np.multiply(p, log_p, out=np.zeros_like(p), where=p != 0.0)
        entropy = -weighted.sum(axis=-1, keepdims=True)
        dtype = loss_dtype(x)
        return TokenTangents(
            round_to(np.asarray(chosen - (p * v).sum(axis=-1)), dtype)[()],
            round_to(np.asarray(-((weighted + p * entropy) * v).sum(axis=-1)), dtype)[()],
        )

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (rng.normal(scale=3.0, size=(6, 5)).astype(dtype), rng.integers(0, 5, size=6)), {}


def _indices(labels: ArrayLike, x: Floating, axes: tuple[int, ...]) -> Int64:
    given = np.asarray(labels)
    if given.dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {given.dtype}; token_logprobs takes class indices")
    classes = row_size(x.shape, axes)
    if classes == 0:
        raise ValueError(f"logits has shape {x.shape}: a row of no classes has no label")
    return class_labels(given, shape_without(x.shape, axes), classes, None)[0]


token_logprobs = TokenLogprobs()
