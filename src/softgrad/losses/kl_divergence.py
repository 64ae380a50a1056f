"""Kullback-Leibler divergence between the softmax of two sets of logits, as distillation uses it, and its gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    Normalizer,
    Reduction,
    axes_tuple,
    class_mask,
    class_rows,
    floating_array,
    from_class_rows,
    loss_dtype,
    nonnegative_weights,
    output_for,
    row_size,
    same_shape,
    separate,
    shape_without,
    temperature_value,
)
from softgrad._differentiable import Differentiable
from softgrad.losses._reduction import ReductionPlan, round_to

# exp(u) - 1 - u = u^2 (1/2 + u/6 + ...): the Taylor terms that float64 can tell for |u| <= 1/2.
_SERIES = [1.0 / math.factorial(k) for k in range(2, 18)]


class KLDivergence(Differentiable):
    """Kullback-Leibler divergence of the softmax of logits from that of target logits.

    ``kl_divergence(logits, target_logits, /, *, axis=-1, temperature=1.0, where=None, sample_weight=None,
    reduction="mean", normalizer="weights")``, and its derivatives ``kl_divergence.value_and_grad`` and
    ``kl_divergence.grad``, by the logits.

    Parameters
    ----------
    logits : array_like, any shape
        Those of the student: float64, float32, float16 or bfloat16 (of the package ml_dtypes); integers are taken as
        float64.
    target_logits : array_like, shape of `logits`
        Those of the teacher.
    axis : int, tuple of int or None, default -1
        The class axes; None takes the whole array as one row.
    temperature : float, default 1
        Divides both; positive and finite. The result is not multiplied by its square, as some do.
    where : array_like of bool, broadcast to `logits`, optional
        Classes that take part, in both.
    sample_weight : array_like, shape of `logits` without `axis`, optional
        Multiplies the loss of each row; finite and not negative.
    reduction : {"mean", "sum", "none"}, default "mean"
    normalizer : {"weights", "count"} or float, default "weights"
        What "mean" divides by: the sum of the sample weights of the rows that count, their number, or a number.

    Returns
    -------
    NumPy scalar, or ndarray of the shape of `logits` without `axis` for reduction "none"
        In the dtype of `logits`, float32 for those of two bytes. A row of weight 0, or whose classes are all left out,
        has loss 0 and gradient 0 and does not count. A class whose target probability is 0 contributes 0; one that has
        target probability and no probability gives +inf. A row with a NaN, a +inf, or nothing but -inf gives NaN.

    Raises
    ------
    TypeError
        An argument has a dtype that is not listed.
    ValueError
        Shapes do not fit, a weight is negative or not finite, `temperature` is out of range, or a row has no classes.
    numpy.exceptions.AxisError
        `axis` is out of range.

    Notes
    -----
    Worked out in float64, for float64 in the extended precision of the machine where it has one, with temporaries of
    the size of the logits.

    References
    ----------
    With u = log p - log q the sum of q (exp(u) - 1 - u): no term is negative, so close distributions lose no digits to
    cancellation as sum q (log q - log p) does. Gradient (p - q) / temperature = q (exp(u) - 1) / temperature.

    Examples
    --------
    >>> import softgrad as sg
    >>> loss, gradient = sg.kl_divergence.value_and_grad([0.0, 0.0], [0.0, 1.0])
    >>> float(loss.round(6))
    0.110944
    >>> gradient.round(6)
    array([ 0.231059, -0.231059])
    """

    name = "kl_divergence"

    def __call__(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Any:
        x, losses, _, plan = _evaluate(
            logits, target_logits, axis, temperature, where, sample_weight, reduction, normalizer, None
        )
        return plan.result(losses.reshape(-1), losses.shape, loss_dtype(x))

    def value_and_grad(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[Any, Floating]:
        """The loss and its gradient by the logits.

        Parameters
        ----------
        logits, target_logits and the options
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
        >>> loss, gradient = sg.kl_divergence.value_and_grad([1.0, 2.0], [1.0, 2.0])
        >>> float(loss), gradient
        (0.0, array([0., 0.]))
        """
        x, losses, rows, plan = _evaluate(
            logits, target_logits, axis, temperature, where, sample_weight, reduction, normalizer, upstream
        )
        separate(out, target_logits=target_logits, where=where, sample_weight=sample_weight, upstream=upstream)
        gradient = output_for(x, out)
        gradient[...] = round_to(from_class_rows(rows, x.shape, axes_tuple(axis, x.ndim)), x.dtype)
        return plan.result(losses.reshape(-1), losses.shape, loss_dtype(x)), gradient

    def grad(self, logits: ArrayLike, target_logits: ArrayLike, /, **options: Any) -> Floating:
        """The gradient alone: the second of `value_and_grad`, with the same parameters.

        Parameters
        ----------
        logits, target_logits and the options
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.kl_divergence.grad([0.0, 0.0], [0.0, 1.0], temperature=2.0).round(6)
        array([ 0.06123, -0.06123])
        """
        return self.value_and_grad(logits, target_logits, **options)[1]

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        student, teacher = rng.normal(scale=3.0, size=(2, 6, 5)).astype(dtype)
        return (student, teacher), {"temperature": 2.0}


def _evaluate(
    logits: ArrayLike,
    target_logits: ArrayLike,
    axis: Axis,
    temperature: float,
    where: ArrayLike | None,
    sample_weight: ArrayLike | None,
    reduction: Reduction,
    normalizer: Normalizer,
    upstream: ArrayLike | None,
) -> tuple[Floating, Float64, Float64, ReductionPlan]:
    """The logits, the weighted loss of each row, the gradient of the reduced loss as rows, and the reduction."""
    x = floating_array(logits, "logits")
    targets = same_shape(target_logits, "target_logits", x, "logits")
    axes = axes_tuple(axis, x.ndim)
    if row_size(x.shape, axes) == 0:
        raise ValueError(f"logits has shape {x.shape}: a row of no classes has no loss")
    divisor = temperature_value(temperature)
    batch = shape_without(x.shape, axes)
    mask = class_mask(where, x.shape)
    weights = None if sample_weight is None else nonnegative_weights(sample_weight, "sample_weight", batch)
    allowed = None if mask is None else class_rows(mask, axes) != 0.0
    if allowed is not None:
        weights = np.where(allowed.any(axis=-1), 1.0 if weights is None else weights, 0.0)
    plan = ReductionPlan.of(reduction, normalizer, upstream, batch, None if weights is None else weights.reshape(-1))
    # The logarithms of probabilities are large where their difference is not: float64 needs more than its own digits.
    work = np.longdouble if np.float64 in (x.dtype, targets.dtype) else np.float64
    losses, gradient = _divergence(class_rows(x, axes), class_rows(targets, axes), allowed, divisor, work)
    factor = np.full(batch, plan.scale / divisor)
    if plan.upstream is not None:
        factor *= plan.upstream.reshape(batch)
    if weights is not None:
        # A row that does not count is replaced by 0, not multiplied by it: it may hold NaN.
        losses = np.where(weights == 0.0, 0.0, losses) * weights
        gradient[weights == 0.0] = 0.0
        factor *= weights
    return x, losses, gradient * factor[..., None], plan


def _divergence(
    z: Float64, t: Float64, allowed: NDArray[np.bool_] | None, temperature: float, work: type[np.floating[Any]]
) -> tuple[Float64, Float64]:
    """sum q (exp(u) - 1 - u) of each row, and p - q; worked out in the dtype `work`."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        log_p, p = _log_softmax(z.astype(work), allowed, temperature)
        log_q, q = _log_softmax(t.astype(work), allowed, temperature)
        # Mass that underflows is mass all the same.
        present = log_q != -np.inf
        u = np.where(present, log_p - log_q, 0.0)
        close = np.abs(u).max(axis=-1, keepdims=True) <= 0.5
        u = np.where(close & present, _log_ratio_of_close(z.astype(work), t.astype(work), q, present, temperature), u)
        small = np.abs(u) <= 0.5
        series = u * u * np.polynomial.polynomial.polyval(np.where(small, u, 0.0), _SERIES)
        # Further apart nothing cancels, and exp(u) could overflow.
        terms = np.where(small & present, q * series, (p - q) - q * u)
        terms = np.where(present & (log_p == -np.inf), np.inf, terms)
        difference = np.where(small & present, q * np.expm1(np.where(small, u, 0.0)), p - q)
        return terms.sum(axis=-1).astype(np.float64), difference.astype(np.float64)


