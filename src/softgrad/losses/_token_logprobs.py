"""What is asked of the tokens of a language model: log-probability, entropy and rank, in one pass over the logits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._blocks import blocks
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    Int64,
    as_array,
    axes_tuple,
    class_labels,
    floating_array,
    loss_dtype,
    round_to,
    row_size,
    same_shape,
    shape_without,
)
from softgrad._differentiable import Arguments, Differentiable
from softgrad.losses._centred import centred
from softgrad.losses._cross_entropy_problem import index_losses


class TokenStatistics(NamedTuple):
    """What `token_logprobs` returns, each of the shape of the labels."""

    logprob: NDArray[np.floating[Any]]
    entropy: NDArray[np.floating[Any]]
    rank: NDArray[np.int64]


class TokenDerivatives(NamedTuple):
    """What the derivatives of `token_logprobs` return: a part for each result but the rank, which has none."""

    logprob: NDArray[np.floating[Any]]
    entropy: NDArray[np.floating[Any]]


class TokenLogprobs(Differentiable):
    """Log-probability and rank of the label of each row, and the entropy of the row, in one pass.

    ``token_logprobs(logits, labels, /, *, axis=-1)``, and its derivatives ``token_logprobs.vjp``, ``jvp`` and
    ``jacobian``. The gradient of the log-probability is the negative of `cross_entropy.grad`.

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
    the maximum and R the sum of the others' exp(x_j - m): no term is negative. Its gradient is
    -p_j ((x_j - m) + sum p_i (m - x_i)).

    Examples
    --------
    >>> import softgrad as sg
    >>> logprob, entropy, rank = sg.token_logprobs([2.0, 3.0, 4.0], 1)
    >>> float(logprob.round(4)), float(entropy.round(4)), int(rank)
    (-1.4076, 0.8324, 2)
    """

    name = "token_logprobs"

    def __call__(self, logits: ArrayLike, labels: ArrayLike, /, *, axis: Axis = -1) -> TokenStatistics:
        x, axes, indices = _checked(logits, labels, axis)
        batch = indices.shape
        logprobs, entropies, ranks = np.empty(batch), np.empty(batch), np.empty(batch, np.int64)
        _native.token_logprobs(_native.buffer(x), axes, indices, logprobs, entropies, ranks)
        dtype = loss_dtype(x)
        return TokenStatistics(round_to(logprobs, dtype)[()], round_to(entropies, dtype)[()], ranks[()])

    def jvp(self, logits: ArrayLike, labels: ArrayLike, tangent: ArrayLike, /, *, axis: Axis = -1) -> TokenDerivatives:
        """The derivatives in the direction `tangent` of the logits.

        Parameters
        ----------
        logits, labels, axis
            As in the call.
        tangent : array_like, shape of `logits`

        Returns
        -------
        TokenDerivatives
            A named tuple (logprob, entropy), each of the shape of `labels`, in the dtype of the call.

        Examples
        --------
        >>> import softgrad as sg
        >>> logprob, entropy = sg.token_logprobs.jvp([2.0, 3.0, 4.0], 1, [0.0, 1.0, 0.0])
        >>> float(logprob.round(4)), float(entropy.round(4))
        (0.7553, 0.1408)
        """
        x, axes, indices = _checked(logits, labels, axis)
        v = same_shape(tangent, "tangent", x, "logits")
        results = tuple(np.empty(indices.shape, loss_dtype(x)) for _ in TokenDerivatives._fields)
        for block in blocks(x.shape, axes):
            logits = block.rows(x)
            along = centred(block.rows(v), logits)
            for gradient, result in zip(_gradients(logits, block.numbers(indices)), results, strict=True):
                block.numbers(result)[...] = round_to((gradient * along).sum(axis=-1), result.dtype)
        return TokenDerivatives(*(result[()] for result in results))

    def vjp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        cotangent: tuple[ArrayLike, ArrayLike],
        /,
        *,
        axis: Axis = -1,
    ) -> Floating:
        """The gradient of a loss whose gradients by the log-probability and by the entropy are `cotangent`.

        Parameters
        ----------
        logits, labels, axis
            As in the call.
        cotangent : tuple of two array_like, each of the shape of `labels`
            By the log-probability, by the entropy.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.token_logprobs.vjp([2.0, 3.0, 4.0], 1, (-1.0, 0.0)).round(4)
        array([ 0.09  , -0.7553,  0.6652])
        """
        x, axes, indices = _checked(logits, labels, axis)
        if not isinstance(cotangent, tuple) or len(cotangent) != 2:
            raise TypeError("cotangent must be a tuple of two: by the log-probability, by the entropy")
        factors = [_cotangent(part, f"cotangent[{i}]", indices.shape) for i, part in enumerate(cotangent)]
        result = np.empty(x.shape, x.dtype)
        for block in blocks(x.shape, axes):
            by_logprob, by_entropy = (block.numbers(factor)[..., None].astype(np.float64) for factor in factors)
            of_logprob, of_entropy = _gradients(block.rows(x), block.numbers(indices))
            block.write(by_logprob * of_logprob + by_entropy * of_entropy, result)
        return result

    def jacobian(self, logits: ArrayLike, labels: ArrayLike, /, *, axis: Axis = -1) -> TokenDerivatives:
        """The gradients of the log-probability and of the entropy of each row by its logits.

        Parameters
        ----------
        logits, labels, axis
            As in the call.

        Returns
        -------
        TokenDerivatives
            A named tuple (logprob, entropy), each of the shape and dtype of `logits`.

        Examples
        --------
        >>> import softgrad as sg
        >>> logprob, entropy = sg.token_logprobs.jacobian([2.0, 3.0, 4.0], 1)
        >>> logprob.round(4), entropy.round(4)
        (array([-0.09  ,  0.7553, -0.6652]), array([ 0.1418,  0.1408, -0.2826]))
        """
        x, axes, indices = _checked(logits, labels, axis)
        results = tuple(np.empty(x.shape, x.dtype) for _ in TokenDerivatives._fields)
        for block in blocks(x.shape, axes):
            for rows, result in zip(_gradients(block.rows(x), block.numbers(indices)), results, strict=True):
                block.write(rows, result)
        return TokenDerivatives(*results)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        return (rng.normal(scale=3.0, size=(6, 5)).astype(dtype), rng.integers(0, 5, size=6)), {}


def _checked(logits: ArrayLike, labels: ArrayLike, axis: Axis) -> tuple[Floating, tuple[int, ...], Int64]:
    """The logits, their class axes, and the labels."""
    x = floating_array(logits, "logits")
    axes = axes_tuple(axis, x.ndim)
    given = as_array(labels, "labels")
    if given.dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {given.dtype}; token_logprobs takes class indices")
    classes = row_size(x.shape, axes)
    if classes == 0:
        raise ValueError(f"logits has shape {x.shape}: a row of no classes has no label")
    return x, axes, class_labels(given, shape_without(x.shape, axes), classes, None)[0]


def _cotangent(value: ArrayLike, name: str, shape: tuple[int, ...]) -> Floating:
    array = floating_array(value, name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; labels has shape {shape}")
    return array


def _gradients(rows: Float64, indices: Int64) -> tuple[Float64, Float64]:
    """The gradients of the log-probability and of the entropy of each row, (*batch, K)."""
    last = (rows.ndim - 1,)
    p, by_logprob = np.empty_like(rows), np.empty_like(rows)
    _native.softmax(rows, p, last, None, 1.0)
    index_losses(rows, last, indices.reshape(-1), scale=-1.0, gradient=by_logprob)
    # -p (log p + entropy) without the logarithm of the sum, which both terms have: among nearly equal classes the rest
    # would be lost in it.
    with np.errstate(invalid="ignore"):
        below = np.where(p == 0.0, 0.0, rows - rows.max(axis=-1, keepdims=True))
        mean = (p * below).sum(axis=-1, keepdims=True)
        by_entropy: Float64 = -p * (below - mean)
    return by_logprob, by_entropy


token_logprobs = TokenLogprobs()
