"""linear_cross_entropy: cross_entropy of hidden @ weight.T + bias, and its gradients; the logits are held."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._rows import FloatArray
from softgrad.reference.cross_entropy import cross_entropy, cross_entropy_grad


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
