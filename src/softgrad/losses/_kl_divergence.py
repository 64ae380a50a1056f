"""Kullback-Leibler divergence of the softmax of two sets of logits, as distillation uses it, and its derivatives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad._blocks import Block
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    axes_tuple,
    class_count,
    class_mask,
    floating_array,
    nonnegative_numbers,
    positive_number,
    same_shape,
    shape_without,
)
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad._differentiable import Arguments
from softgrad._products import Product, row_products
from softgrad.losses._base import Loss
from softgrad.losses._centred import centred
from softgrad.losses._problem import TermsProblem
from softgrad.losses._reduction import Planner

# Of float64, or of the extended precision of the machine.
_Rows = NDArray[Any]
# exp(u) - 1 - u = u^2 (1/2 + u/6 + ...): the Taylor terms that float64 can tell for |u| <= 1/2.
_SERIES = [1.0 / math.factorial(k) for k in range(2, 18)]


class KLDivergence(Loss):
    """Kullback-Leibler divergence of the softmax of logits from that of target logits.

    ``kl_divergence(logits, target_logits, /, *, axis=-1, temperature=1.0, where=None, sample_weight=None,
    reduction="mean", normalizer="weights")``, and its derivatives ``kl_divergence.value_and_grad``, ``grad``, ``jvp``,
    ``hvp``, ``hessian`` and ``hessian_diagonal``, by the logits: those of the teacher are constants.

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
    Worked out in float64, for float64 in the extended precision of the machine where it has one.

    References
    ----------
    With u = log p - log q the sum of q (exp(u) - 1 - u): no term is negative, so close distributions lose no digits to
    cancellation as sum q (log q - log p) does. Gradient (p - q) / temperature = q (exp(u) - 1) / temperature, Hessian
    (diag(p) - p p^T) / temperature^2.

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
    shown: ClassVar[Mapping[str, str]] = {
        "value_and_grad": """(p - q) / temperature
        >>> loss, gradient = sg.kl_divergence.value_and_grad([1.0, 2.0], [1.0, 2.0])
        >>> float(loss), gradient
        (0.0, array([0., 0.]))""",
        "grad": """(p - q) / temperature
        >>> sg.kl_divergence.grad([0.0, 0.0], [0.0, 1.0], temperature=2.0).round(6)
        array([ 0.06123, -0.06123])""",
        "jvp": """<p - q, v> / temperature
        >>> float(sg.kl_divergence.jvp([0.0, 0.0], [0.0, 1.0], [1.0, 0.0]).round(6))
        0.231059""",
        "hvp": """p (v - <p, v>) / temperature^2
        >>> sg.kl_divergence.hvp([0.0, 0.0], [0.0, 1.0], [1.0, 0.0])
        array([ 0.25, -0.25])""",
        "hessian": """(diag(p) - p p^T) / temperature^2
        >>> sg.kl_divergence.hessian([0.0, 0.0], [0.0, 1.0]).toarray()
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])""",
        "hessian_diagonal": """p (1 - p) / temperature^2
        >>> sg.kl_divergence.hessian_diagonal([0.0, 40.0], [0.0, 1.0])
        array([4.24835426e-18, 4.24835426e-18])""",
    }

    def problem(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        plan: Planner,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> tuple[Floating, DivergenceProblem]:
        x = floating_array(logits, "logits")
        teacher = same_shape(target_logits, "target_logits", x, "logits")
        axes = axes_tuple(axis, x.ndim)
        class_count(x.shape, axes)
        divisor = positive_number(temperature, "temperature")
        batch = shape_without(x.shape, axes)
        mask = class_mask(where, x.shape)
        weights = None if sample_weight is None else nonnegative_numbers(sample_weight, "sample_weight", batch)
        if mask is not None:
            weights = np.where(mask.any(axis=axes), 1.0 if weights is None else weights, 0.0)
        return x, DivergenceProblem(axes, batch, weights, plan(batch, weights), teacher, mask, divisor)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        student, teacher = rng.normal(scale=3.0, size=(2, 6, 5)).astype(dtype)
        return (student, teacher), {"temperature": 2.0}


@dataclass(slots=True)
class DivergenceProblem(TermsProblem):
    """Divergences of rows of logits from those of a teacher."""

    target_logits: Floating
    mask: NDArray[np.bool_] | None
    temperature: float
    temporaries: ClassVar[int] = 4

    def losses_and_slopes(self, x: Floating, block: Block) -> tuple[Float64, Float64]:
        losses, difference = self.divergence(x, block)
        return losses, difference / self.temperature

    def rates(self, x: Floating, block: Block, vectors: Float64) -> Float64:
        along = centred(vectors, self.logits(block, x))
        rates: Float64 = (self.divergence(x, block)[1] * along).sum(axis=-1) / self.temperature
        return rates

    def curvatures(self, x: Floating, block: Block) -> Floating:
        return self.second_order(x, block, "variances") / self.temperature**2

    def curved(self, x: Floating, block: Block, vectors: Float64) -> Floating:
        return self.second_order(x, block, "softmax", vectors) / self.temperature**2

    def hessian(self, x: Floating) -> DiagonalPlusRankOne:
        every = self.every_row(x)
        p = self.counting(every, self.second_order(x, every, "probabilities"))
        coefficient = self.scaled(every, np.full(p.shape[:-1], -1.0 / self.temperature**2))
        diagonal = self.scaled(every, self.curvatures(x, every))
        return DiagonalPlusRankOne(diagonal, p, coefficient, np.zeros_like(p), x.dtype)

    def vectors(self, block: Block, vector: Floating) -> Float64:
        return self._without(block, self.counting(block, block.rows(vector)), 0.0)

    def logits(self, block: Block, array: Floating) -> Float64:
        """The logits of a block, of the student or of the teacher; -inf in the classes that are left out."""
        return self._without(block, block.rows(array), -np.inf)

    def second_order(self, x: Floating, block: Block, product: Product, vectors: Float64 | None = None) -> Floating:
        """A product of the derivatives of p, as rows; NaN where q is no distribution, as the loss is NaN there."""
        defined = np.isfinite(self.logits(block, self.target_logits).max(axis=-1, keepdims=True))
        logits = np.where(defined, self.logits(block, x), np.nan)
        last = (logits.ndim - 1,)
        allowed = None if self.mask is None else block.rows(self.mask, np.bool_, copy=False)
        return row_products(product, logits, vectors, last, allowed, temperature=self.temperature)

    def divergence(self, x: Floating, block: Block) -> tuple[Float64, Float64]:
        """sum q (exp(u) - 1 - u) of each row, and p - q."""
        # The logarithms of probabilities are large where their difference is not: float64 needs more than its digits.
        work = np.longdouble if np.float64 in (x.dtype, self.target_logits.dtype) else np.float64
        student, teacher = (self.logits(block, array).astype(work) for array in (x, self.target_logits))
        return _divergence(student, teacher, self.temperature)

    def _without(self, block: Block, rows: Float64, value: float) -> Float64:
        """The rows, their classes that are left out set to a value in place."""
        if self.mask is not None:
            rows[~block.rows(self.mask, np.bool_, copy=False)] = value
        return rows


def _divergence(z: _Rows, t: _Rows, temperature: float) -> tuple[Float64, Float64]:
    with np.errstate(all="ignore"):
        log_p, p = _log_softmax(z, temperature)
        log_q, q = _log_softmax(t, temperature)
        # Mass that underflows is mass all the same.
        present = log_q != -np.inf
        u = np.where(present, log_p - log_q, 0.0)
        small = present & (np.abs(u) <= 0.5)
        u = np.where(small, _log_ratio_where_close(z, t, p, q, u, small, temperature), u)
        series = u * u * np.polynomial.polynomial.polyval(np.where(small, u, 0.0), _SERIES)
        # Further apart nothing cancels, and exp(u) could overflow.
        terms = np.where(small, q * series, (p - q) - q * u)
        terms = np.where(present & (log_p == -np.inf), np.inf, terms)
        difference = np.where(small, q * np.expm1(np.where(small, u, 0.0)), p - q)
        return terms.sum(axis=-1).astype(np.float64), difference.astype(np.float64)


def _log_softmax(rows: _Rows, temperature: float) -> tuple[_Rows, _Rows]:
    """log p and p of each row."""
    first = rows.argmax(axis=-1)[..., None]
    maximum = np.take_along_axis(rows, first, axis=-1)
    # A row with NaN or +inf, or of nothing but -inf, is no distribution.
    below = np.where(np.isfinite(maximum), (rows - maximum) / rows.dtype.type(temperature), np.nan)
    others = np.exp(below)
    np.put_along_axis(others, first, 0.0, axis=-1)
    rest = others.sum(axis=-1, keepdims=True)
    return below - np.log1p(rest), np.exp(below) / (1.0 + rest)


def _log_ratio_where_close(
    z: _Rows, t: _Rows, p: _Rows, q: _Rows, u: _Rows, close: NDArray[np.bool_], temperature: float
) -> _Rows:
    """u = log p - log q in the close classes, from the difference of the logits.

    Its digits are lost in log p and log q once these are rounded. With d = (z - t) / temperature about its mean over
    the close classes, and p_0, q_0 the mass of the others: u = d - log(sum q exp(d)) + log(1 - p_0), the sum over the
    close classes being 1 - q_0 + sum q (exp(d) - 1). Where the others have more than half of either, u stays: then the
    divergence is no smaller than what rounding takes from it.
    """
    p_0, q_0 = (np.where(close, 0.0, each).sum(axis=-1, keepdims=True) for each in (p, q))
    weights = np.where(close, q, 0.0)
    # An offset between the rows goes first: with what their difference loses to rounding it is gone without a trace.
    apart = z - t
    taken = apart - z
    lost = (z - (apart - taken)) - (t + taken)
    k = weights.argmax(axis=-1)[..., None]
    offset, lost_there = (np.take_along_axis(each, k, axis=-1) for each in (apart, lost))
    difference = np.where(close, (apart - offset) + (lost - lost_there), 0.0) / z.dtype.type(temperature)
    d = difference - (weights * difference).sum(axis=-1, keepdims=True) / (1.0 - q_0)
    ratio = d - np.log1p((weights * np.expm1(d)).sum(axis=-1, keepdims=True) - q_0) + np.log1p(-p_0)
    exact: _Rows = np.where((p_0 <= 0.5) & (q_0 <= 0.5), ratio, u)
    return exact


kl_divergence = KLDivergence()
