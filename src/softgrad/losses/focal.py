"""The focal loss, cross-entropy with the rows that are already right weighed down, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softgrad import _native
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    Normalizer,
    Reduction,
    axes_tuple,
    floating_array,
    loss_dtype,
    number_within,
    output_for,
    separate,
)
from softgrad._differentiable import Differentiable
from softgrad.losses._problem import Problem, cross_entropy_problem


class Focal(Differentiable):
    """Focal loss of logits and class indices: (1 - p_t)^gamma times the cross-entropy -log p_t.

    ``focal(logits, labels, /, *, gamma=2.0, axis=-1, class_weight=None, sample_weight=None, ignore_index=None,
    reduction="mean", normalizer="weights")``, and its derivatives ``focal.value_and_grad`` and ``focal.grad``.

    Parameters
    ----------
    logits : array_like, any shape
        float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides; integers are taken as float64.
    labels : array_like of integers, shape of `logits` without `axis`
        Class indices.
    gamma : float, default 2
        Finite and not negative; 0 is the cross-entropy.
    axis, class_weight, sample_weight, ignore_index, reduction, normalizer
        As in `cross_entropy`.

    Returns
    -------
    NumPy scalar, or ndarray of the shape of `logits` without `axis` for reduction "none"
        In the dtype of `logits`, float32 for those of two bytes. Ignored rows, infinite logits: as in `cross_entropy`.

    Raises
    ------
    TypeError, ValueError, numpy.exceptions.AxisError
        As in `cross_entropy`; also if `gamma` is out of range or `labels` are probabilities.

    Notes
    -----
    1 - p_t is taken from the cross-entropy l as -expm1(-l): it keeps its digits in confident rows. There the loss is
    l^(1 + gamma), so its relative error is up to 1 + gamma times that of `cross_entropy`.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollar, Focal Loss for Dense Object Detection, 2017. With l = -log p_t the gradient is
    that of the cross-entropy times ((1 - p_t)^gamma + gamma (1 - p_t)^(gamma - 1) p_t l).

    Examples
    --------
    >>> import softgrad as sg
    >>> float(sg.focal([0.0, 0.0], 0, gamma=1.0).round(6))
    0.346574
    >>> sg.focal.grad([0.0, 0.0], 0, gamma=0.0)
    array([-0.5,  0.5])
    """

    name = "focal"

    def __call__(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        gamma: float = 2.0,
        axis: Axis = -1,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Any:
        x = floating_array(logits, "logits")
        power = _gamma(gamma)
        problem = cross_entropy_problem(
            x.shape,
            axes_tuple(axis, x.ndim),
            _indices(labels),
            None,
            class_weight=class_weight,
            sample_weight=sample_weight,
            ignore_index=ignore_index,
            reduction=reduction,
            normalizer=normalizer,
        )
        losses, _ = _modulated(x, problem, power)
        return problem.plan.result(losses, problem.batch, loss_dtype(x))

    def value_and_grad(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        gamma: float = 2.0,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        axis: Axis = -1,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[Any, Floating]:
        """The loss and its gradient by the logits.

        Parameters
        ----------
        logits, labels and the options
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
        >>> loss, gradient = sg.focal.value_and_grad([0.0, 0.0], 0, gamma=1.0)
        >>> gradient.round(6)
        array([-0.423287,  0.423287])
        """
        x = floating_array(logits, "logits")
        power = _gamma(gamma)
        problem = cross_entropy_problem(
            x.shape,
            axes_tuple(axis, x.ndim),
            _indices(labels),
            upstream,
            class_weight=class_weight,
            sample_weight=sample_weight,
            ignore_index=ignore_index,
            reduction=reduction,
            normalizer=normalizer,
        )
        separate(out, labels=labels, class_weight=class_weight, sample_weight=sample_weight, upstream=upstream)
        gradient = output_for(x, out)
        losses, factor = _modulated(x, problem, power)
        problem.with_upstream(factor).row_losses(x, gradient)
        return problem.plan.result(losses, problem.batch, loss_dtype(x)), gradient

    def grad(self, logits: ArrayLike, labels: ArrayLike, /, **options: Any) -> Floating:
        """The gradient alone: the second of `value_and_grad`, with the same parameters.

        Parameters
        ----------
        logits, labels and the options
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.focal.grad([0.0, 0.0], 1, gamma=1.0).round(6)
        array([ 0.423287, -0.423287])
        """
        return self.value_and_grad(logits, labels, **options)[1]

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        logits = rng.normal(scale=3.0, size=(6, 5)).astype(dtype)
        return (logits, rng.integers(0, 5, size=6)), {"gamma": 1.5, "class_weight": rng.uniform(0.5, 2.0, size=5)}


def _gamma(value: float) -> float:
    return number_within(value, "gamma", lambda g: 0.0 <= g < np.inf, "finite and not negative")


def _indices(labels: ArrayLike) -> ArrayLike:
    dtype = np.asarray(labels).dtype
    if dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {dtype}; focal takes class indices")
    return labels


def _modulated(x: Floating, problem: Problem, gamma: float) -> tuple[Float64, Float64]:
    """The weighted focal loss of each row, and its derivative by the row's cross-entropy."""
    targets = problem.targets
    assert targets.indices is not None
    counts = None if targets.label_weights is None else (targets.label_weights != 0.0).astype(np.float64)
    entropy = np.empty(problem.batch).reshape(-1)
    _native.cross_entropy(_native.buffer(x), problem.axes, targets.indices, counts, None, 1.0, entropy, None)
    with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
        p, miss = np.exp(-entropy), -np.expm1(-entropy)
        modulation = miss**gamma
        losses = np.where(entropy == 0.0, 0.0, modulation * entropy)
        # p l / (1 - p) goes to 1 where the loss goes to 0, and to 0 where it is infinite.
        slope = np.where(entropy == 0.0, 1.0, np.where(np.isinf(entropy), 0.0, p * entropy / miss))
        factor = modulation * (1.0 + gamma * slope)
    if targets.label_weights is not None:
        losses = losses * targets.label_weights
    return losses, factor


focal = Focal()
