"""The focal loss, cross-entropy with the rows that are already right weighed down, and its derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from softgrad._blocks import Block, blocks
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    as_array,
    axes_tuple,
    floating_array,
    nonnegative_number,
    round_to,
    row_size,
    shape_without,
)
from softgrad._differentiable import Arguments
from softgrad._products import in_one_dtype, row_products
from softgrad.losses._base import Loss
from softgrad.losses._centred import centred
from softgrad.losses._cross_entropy_problem import index_losses
from softgrad.losses._labels import IndexLabels
from softgrad.losses._problem import BlockProblem
from softgrad.losses._reduction import Planner


class Focal(Loss):
    """Focal loss of logits and class indices: (1 - p_t)^gamma times the cross-entropy -log p_t.

    ``focal(logits, labels, /, *, gamma=2.0, axis=-1, class_weight=None, sample_weight=None, ignore_index=None,
    reduction="mean", normalizer="weights")``, and its derivatives ``focal.value_and_grad``, ``grad``, ``jvp``, ``hvp``,
    ``hessian`` and ``hessian_diagonal``.

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
    that of the cross-entropy, g = p - onehot(t), times f' = (1 - p_t)^gamma + gamma (1 - p_t)^(gamma - 1) p_t l. The
    Hessian is f' (diag(p) - p p^T) + f'' g g^T with f'' = gamma (1 - p_t)^(gamma - 1) p_t (2 - l + (gamma - 1) p_t l /
    (1 - p_t)), the second derivative by l.

    Examples
    --------
    >>> import softgrad as sg
    >>> float(sg.focal([0.0, 0.0], 0, gamma=1.0).round(6))
    0.346574
    >>> sg.focal.grad([0.0, 0.0], 0, gamma=0.0)
    array([-0.5,  0.5])
    """

    name = "focal"
    hessian_type = "Floating"
    shown: ClassVar[Mapping[str, str]] = {
        "value_and_grad": """f' (p - onehot(t))
        >>> loss, gradient = sg.focal.value_and_grad([0.0, 0.0], 0, gamma=1.0)
        >>> gradient.round(6)
        array([-0.423287,  0.423287])""",
        "grad": """f' (p - onehot(t))
        >>> sg.focal.grad([0.0, 0.0], 1, gamma=1.0).round(6)
        array([ 0.423287, -0.423287])""",
        "jvp": """f' <p - onehot(t), v>
        >>> float(sg.focal.jvp([0.0, 0.0], 1, [1.0, 0.0], gamma=1.0).round(6))
        0.423287""",
        "hvp": """f' p (v - <p, v>) + f'' g <g, v>
        >>> sg.focal.hvp([0.0, 0.0], 1, [1.0, 0.0], gamma=1.0).round(6)
        array([ 0.375, -0.375])""",
        "hessian": """f' (diag(p) - p p^T) + f'' g g^T

        A diagonal plus a matrix of rank two, so it is not the object that other losses return: for large K take `hvp`.

        >>> sg.focal.hessian([0.0, 0.0], 1, gamma=1.0).round(6)
        array([[ 0.375, -0.375],
               [-0.375,  0.375]])""",
        "hessian_diagonal": """f' p (1 - p) + f'' g^2

        Negative where the loss is concave along a logit, as it may be where the label is improbable.

        >>> sg.focal.hessian_diagonal([0.0, 0.0], 1, gamma=1.0).round(6)
        array([0.375, 0.375])""",
    }

    def problem(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        plan: Planner,
        /,
        *,
        gamma: float = 2.0,
        axis: Axis = -1,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
    ) -> tuple[Floating, FocalProblem]:
        x = floating_array(logits, "logits")
        power = nonnegative_number(gamma, "gamma")
        given = as_array(labels, "labels")
        if given.dtype.kind not in "iu":
            raise TypeError(f"labels has dtype {given.dtype}; focal takes class indices")
        axes = axes_tuple(axis, x.ndim)
        batch = shape_without(x.shape, axes)
        checked = IndexLabels.of(given, x.shape, axes, batch, class_weight, sample_weight, ignore_index)
        checked.require_classes(batch, row_size(x.shape, axes))
        weights = checked.weights(batch)
        return x, FocalProblem(axes, batch, weights, plan(batch, weights), checked, power)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        logits = rng.normal(scale=3.0, size=(6, 5)).astype(dtype)
        return (logits, rng.integers(0, 5, size=6)), {"gamma": 1.5, "class_weight": rng.uniform(0.5, 2.0, size=5)}


@dataclass(slots=True)
class FocalProblem(BlockProblem):
    """Functions of the cross-entropies of rows, which are the core's."""

    labels: IndexLabels
    gamma: float

    def loss_blocks(self, x: Floating) -> Iterator[Block]:
        # What is not native is a few numbers a row.
        return blocks(x.shape, self.axes, 1)

    def weighted_losses(self, x: Floating, block: Block, gradient: Floating | None) -> Float64:
        view, labels = block.view(x), self.labels.at(block)
        modulation = self._modulation(block, view, labels)
        if gradient is not None:
            plan = self.plan.at(block)
            factor = modulation.first if plan.flat_upstream is None else modulation.first * plan.flat_upstream
            index_losses(
                view,
                block.class_axes(view),
                labels.indices,
                labels.label_weights,
                upstream=factor,
                scale=plan.scale,
                gradient=block.view(gradient),
            )
        return modulation.loss if labels.label_weights is None else modulation.loss * labels.label_weights

    def weighted_rates(self, x: Floating, block: Block, vector: Floating) -> Float64:
        view, labels = block.view(x), self.labels.at(block)
        logits, along = in_one_dtype(view, block.view(vector))
        rates = index_losses(logits, block.class_axes(view), labels.indices, labels.label_weights, vector=along)
        return rates * self._modulation(block, view, labels).first

    def curvatures(self, x: Floating, block: Block) -> Floating:
        return self._second_order(x, block).diagonal()

    def curved(self, x: Floating, block: Block, vectors: Float64) -> Floating:
        terms = self._second_order(x, block)
        v = centred(vectors, terms.logits)
        product = terms.first * row_products("softmax", terms.logits, v, (v.ndim - 1,))
        product += terms.second * terms.slope * (terms.slope * v).sum(axis=-1, keepdims=True)
        return product

    def hessian(self, x: Floating) -> Floating:
        every = self.every_row(x)
        terms = self._second_order(x, every)
        p, h = terms.p, terms.slope
        first, second = terms.first[..., None], terms.second[..., None]
        matrices = second * (h[..., :, None] * h[..., None, :]) - first * (p[..., :, None] * p[..., None, :])
        classes = np.arange(p.shape[-1])
        matrices[..., classes, classes] = terms.diagonal()
        return round_to(self.scaled(every, matrices), x.dtype)

    def _modulation(self, block: Block, view: Floating, labels: IndexLabels) -> _Modulation:
        """The modulation of each row of a block, flat, 0 where the row does not count."""
        weights = labels.label_weights
        counts = None if weights is None else (weights != 0.0).astype(np.float64)
        entropy = index_losses(view, block.class_axes(view), labels.indices, counts)
        with np.errstate(under="ignore"):
            return _modulation(entropy, np.exp(-entropy), self.gamma)

    def _second_order(self, x: Floating, block: Block) -> _SecondOrder:
        indices = self.labels.indices[block.part]
        logits = self.counting(block, block.rows(x))
        last, gradient = (logits.ndim - 1,), np.empty_like(logits)
        entropy = index_losses(logits, last, indices, gradient=gradient)
        p = row_products("probabilities", logits, None, last)
        # f'' has p_t as a factor: exp(-l) is off by as many roundings as l is large.
        p_label = np.take_along_axis(p, indices.reshape(*logits.shape[:-1], 1), axis=-1)
        _, first, second, miss = _modulation(entropy.reshape(p_label.shape), p_label, self.gamma)
        slope = np.divide(gradient, miss, out=np.zeros_like(gradient), where=miss != 0.0)
        return _SecondOrder(logits, p, first, second, slope)


