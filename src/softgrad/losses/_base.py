"""The verbs of a loss, each once: what a loss adds is its documentation, its options and its `Problem`."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import Floating, Normalizer, Reduction, RowValues, output_for, same_shape, separate
from softgrad._differentiable import Differentiable
from softgrad._verbs import keyword_only
from softgrad.losses._problem import Hessian, Problem
from softgrad.losses._reduction import Planner, planner

# The mean of an array and its targets, for a call so small that it has no time for a problem; None, and nothing done,
# where it needs one. The gradient of the mean is written, if there is a place for it.
PlainMean = Callable[[Floating, ArrayLike, Floating | None], RowValues | None]


class Loss(Differentiable):
    """A loss of rows of an array and of targets; its derivatives are by the array.

    The names of both, and the options, are those of the method `problem` of a member. `hessian_type` is how the
    annotation of `hessian` reads, "Floating" for full matrices.
    """

    hessian_type: ClassVar[str] = "DiagonalPlusRankOne"

    def __init_subclass__(cls, **keywords: Any) -> None:
        _, inputs, targets, *_ = inspect.signature(cls.problem).parameters
        hessian = "ndarray" if cls.hessian_type == "Floating" else cls.hessian_type
        cls.names = {"inputs": inputs, "targets": targets, "hessian": hessian, "Hessian": cls.hessian_type}
        cls.options = keyword_only(cls.problem)
        super().__init_subclass__(**keywords)

    def __init__(self, plain_mean: PlainMean | None = None) -> None:
        super().__init__()
        self._plain_mean = plain_mean

    @abstractmethod
    def problem(
        self, inputs: ArrayLike, targets: ArrayLike, plan: Planner, /, *args: Any, **options: Any
    ) -> tuple[Floating, Problem]:
        """The array and its losses, with everything checked and nothing written.

        `plan` makes of the shape and the weights of the rows, None for 1, what becomes of their losses.
        """

    def __call__(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Any,
    ) -> RowValues:
        if self._plain_mean is not None and _is_plain(inputs, reduction, normalizer, options):
            loss = self._plain_mean(inputs, targets, None)
            if loss is not None:
                return loss
        x, problem = self.problem(inputs, targets, planner(reduction, normalizer, None), **options)
        return problem.loss(x)

    def value_and_grad(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Any,
    ) -> tuple[RowValues, Floating]:
        """The loss and its gradient by the {inputs}, {formula} of each row.

        Parameters
        ----------
        {inputs}, {targets} and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            The gradient of what follows by the loss; the gradient is multiplied by it.
        out : ndarray, optional
            Where the gradient goes: shape and dtype of `{inputs}`; it may be `{inputs}` itself.

        Returns
        -------
        loss
            As in the call.
        gradient : ndarray, shape and dtype of `{inputs}`

        Raises
        ------
        TypeError, ValueError, numpy.exceptions.AxisError
            As in the call; also if `out` has another shape or dtype, is read-only, or overlaps an input without being
            the {inputs} themselves. `out` is untouched then.
        """
        plain_mean = self._plain_mean if upstream is None and (out is None or type(out) is np.ndarray) else None
        if plain_mean is not None and _is_plain(inputs, reduction, normalizer, options):
            gradient = np.empty(inputs.shape, inputs.dtype) if out is None else out
            loss = plain_mean(inputs, targets, gradient)
            if loss is not None:
                return loss, gradient
        x, problem = self.problem(inputs, targets, planner(reduction, normalizer, upstream), **options)
        if out is not None:
            separate(out, **{self.names["targets"]: targets}, **options, upstream=upstream)
        gradient = output_for(x, out)
        return problem.loss(x, gradient), gradient

    def grad(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Any,
    ) -> Floating:
        """The gradient alone, {formula} of each row: the second of `value_and_grad`.

        Parameters
        ----------
        {inputs}, {targets}, upstream, out and the options
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `{inputs}`
        """
        # That of the family: the member's would enter the floating-point mode once more.
        return Loss.value_and_grad(
            self, inputs, targets, upstream=upstream, out=out, reduction=reduction, normalizer=normalizer, **options
        )[1]

    def jvp(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Any,
    ) -> RowValues:
        """The derivative of the loss in the direction `tangent` of the {inputs}: {formula} of each row, reduced.

        Parameters
        ----------
        {inputs}, {targets} and the options
            As in the call.
        tangent : array_like, shape of `{inputs}`
            Of any value in a row or class that does not count, NaN too.

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss
        """
        x, problem = self.problem(inputs, targets, planner(reduction, normalizer, None), **options)
        return problem.tangent(x, same_shape(tangent, "tangent", x, self.names["inputs"]))

    def hvp(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Any,
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the {inputs}: {formula}, scaled as the gradient.

        Parameters
        ----------
        {inputs}, {targets} and the options
            As in the call.
        vector : array_like, shape of `{inputs}`
            Of any value in a row or class that does not count, NaN too.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `{inputs}`
        """
        x, problem = self.problem(inputs, targets, planner(reduction, normalizer, upstream), **options)
        v = same_shape(vector, "vector", x, self.names["inputs"])
        return problem.hvp(x, v)

    def hessian(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Any,
    ) -> Hessian:
        """The second derivatives by the {inputs} of each row: {formula}, scaled as the gradient.

        Parameters
        ----------
        {inputs}, {targets} and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        {hessian}, shape (\\*batch, K, K), dtype of `{inputs}`
            Several class axes count as one, flattened in C order. Diagonal blocks of rows that do not count are 0.
        """
        x, problem = self.problem(inputs, targets, planner(reduction, normalizer, upstream), **options)
        return problem.hessian(x)

    def hessian_diagonal(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Any,
    ) -> Floating:
        """The second derivative by each of the {inputs}: {formula}, scaled as the gradient.

        Parameters
        ----------
        {inputs}, {targets} and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `{inputs}`
        """
        x, problem = self.problem(inputs, targets, planner(reduction, normalizer, upstream), **options)
        return problem.hessian_diagonal(x)


def _is_plain(
    inputs: ArrayLike, reduction: Reduction, normalizer: Normalizer, options: dict[str, Any]
) -> TypeGuard[Floating]:
    axis = options.get("axis") if options else -1
    return (
        type(axis) is int
        and axis == -1
        and len(options) < 2
        and type(inputs) is np.ndarray
        and reduction == "mean"
        and type(normalizer) is str
        and normalizer == "weights"
    )
