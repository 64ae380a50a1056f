"""binary_cross_entropy of logits, and its gradient.

Each element is a problem of its own. With s the sigmoid, the target y smoothed to y' = (1 - a) y + a / 2, its
complement 1 - y' = (1 - a) (1 - y) + a / 2, the weight w of the positive class and the sample weight v:

    loss = v (w y' (-log s(x)) + (1 - y') (-log s(-x)))
    grad = v ((1 - y') s(x) - w y' s(-x))

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
