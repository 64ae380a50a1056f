"""binary_cross_entropy of logits, its gradient and its second derivative.

Each element is a row of its own. With s the sigmoid, the target y smoothed to y' = (1 - a) y + a / 2, its
complement 1 - y' = (1 - a) (1 - y) + a / 2, the weight w of the positive class and the sample weight v:

    loss = v (w y' (-log s(x)) + (1 - y') (-log s(-x)))
    grad = v ((1 - y') s(x) - w y' s(-x))
    second derivative = v (w y' + 1 - y') s(x) s(-x)

s(-x) and not 1 - s(x), which is 0 from x = 37 on. An element counts unless its sample weight is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from softgrad.reference._reduction import Normalizer, Reduction, reduce_gradient, reduce_loss, row_weights
from softgrad.reference._rows import FloatArray
from softgrad.reference.log_sigmoid import log_sigmoid
from softgrad.reference.sigmoid import sigmoid


def _masses(
    targets: ArrayLike, shape: tuple[int, ...], pos_weight: ArrayLike | None, label_smoothing: float
) -> tuple[FloatArray, FloatArray]:
    """w y' and 1 - y', each of the shape of the logits."""
    y = np.broadcast_to(np.asarray(targets, dtype=np.float64), shape)
    w = np.asarray(1.0 if pos_weight is None else pos_weight, dtype=np.float64)
    half = 0.5 * label_smoothing
    positive = w * ((1.0 - label_smoothing) * y + half)
    negative = (1.0 - label_smoothing) * (1.0 - y) + half
    return positive, negative


def binary_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    /,
    *,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Cross-entropy of each element with the probability sigmoid(x) of the positive class.

    Parameters
    ----------
    logits : array_like, any shape
        A mass of 0 contributes 0, also at a logit of infinite size; a NaN gives NaN.
    targets : array_like, shape of logits
        The mass of the positive class, in [0, 1]; bool and integers are taken as numbers.
    pos_weight : array_like, broadcast to logits
        Multiplies the mass of the positive class.
    sample_weight : array_like, shape of logits
        Weight of each element; one of weight 0 does not count, whatever it holds.
    label_smoothing : float
        The part of the target that is spread evenly over the two classes.
    reduction : "mean", "sum" or "none"
    normalizer : "weights", "count" or a number
        What "mean" divides by: the sum of the sample weights, the number of elements that count, or this number.

    Returns
    -------
    float64 scalar, or an ndarray of the shape of logits for reduction "none"

    Examples
    --------
    >>> float(binary_cross_entropy([0.0, 0.0], [0, 1]))
    0.6931471805599453
    """
    x = np.asarray(logits, dtype=np.float64)
    positive, negative = _masses(targets, x.shape, pos_weight, label_smoothing)
    v = row_weights(sample_weight, x.shape)
    per_element = np.zeros(x.shape)
    for mass, cost in ((positive, -log_sigmoid(x)), (negative, -log_sigmoid(-x))):
        per_element += np.multiply(mass, cost, out=np.zeros(x.shape), where=mass != 0.0)
    counts = v != 0.0
    weighted = np.multiply(v, per_element, out=np.zeros(x.shape), where=counts)
    return reduce_loss(weighted, v, counts, reduction, normalizer)


