"""Binary cross-entropy of logits, element by element, and its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._blocks import Block
from softgrad._contracts import (
    Float64,
    Floating,
    broadcast_numbers,
    floating_array,
    nonnegative_numbers,
    probabilities_within,
    smoothing,
)
from softgrad._differentiable import Arguments
from softgrad.losses._base import Loss
from softgrad.losses._problem import TermsProblem
from softgrad.losses._reduction import Planner

# Of the dtype that a loss is put together in: for float64 the extended precision of the machine, where it has one.
_Wide = NDArray[np.floating[Any]]


class BinaryCrossEntropy(Loss):
    """Cross-entropy of the sigmoid of each logit with a target between 0 and 1.

    ``binary_cross_entropy(logits, targets, /, *, pos_weight=None, sample_weight=None, label_smoothing=0.0,
    reduction="mean", normalizer="weights")``, and its derivatives ``binary_cross_entropy.value_and_grad``, ``grad``,
    ``jvp``, ``hvp``, ``hessian`` and ``hessian_diagonal``, by the logits. Each element is a row of its own.

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
    Gradient (1 - y) sigmoid(x) - w y sigmoid(-x), second derivative (w y + 1 - y) sigmoid(x) sigmoid(-x).

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
    shown: ClassVar[Mapping[str, str]] = {
        "value_and_grad": """(1 - y) sigmoid(x) - w y sigmoid(-x)
        >>> loss, gradient = sg.binary_cross_entropy.value_and_grad([0.0, 0.0], [1.0, 0.25], reduction="sum")
        >>> gradient
        array([-0.5 ,  0.25])""",
        "grad": """(1 - y) sigmoid(x) - w y sigmoid(-x)
        >>> sg.binary_cross_entropy.grad([0.0], [1])
        array([-0.5])""",
        "jvp": """slope times tangent
        >>> float(sg.binary_cross_entropy.jvp([0.0, 0.0], [1, 0], [1.0, -1.0]))
        -0.5""",
        "hvp": """`hessian_diagonal` times the vector
        >>> sg.binary_cross_entropy.hvp([0.0, 40.0], [1, 1], [1.0, 1.0], reduction="sum")
        array([2.50000000e-01, 4.24835426e-18])""",
        "hessian": """a 1 x 1 matrix for each element

        For arrays of the shape of the logits take `hessian_diagonal`; this is the form that all losses have in common.

        >>> sg.binary_cross_entropy.hessian([0.0, 0.0], [1, 0], reduction="sum").toarray().shape
        (2, 1, 1)""",
        "hessian_diagonal": """(w y + 1 - y) sigmoid(x) sigmoid(-x)
        >>> sg.binary_cross_entropy.hessian_diagonal([0.0, 40.0], [1, 1], reduction="sum")
        array([2.50000000e-01, 4.24835426e-18])""",
    }

    def problem(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        plan: Planner,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
    ) -> tuple[Floating, BinaryProblem]:
        x = floating_array(logits, "logits")
        y = probabilities_within(targets, "targets", x.shape)
        amount = smoothing(label_smoothing)
        positive = None if pos_weight is None else broadcast_numbers(pos_weight, "pos_weight", x.shape)
        weights = None if sample_weight is None else nonnegative_numbers(sample_weight, "sample_weight", x.shape)
        return x, BinaryProblem((), x.shape, weights, plan(x.shape, weights), y, positive, amount)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        logits = rng.normal(scale=3.0, size=(4, 5)).astype(dtype)
        return (logits, rng.uniform(size=(4, 5))), {"pos_weight": rng.uniform(0.5, 2.0, size=5)}


@dataclass(slots=True)
class BinaryProblem(TermsProblem):
    """Elements, each a row of its own, with targets and positive weights of their shape."""

    targets: NDArray[Any]
    pos_weight: NDArray[Any] | None
    label_smoothing: float
    temporaries: ClassVar[int] = 4

    def losses_and_slopes(self, x: Floating, block: Block) -> tuple[_Wide, _Wide]:
        elements = self.at(x, block)
        return elements.losses(), elements.slopes()

    def losses(self, x: Floating, block: Block) -> _Wide:
        return self.at(x, block).losses()

    def rates(self, x: Floating, block: Block, vectors: Float64) -> _Wide:
        rates: _Wide = (self.at(x, block).slopes() * vectors)[..., 0]
        return rates

    def curvatures(self, x: Floating, block: Block) -> _Wide:
        return self.at(x, block).curvatures()

    def at(self, x: Floating, block: Block) -> _Elements:
        y: _Wide = block.rows(self.targets)
        if x.dtype == np.float64:
            y = y.astype(np.longdouble)
        a = self.label_smoothing
        # (1 - a) y + a / 2, with fewer roundings.
        moved = a * (y - 0.5)
        positive, negative = y - moved, (1.0 - y) + moved
        if self.pos_weight is not None:
            positive = positive * block.rows(self.pos_weight)
        return _Elements(block.rows(x), positive, negative)


class _Elements(NamedTuple):
    """The elements of a block, as rows of one each."""

    logits: Float64
    positive: _Wide
    """w y, y smoothed."""
    negative: _Wide
    """1 - y, y smoothed."""

    def losses(self) -> _Wide:
        """One number for each row."""
        size = np.abs(self.logits)
        log = np.empty_like(size)
        _native.log_sigmoid(size, log)
        wrong = np.where(self.logits < 0.0, self.positive, self.negative)
        # What is wrong without mass contributes 0, also at an infinite logit; a NaN stays.
        with np.errstate(invalid="ignore"):
            distance = np.where((wrong == 0.0) & np.isinf(size), 0.0, wrong * size)
        losses: _Wide = (self.positive + self.negative) * -log + distance
        return losses[..., 0]

    def slopes(self) -> _Wide:
        slopes: _Wide = self.negative * _sigmoid(self.logits) - self.positive * _sigmoid(-self.logits)
        return slopes

    def curvatures(self) -> _Wide:
        """Second derivatives."""
        total = self.positive + self.negative
        curvatures: _Wide = total * _sigmoid(self.logits) * _sigmoid(-self.logits)
        return curvatures


def _sigmoid(x: Float64) -> Float64:
    result = np.empty_like(x)
    _native.sigmoid(x, result)
    return result


binary_cross_entropy = BinaryCrossEntropy()