def _log_softmax(
    rows: NDArray[Any], allowed: NDArray[np.bool_] | None, temperature: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """log p and p of each row."""
    if allowed is not None:
        rows = np.where(allowed, rows, -np.inf)
    first = rows.argmax(axis=-1)[..., None]
    maximum = np.take_along_axis(rows, first, axis=-1)
    # A row with NaN or +inf, or of nothing but -inf, is no distribution.
    below = np.where(np.isfinite(maximum), (rows - maximum) / rows.dtype.type(temperature), np.nan)
    others = np.exp(below)
    np.put_along_axis(others, first, 0.0, axis=-1)
    rest = others.sum(axis=-1, keepdims=True)
    return below - np.log1p(rest), np.exp(below) / (1.0 + rest)


def _log_ratio_of_close(
    z: NDArray[Any], t: NDArray[Any], q: NDArray[Any], present: NDArray[np.bool_], temperature: float
) -> NDArray[Any]:
    """log p - log q from the difference of the logits, whose digits log p and log q, rounded, have lost."""
    difference = np.where(present, z - t, 0.0) / z.dtype.type(temperature)
    centre = (q * difference).sum(axis=-1, keepdims=True)
    shifted = difference - centre
    ratio: NDArray[Any] = shifted - np.log1p((q * np.expm1(shifted)).sum(axis=-1, keepdims=True))
    return ratio


kl_divergence = KLDivergence()
