"""The quadratic cost, half the squared distance to the target, and its derivatives."""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from softgrad._blocks import Block
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    Normalizer,
    Reduction,
    axes_tuple,
    floating_array,
    nonnegative_numbers,
    output_for,
    same_shape,
    separate,
    shape_without,
)
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad._differentiable import Differentiable
from softgrad.losses._rows import Rows


class QuadraticOptions(TypedDict, total=False):
    """The options of `quadratic`, which documents them."""

    axis: Axis
    sample_weight: ArrayLike | None
    reduction: Reduction
    normalizer: Normalizer


class Quadratic(Differentiable):
    """Half the squared distance of each row to its target, 1/2 sum_j (a_j - y_j)^2.

    ``quadratic(outputs, targets, /, *, axis=-1, sample_weight=None, reduction="mean", normalizer="weights")``, and its
    derivatives ``quadratic.value_and_grad``, ``quadratic.grad``, ``quadratic.jvp``, ``quadratic.hvp``,
    ``quadratic.hessian`` and ``quadratic.hessian_diagonal``, by the outputs. The mean of the squares over K classes,
    another common form, is 2 / K times this.

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
    The cost of the delta rule; its gradient by the outputs is a - y, its Hessian the identity.

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
        problem = _checked(
            outputs,
            targets,
            None,
            axis=axis,
            sample_weight=sample_weight,
            reduction=reduction,
            normalizer=normalizer,
        )
        return problem.rows.loss(lambda block: _half_squares(problem.difference(block)))

    def value_and_grad(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        **options: Unpack[QuadraticOptions],
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
        problem = _checked(outputs, targets, upstream, **options)
        separate(out, targets=targets, sample_weight=options.get("sample_weight"), upstream=upstream)
        gradient = output_for(problem.rows.array, out)

        def both(block: Block) -> tuple[Float64, Float64]:
            difference = problem.difference(block)
            return _half_squares(difference), difference

        return problem.rows.loss_and_derivative(both, gradient), gradient

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

    def jvp(
        self, outputs: ArrayLike, targets: ArrayLike, tangent: ArrayLike, /, **options: Unpack[QuadraticOptions]
    ) -> Any:
        """The derivative of the loss in the direction `tangent` of the outputs: <a - y, v> of each row, reduced.

        Parameters
        ----------
        outputs, targets and the options
            As in the call.
        tangent : array_like, shape of `outputs`
            Of any value in a row of weight 0, NaN too.

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.quadratic.jvp([1.0, 3.0], [0.0, 1.0], [1.0, -1.0]))
        -1.0
        """
        problem = _checked(outputs, targets, None, **options)
        rows = problem.rows
        v = same_shape(tangent, "tangent", rows.array, "outputs")
        return rows.loss(lambda block: (problem.difference(block) * rows.counting(block, block.rows(v))).sum(axis=-1))

    def hvp(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        **options: Unpack[QuadraticOptions],
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the outputs: v, scaled as the gradient is.

        Parameters
        ----------
        outputs, targets and the options
            As in the call.
        vector : array_like, shape of `outputs`
            Of any value in a row of weight 0, NaN too.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `outputs`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.quadratic.hvp([1.0, 3.0], [0.0, 1.0], [1.0, -1.0], upstream=3.0)
        array([ 3., -3.])
        """
        rows = _checked(outputs, targets, upstream, **options).rows
        v = same_shape(vector, "vector", rows.array, "outputs")
        return rows.derivative(lambda block: rows.counting(block, block.rows(v)))

    def hessian(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        **options: Unpack[QuadraticOptions],
    ) -> DiagonalPlusRankOne:
        """The second derivatives by the outputs of each row: the identity, scaled as the gradient is.

        Parameters
        ----------
        outputs, targets and the options
            As in the call. The Hessian does not depend on what outputs and targets hold.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        DiagonalPlusRankOne, shape (\\*batch, K, K)
            Several axes of a row count as one, flattened in C order. Its rank-one part is 0.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.quadratic.hessian([1.0, 3.0], [0.0, 1.0]).toarray()
        array([[1., 0.],
               [0., 1.]])
        """
        rows = _checked(outputs, targets, upstream, **options).rows
        return rows.diagonal_hessian(np.ones_like(rows.whole.rows(rows.array)))

    def hessian_diagonal(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        **options: Unpack[QuadraticOptions],
    ) -> Floating:
        """The second derivative by each output: what the gradient is scaled by.

        Parameters
        ----------
        outputs, targets and the options
            As in `hessian`.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `outputs`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.quadratic.hessian_diagonal([[1.0, 3.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]], sample_weight=[3.0, 1.0])
        array([[0.75, 0.75],
               [0.25, 0.25]])
        """
        rows = _checked(outputs, targets, upstream, **options).rows
        return rows.derivative(lambda block: np.ones_like(block.rows(rows.array)))

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        outputs, targets = rng.normal(size=(2, 6, 5))
        return (outputs.astype(dtype), targets.astype(dtype)), {"sample_weight": rng.uniform(0.5, 2.0, size=6)}


class _Problem(NamedTuple):
    """All that is given, checked."""

    rows: Rows
    targets: Floating

    def difference(self, block: Block) -> Float64:
        """a - y of each row; 0 in those that do not count."""
        difference = block.rows(self.rows.array)
        difference -= block.rows(self.targets)
        return self.rows.counting(block, difference)


def _checked(
    outputs: ArrayLike,
    targets: ArrayLike,
    upstream: ArrayLike | None,
    *,
    axis: Axis = -1,
    sample_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> _Problem:
    a = floating_array(outputs, "outputs")
    y = same_shape(targets, "targets", a, "outputs")
    axes = axes_tuple(axis, a.ndim)
    batch = shape_without(a.shape, axes)
    weights = None if sample_weight is None else nonnegative_numbers(sample_weight, "sample_weight", batch)
    return _Problem(Rows.of(a, axes, weights, reduction, normalizer, upstream), y)


def _half_squares(difference: Float64) -> Float64:
    halves: Float64 = 0.5 * np.square(difference).sum(axis=-1)
    return halves


quadratic = Quadratic()