class _Modulation(NamedTuple):
    """The loss f(l) of each row without its weight, and its derivatives by l."""

    loss: Float64
    first: Float64
    """f'."""
    second: Float64
    """(1 - p_t)^2 f'', which is finite where p_t is 1."""
    miss: Float64
    """1 - p_t."""


def _modulation(entropy: Float64, p: Floating, gamma: float) -> _Modulation:
    with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
        miss = -np.expm1(-entropy)
        modulation = miss**gamma
        loss = np.where(entropy == 0.0, 0.0, modulation * entropy)
        # p l / (1 - p) goes to 1 where the loss goes to 0, and to 0 where it is infinite.
        ratio = np.where(entropy == 0.0, 1.0, np.where(np.isinf(entropy), 0.0, p * entropy / miss))
        first = modulation * (1.0 + gamma * ratio)
        bend = np.where(np.isinf(entropy), 0.0, p * (2.0 - entropy + (gamma - 1.0) * ratio))
        second = gamma * modulation * miss * bend
    return _Modulation(loss, first, second, miss)


class _SecondOrder(NamedTuple):
    """What the Hessian of each row is put together from; the logits as rows, 0 in those that do not count."""

    logits: Float64
    p: Floating
    first: Float64
    second: Float64
    slope: Float64
    """g / (1 - p_t): -1 at the label, elsewhere the fraction that a class has of what the label has not."""

    def diagonal(self) -> Floating:
        last = (self.logits.ndim - 1,)
        variances = row_products("variances", self.logits, None, last)
        diagonal: Floating = self.first * variances + self.second * np.square(self.slope)
        return diagonal


focal = Focal()
