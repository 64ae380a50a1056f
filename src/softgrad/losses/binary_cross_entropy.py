"""Binary cross-entropy of logits, element by element, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._contracts import (
    Float64,
    Floating,
    Normalizer,
    Reduction,
    broadcast_weights,
    floating_array,
    loss_dtype,
    nonnegative_weights,
    output_for,
    probabilities_within,
    separate,
    smoothing,
)
from softgrad._differentiable import Differentiable
from softgrad.losses._reduction import ReductionPlan, round_to

# Of the dtype that a loss is put together in: for float64 the extended precision of the machine, where it has one.
_Wide = NDArray[np.floating[Any]]


class BinaryCrossEntropy(Differentiable):
    """Cross-entropy of the sigmoid of each logit with a target between 0 and 1.

    ``binary_cross_entropy(logits, targets, /, *, pos_weight=None, sample_weight=None, label_smoothing=0.0,
    reduction="mean", normalizer="weights")``, and its derivatives ``binary_cross_entropy.value_and_grad`` and
    ``binary_cross_entropy.grad``.

    Parameters
    ----------
    logits : array_like, any shape
        float64, float32, float16 or bfloat16 (of the package ml_dtypes); integers are taken as float64.
    targets : array_like, shape of `logits`
        Probabilities of the positive class y, in [0, 1]: of any real dtype, or boolean.
    pos_weight : array_like, broadcast to `logits`, optional
        Multiplies the part of the positive class; finite and not negative.
    sample_weight : array_like, shape of `logits`, optional
        Multiplies the loss of each element; finite and not negative.
    label_smoothing : float, default 0
        a in [0, 1] replaces the target y by (1 - a) y + a / 2.
    reduction : {"mean", "sum", "none"}, default "mean"
    normalizer : {"weights", "count"} or float, default "weights"
        What "mean" divides by: the sum of the sample weights, the number of elements whose weight is not 0, or a
        number.

    Returns
    -------
    NumPy scalar, or ndarray of the shape of `logits` for reduction "none"
        In the dtype of `logits`, float32 for those of two bytes. An element of weight 0 has loss 0 and gradient 0
        whatever its logit, and does not count. No element counts: the mean is 0. A NaN gives NaN.

    Raises
    ------
    TypeError
        An argument has a dtype that is not listed.
    ValueError
        Shapes do not fit, a target is outside [0, 1] (the message names it), or a weight is negative or not finite.

    Notes
    -----
    Within 2 ulp (float32) or 3 ulp (float64) of the exact loss, element by element. Works in float64, put together
    in extended precision for float64 logits.

    References
    ----------
    With w the weight of the positive class, w y * -log_sigmoid(x) + (1 - y) * -log_sigmoid(-x), as
    (w y + 1 - y) * -log_sigmoid(abs(x)) + abs(x) times the weight of the side that x is not on: no term is negative.
    Gradient (1 - y) sigmoid(x) - w y sigmoid(-x).

    Examples
    --------
    >>> import softgrad as sg
    >>> loss, gradient = sg.binary_cross_entropy.value_and_grad([0.0, 40.0], [1, 1])
    >>> float(loss.round(6))
    0.346574
    >>> gradient
    array([-2.50000000e-01, -2.12417713e-18])
    """

    name = "binary_cross_entropy"

    def __call__(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Any:
        x = floating_array(logits, "logits")
        positive, negative, weights = _checked(x, targets, pos_weight, sample_weight, label_smoothing)
        plan = ReductionPlan.of(reduction, normalizer, None, x.shape, weights)
        return plan.result(_losses(x, positive, negative, weights), x.shape, loss_dtype(x))

    def value_and_grad(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[Any, Floating]:
        """The loss and its gradient by the logits.

        Parameters
        ----------
        logits, targets and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            The gradient of what follows by the loss; the gradient is multiplied by it.
        out : ndarray, optional
            Where the gradient goes: shape and dtype of `logits`; it may be `logits` itself.

        Returns
        -------
        loss
            As in the call.
        gradient : ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> loss, gradient = sg.binary_cross_entropy.value_and_grad([0.0, 0.0], [1.0, 0.25], reduction="sum")
        >>> gradient
        array([-0.5 ,  0.25])
        """
        x = floating_array(logits, "logits")
        positive, negative, weights = _checked(x, targets, pos_weight, sample_weight, label_smoothing)
        plan = ReductionPlan.of(reduction, normalizer, upstream, x.shape, weights)
        separate(out, targets=targets, pos_weight=pos_weight, sample_weight=sample_weight, upstream=upstream)
        gradient = output_for(x, out)
        losses = _losses(x, positive, negative, weights)
        rows = negative * _sigmoid(_flat(x)) - positive * _sigmoid(-_flat(x))
        rows = (rows * (plan.scale if plan.upstream is None else plan.scale * plan.upstream)).astype(np.float64)
        gradient[...] = round_to(_weighted(rows, weights).reshape(x.shape), x.dtype)
        return plan.result(losses, x.shape, loss_dtype(x)), gradient

    def grad(self, logits: ArrayLike, targets: ArrayLike, /, **options: Any) -> Floating:
        """The gradient alone: the second of `value_and_grad`, with the same parameters.

        Parameters
        ----------
        logits, targets and the options
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.binary_cross_entropy.grad([0.0], [1])
        array([-0.5])
        """
        return self.value_and_grad(logits, targets, **options)[1]

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        logits = rng.normal(scale=3.0, size=(4, 5)).astype(dtype)
        return (logits, rng.uniform(size=(4, 5))), {"pos_weight": rng.uniform(0.5, 2.0, size=5)}


def _checked(
    x: Floating,
    targets: ArrayLike,
    pos_weight: ArrayLike | None,
    sample_weight: ArrayLike | None,
    label_smoothing: float,
) -> tuple[_Wide, _Wide, Float64 | None]:
    """The weights of the two parts of each element's loss, and of the element; flat."""
    y = probabilities_within(targets, "targets", x.shape).reshape(-1)
    if x.dtype == np.float64:
        y = y.astype(np.longdouble)
    amount = smoothing(label_smoothing)
    positive, negative = (1.0 - amount) * y + 0.5 * amount, (1.0 - amount) * (1.0 - y) + 0.5 * amount
    if pos_weight is not None:
        positive = positive * broadcast_weights(pos_weight, "pos_weight", x.shape).reshape(-1)
    weights = (
        None if sample_weight is None else nonnegative_weights(sample_weight, "sample_weight", x.shape).reshape(-1)
    )
    return positive, negative, weights


def _flat(x: Floating) -> Float64:
    return np.asarray(x, np.float64).reshape(-1)


def _sigmoid(x: Float64) -> Float64:
    result = np.empty_like(x)
    _native.sigmoid(x, result)
    return result


def _losses(x: Floating, positive: _Wide, negative: _Wide, weights: Float64 | None) -> Float64:
    logits = _flat(x)
    size = np.abs(logits)
    log = np.empty_like(size)
    _native.log_sigmoid(size, log)
    wrong = np.where(logits < 0.0, positive, negative)
    # What is wrong without mass contributes 0, also at an infinite logit; a NaN stays.
    with np.errstate(invalid="ignore"):
        distance = np.where((wrong == 0.0) & np.isinf(size), 0.0, wrong * size)
    return _weighted(((positive + negative) * -log + distance).astype(np.float64), weights)


def _weighted(values: Float64, weights: Float64 | None) -> Float64:
    """Times the weights; 0 where the weight is 0, whatever stands there."""
    if weights is None:
        return values
    return np.multiply(values, weights, out=np.zeros_like(values), where=weights != 0.0)


binary_cross_entropy = BinaryCrossEntropy()
