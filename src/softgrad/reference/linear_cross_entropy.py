"""linear_cross_entropy: cross_entropy of hidden @ weight.T + bias, and its gradients; the logits are held."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._rows import FloatArray
from softgrad.reference.cross_entropy import (
    cross_entropy,
    cross_entropy_grad,
    cross_entropy_hvp,
    cross_entropy_jvp,
)

Tangents = tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None]


class LinearGradients(NamedTuple):
    """Gradients of linear_cross_entropy; None for the bias where there is none."""

    hidden: FloatArray
    weight: FloatArray
    bias: FloatArray | None


def _logits(hidden: ArrayLike, weight: ArrayLike, bias: ArrayLike | None) -> FloatArray:
    product = np.asarray(hidden, dtype=np.float64) @ np.asarray(weight, dtype=np.float64).T
    return product if bias is None else product + np.asarray(bias, dtype=np.float64)


def linear_cross_entropy(
    hidden: ArrayLike,
    weight: ArrayLike,
    labels: ArrayLike,
    /,
    bias: ArrayLike | None = None,
    **options: Any,
) -> FloatArray:
    """cross_entropy of the logits hidden @ weight.T + bias.

    Parameters
    ----------
    hidden : array_like, shape (N, D)
    weight : array_like, shape (V, D)
    labels : array_like
        Class indices, shape (N,), or target probabilities, shape (N, V).
    bias : array_like, shape (V,)
    **options
        The options of `cross_entropy`, without `axis`.

    Returns
    -------
    float64 scalar, or an ndarray of shape (N,) for reduction "none"

    Examples
    --------
    >>> float(linear_cross_entropy([[1.0]], [[0.0], [0.0]], [1]))
    0.6931471805599453
    """
    return cross_entropy(_logits(hidden, weight, bias), labels, **options)


def linear_cross_entropy_grad(
    hidden: ArrayLike,
    weight: ArrayLike,
    labels: ArrayLike,
    /,
    bias: ArrayLike | None = None,
    *,
    upstream: ArrayLike | None = None,
    **options: Any,
) -> LinearGradients:
    """Gradients of `linear_cross_entropy`: with G that of the logits, G @ weight, G.T @ hidden, sums of G.

    Parameters
    ----------
    hidden, weight, labels, bias and the options
        As in `linear_cross_entropy`.
    upstream : array_like, shape of the loss
        The gradient of what follows with respect to the loss; None is 1.

    Returns
    -------
    LinearGradients
        Fields hidden (N, D), weight (V, D) and bias (V,), the last None without a bias.

    Examples
    --------
    >>> linear_cross_entropy_grad([[2.0]], [[0.0], [0.0]], [1]).weight
    array([[ 1.],
           [-1.]])
    """
    gradient = cross_entropy_grad(_logits(hidden, weight, bias), labels, upstream=upstream, **options)
    return LinearGradients(
        hidden=gradient @ np.asarray(weight, dtype=np.float64),
        weight=gradient.T @ np.asarray(hidden, dtype=np.float64),
        bias=None if bias is None else np.sum(gradient, axis=0),
    )


def _change(hidden: ArrayLike, weight: ArrayLike, tangents: Tangents) -> FloatArray:
    """The change of the logits along tangents of hidden, weight and bias."""
    h, w = np.asarray(hidden, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    dh, dw, db = (0.0 if each is None else np.asarray(each, dtype=np.float64) for each in tangents)
    change: FloatArray = np.broadcast_to(dh, h.shape) @ w.T + h @ np.broadcast_to(dw, w.shape).T + db
    return change


def linear_cross_entropy_jvp(
    hidden: ArrayLike,
    weight: ArrayLike,
    labels: ArrayLike,
    bias: ArrayLike | None,
    tangents: Tangents,
    /,
    **options: Any,
) -> FloatArray:
    """Derivative of `linear_cross_entropy` along tangents of hidden, weight and bias, through the logits.

    Parameters
    ----------
    hidden, weight, labels, bias and the options
        As in `linear_cross_entropy`.
    tangents : tuple of three
        Of the shapes of hidden, weight and bias; None stands for zeros.

    Returns
    -------
    float64 scalar, or an ndarray of shape (N,) for reduction "none"

    Examples
    --------
    >>> float(linear_cross_entropy_jvp([[1.0]], [[0.0], [0.0]], [0], None, (None, [[1.0], [0.0]], None)))
    -0.5
    """
    return cross_entropy_jvp(_logits(hidden, weight, bias), labels, _change(hidden, weight, tangents), **options)


def linear_cross_entropy_hvp(
    hidden: ArrayLike,
    weight: ArrayLike,
    labels: ArrayLike,
    bias: ArrayLike | None,
    vectors: Tangents,
    /,
    *,
    gauss_newton: bool = False,
    upstream: ArrayLike | None = None,
    **options: Any,
) -> LinearGradients:
    """Derivatives of `linear_cross_entropy_grad` along vectors: those of G @ weight, G.T @ hidden and the sums of G.

    Parameters
    ----------
    hidden, weight, labels, bias, upstream and the options
        As in `linear_cross_entropy_grad`.
    vectors : tuple of three
        Of the shapes of hidden, weight and bias; None stands for zeros.
    gauss_newton : bool
        Hold G constant where it stands beside a change of hidden or weight.

    Returns
    -------
    LinearGradients

    Examples
    --------
    >>> linear_cross_entropy_hvp([[1.0]], [[0.0], [0.0]], [0], None, (None, [[1.0], [0.0]], None)).weight
    array([[ 0.25],
           [-0.25]])
    """
    h, w = np.asarray(hidden, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    z = _logits(hidden, weight, bias)
    change = cross_entropy_hvp(z, labels, _change(hidden, weight, vectors), upstream=upstream, **options)
    by_hidden, by_weight = change @ w, change.T @ h
    if not gauss_newton:
        gradient = cross_entropy_grad(z, labels, upstream=upstream, **options)
        if vectors[1] is not None:
            by_hidden = by_hidden + gradient @ np.asarray(vectors[1], dtype=np.float64)
        if vectors[0] is not None:
            by_weight = by_weight + gradient.T @ np.asarray(vectors[0], dtype=np.float64)
    return LinearGradients(by_hidden, by_weight, None if bias is None else np.sum(change, axis=0))