def binary_cross_entropy_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Gradient of `binary_cross_entropy` with respect to the logits: v ((1 - y') s(x) - w y' s(-x)).

    Parameters
    ----------
    logits, targets and the options
        As in `binary_cross_entropy`.
    upstream : array_like, shape of the loss
        The gradient of what follows with respect to the loss; None is 1.

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of logits

    Examples
    --------
    >>> binary_cross_entropy_grad([0.0, 0.0], [0, 1])
    array([ 0.25, -0.25])
    """
    x = np.asarray(logits, dtype=np.float64)
    positive, negative = _masses(targets, x.shape, pos_weight, label_smoothing)
    v = row_weights(sample_weight, x.shape)
    gradient = v * (negative * sigmoid(x) - positive * sigmoid(-x))
    return reduce_gradient(gradient[..., None], v, v != 0.0, reduction, normalizer, upstream)[..., 0]


def binary_cross_entropy_jvp(
    logits: ArrayLike,
    targets: ArrayLike,
    tangent: ArrayLike,
    /,
    *,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Directional derivative of each element, reduced as the loss is.

    Parameters
    ----------
    logits, targets and the options
        As in `binary_cross_entropy`.
    tangent : array_like, shape of logits

    Returns
    -------
    float64 scalar, or an ndarray of the shape of logits for reduction "none"

    Examples
    --------
    >>> float(binary_cross_entropy_jvp([0.0, 0.0], [0, 1], [1.0, -1.0]))
    0.5
    """
    x = np.asarray(logits, dtype=np.float64)
    positive, negative = _masses(targets, x.shape, pos_weight, label_smoothing)
    v = row_weights(sample_weight, x.shape)
    counts = v != 0.0
    direction = np.where(counts, np.asarray(tangent, dtype=np.float64), 0.0)
    rates = v * (negative * sigmoid(x) - positive * sigmoid(-x)) * direction
    return reduce_loss(rates, v, counts, reduction, normalizer)


def binary_cross_entropy_hessian_diagonal(
    logits: ArrayLike,
    targets: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Second derivative by each logit: v (w y' + 1 - y') s(x) s(-x).

    Parameters
    ----------
    logits, targets, upstream and the options
        As in `binary_cross_entropy_grad`.

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of logits

    Examples
    --------
    >>> binary_cross_entropy_hessian_diagonal([0.0, 0.0], [0, 1], reduction="sum")
    array([0.25, 0.25])
    """
    x = np.asarray(logits, dtype=np.float64)
    positive, negative = _masses(targets, x.shape, pos_weight, label_smoothing)
    v = row_weights(sample_weight, x.shape)
    second = v * (positive + negative) * sigmoid(x) * sigmoid(-x)
    return reduce_gradient(second[..., None], v, v != 0.0, reduction, normalizer, upstream)[..., 0]


def binary_cross_entropy_hessian(
    logits: ArrayLike,
    targets: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """`binary_cross_entropy_hessian_diagonal` as a 1 x 1 matrix for each element, which is a row of its own.

    Parameters
    ----------
    logits, targets, upstream and the options
        As in `binary_cross_entropy_grad`.

    Returns
    -------
    ndarray of float64, shape (\\*shape of logits, 1, 1)

    Examples
    --------
    >>> binary_cross_entropy_hessian([0.0], [1])
    array([[[0.25]]])
    """
    second = binary_cross_entropy_hessian_diagonal(
        logits,
        targets,
        upstream=upstream,
        pos_weight=pos_weight,
        sample_weight=sample_weight,
        label_smoothing=label_smoothing,
        reduction=reduction,
        normalizer=normalizer,
    )
    return second[..., None, None]


def binary_cross_entropy_hvp(
    logits: ArrayLike,
    targets: ArrayLike,
    vector: ArrayLike,
    /,
    *,
    upstream: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> FloatArray:
    """Derivative of `binary_cross_entropy_grad` along a vector: element by element, the second derivative times it.

    Parameters
    ----------
    logits, targets, upstream and the options
        As in `binary_cross_entropy_grad`.
    vector : array_like, shape of logits

    Returns
    -------
    ndarray of float64 (a NumPy scalar for a scalar), shape of logits

    Examples
    --------
    >>> binary_cross_entropy_hvp([0.0], [1], [2.0])
    array([0.5])
    """
    second = binary_cross_entropy_hessian_diagonal(
        logits,
        targets,
        upstream=upstream,
        pos_weight=pos_weight,
        sample_weight=sample_weight,
        label_smoothing=label_smoothing,
        reduction=reduction,
        normalizer=normalizer,
    )
    counts = row_weights(sample_weight, np.shape(logits)) != 0.0
    return second * np.where(counts, np.asarray(vector, dtype=np.float64), 0.0)
