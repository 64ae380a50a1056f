"""The quadratic cost, half the squared distance to the target, and its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from softgrad._blocks import Block
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    axes_tuple,
    floating_array,
    nonnegative_numbers,
    same_shape,
    shape_without,
)
from softgrad._differentiable import Arguments
from softgrad.losses._base import Loss
from softgrad.losses._problem import TermsProblem
from softgrad.losses._reduction import Planner


class Quadratic(Loss):
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
    shown: ClassVar[Mapping[str, str]] = {
        "value_and_grad": """a - y
        >>> loss, gradient = sg.quadratic.value_and_grad([[1.0, 3.0]], [[0.0, 1.0]])
        >>> float(loss), gradient
        (2.5, array([[1., 2.]]))""",
        "grad": """a - y
        >>> sg.quadratic.grad([[1.0, 3.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]])
        array([[0.5, 1. ],
               [0. , 0. ]])""",
        "jvp": """<a - y, v>
        >>> float(sg.quadratic.jvp([1.0, 3.0], [0.0, 1.0], [1.0, -1.0]))
        -1.0""",
        "hvp": """v
        >>> sg.quadratic.hvp([1.0, 3.0], [0.0, 1.0], [1.0, -1.0], upstream=3.0)
        array([ 3., -3.])""",
        "hessian": """the identity

        It does not depend on what outputs and targets hold.

        >>> sg.quadratic.hessian([1.0, 3.0], [0.0, 1.0]).toarray()
        array([[1., 0.],
               [0., 1.]])""",
        "hessian_diagonal": """1
        >>> sg.quadratic.hessian_diagonal([[1.0, 3.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]], sample_weight=[3.0, 1.0])
        array([[0.75, 0.75],
               [0.25, 0.25]])""",
    }

    def problem(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        plan: Planner,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
    ) -> tuple[Floating, QuadraticProblem]:
        a = floating_array(outputs, "outputs")
        y = same_shape(targets, "targets", a, "outputs")
        axes = axes_tuple(axis, a.ndim)
        batch = shape_without(a.shape, axes)
        weights = None if sample_weight is None else nonnegative_numbers(sample_weight, "sample_weight", batch)
        return a, QuadraticProblem(axes, batch, weights, plan(batch, weights), y)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        outputs, targets = rng.normal(size=(2, 6, 5))
        return (outputs.astype(dtype), targets.astype(dtype)), {"sample_weight": rng.uniform(0.5, 2.0, size=6)}


@dataclass(slots=True)
class QuadraticProblem(TermsProblem):
    """Half the squared differences of rows and targets."""

    targets: Floating

    def losses_and_slopes(self, x: Floating, block: Block) -> tuple[Float64, Float64]:
        difference = block.rows(x)
        difference -= block.rows(self.targets)
        difference = self.counting(block, difference)
        return 0.5 * np.square(difference).sum(axis=-1), difference

    def curvatures(self, x: Floating, block: Block) -> Float64:
        return np.ones_like(block.rows(x))


quadratic = Quadratic()
