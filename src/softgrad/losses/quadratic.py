"""The quadratic cost, half the squared distance to the target, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import (
    Axis,
    Floating,
    Normalizer,
    Reduction,
    axes_tuple,
    class_rows,
    floating_array,
    from_class_rows,
    loss_dtype,
    nonnegative_weights,
    output_for,
    same_shape,
    separate,
    shape_without,
)
from softgrad._differentiable import Differentiable
from softgrad.losses._reduction import ReductionPlan, round_to


class Quadratic(Differentiable):
    """Half the squared distance of each row to its target, 1/2 sum_j (a_j - y_j)^2.

    ``quadratic(outputs, targets, /, *, axis=-1, sample_weight=None, reduction="mean", normalizer="weights")``, and its
    derivatives ``quadratic.value_and_grad`` and ``quadratic.grad``. The mean of the squares over K classes, another
    common form, is 2 / K times this.

    Parameters
    ----------
    outputs : array_like, any shape
        float64, float32, float16 or bfloat16 (of the package ml_dtypes); integers are taken as float64.
    targets : array_like, shape of `outputs`
    axis : int, tuple of int or None, default -1
        The axes that make up a row.
    sample_weight : array_like, shape of `outputs` without `axis`, optional
        Multiplies the loss of each row; finite and not negative.
    reduction : {"mean", "sum", "none"}, default "mean"
    normalizer : {"weights", "count"} or float, default "weights"
        What "mean" divides by: the sum of the weights of the rows that count, their number, or a number.

    Returns
    -------
    NumPy scalar, or ndarray of the shape of `outputs` without `axis` for reduction "none"
        In the dtype of `outputs`, float32 for those of two bytes. A row of weight 0 has loss 0 and gradient 0 whatever
        it holds, and does not count. No row counts: the mean is 0.

    Raises
    ------
    TypeError
        An argument is not real.
    ValueError
        Shapes do not fit, or a weight is negative or not finite.
    numpy.exceptions.AxisError
        `axis` is out of range.

    Notes
    -----
    Differences and sums are taken in float64: for float32 the only rounding is that of the result.

    References
    ----------
    The cost of the delta rule; its gradient by the outputs is a - y.

    Examples
    --------
    >>> import softgrad as sg
    >>> float(sg.quadratic([1.0, 3.0], [0.0, 1.0]))
    2.5
    >>> sg.quadratic.grad([1.0, 3.0], [0.0, 1.0])
    array([1., 2.])
    """

    name = "quadratic"

    def __call__(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Any:
        return self._evaluate(outputs, targets, axis, sample_weight, reduction, normalizer, None)[0]

    def value_and_grad(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[Any, Floating]:
        """The loss and its gradient by the outputs.

        Parameters
        ----------
        outputs, targets and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            The gradient of what follows by the loss; the gradient is multiplied by it.
        out : ndarray, optional
            Where the gradient goes: shape and dtype of `outputs`; it may be `outputs` itself.

        Returns
        -------
        loss
            As in the call.
        gradient : ndarray, shape and dtype of `outputs`

        Examples
        --------
        >>> import softgrad as sg
        >>> loss, gradient = sg.quadratic.value_and_grad([[1.0, 3.0]], [[0.0, 1.0]])
        >>> float(loss), gradient
        (2.5, array([[1., 2.]]))
        """
        loss, pull_back = self._evaluate(outputs, targets, axis, sample_weight, reduction, normalizer, upstream)
        a = floating_array(outputs, "outputs")
        separate(out, targets=targets)
        gradient = output_for(a, out)
        gradient[...] = pull_back
        return loss, gradient

    def grad(self, outputs: ArrayLike, targets: ArrayLike, /, **options: Any) -> Floating:
        """The gradient alone: the second of `value_and_grad`, with the same parameters.

        Parameters
        ----------
        outputs, targets and the options
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `outputs`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.quadratic.grad([[1.0, 3.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]])
        array([[0.5, 1. ],
               [0. , 0. ]])
        """
        return self.value_and_grad(outputs, targets, **options)[1]

    @staticmethod
    def _evaluate(
        outputs: ArrayLike,
        targets: ArrayLike,
        axis: Axis,
        sample_weight: ArrayLike | None,
        reduction: Reduction,
        normalizer: Normalizer,
        upstream: ArrayLike | None,
    ) -> tuple[Any, Floating]:
        """The reduced loss, and its gradient."""
        a = floating_array(outputs, "outputs")
        y = same_shape(targets, "targets", a, "outputs")
        axes = axes_tuple(axis, a.ndim)
        batch = shape_without(a.shape, axes)
        weights = None if sample_weight is None else nonnegative_weights(sample_weight, "sample_weight", batch)
        plan = ReductionPlan.of(
            reduction, normalizer, upstream, batch, None if weights is None else weights.reshape(-1)
        )
        difference = class_rows(a, axes) - class_rows(y, axes)
        factor = np.full(batch, plan.scale)
        if weights is not None:
            difference[weights == 0.0] = 0.0
            factor *= weights
        if plan.upstream is not None:
            factor *= plan.upstream.reshape(batch)
        losses = 0.5 * np.square(difference).sum(axis=-1)
        if weights is not None:
            losses = losses * weights
        loss = plan.result(np.asarray(losses).reshape(-1), batch, loss_dtype(a))
        return loss, round_to(from_class_rows(difference * factor[..., None], a.shape, axes), a.dtype)

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        outputs, targets = rng.normal(size=(2, 6, 5))
        return (outputs.astype(dtype), targets.astype(dtype)), {"sample_weight": rng.uniform(0.5, 2.0, size=6)}


quadratic = Quadratic()
