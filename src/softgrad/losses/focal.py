"""The focal loss, cross-entropy with the rows that are already right weighed down, and its derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._blocks import Block, blocks
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    Normalizer,
    Reduction,
    as_array,
    axes_tuple,
    floating_array,
    loss_dtype,
    number_within,
    output_for,
    round_to,
    same_shape,
    separate,
)
from softgrad._differentiable import Differentiable
from softgrad._products import in_one_dtype, row_products
from softgrad.losses._problem import Problem, cross_entropy_problem
from softgrad.losses._rows import Losses, Rows, centred


class FocalOptions(TypedDict, total=False):
    """The options of `focal`, which documents them."""

    gamma: float
    axis: Axis
    class_weight: ArrayLike | None
    sample_weight: ArrayLike | None
    ignore_index: int | None
    reduction: Reduction
    normalizer: Normalizer


class Focal(Differentiable):
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
        x, problem, power = _checked(
            logits,
            labels,
            None,
            gamma=gamma,
            axis=axis,
            class_weight=class_weight,
            sample_weight=sample_weight,
            ignore_index=ignore_index,
            reduction=reduction,
            normalizer=normalizer,
        )
        losses = Losses(problem.plan, problem.batch, loss_dtype(x))
        for block in _blocks(x, problem):
            part = problem.at(block, x)
            losses.add(block, _weighted(_modulation(*_entropies(block.view(x), part), power).loss, part))
        return losses.result()

    def value_and_grad(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        **options: Unpack[FocalOptions],
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
        x, problem, gamma = _checked(logits, labels, upstream, **options)
        separate(
            out,
            labels=labels,
            class_weight=options.get("class_weight"),
            sample_weight=options.get("sample_weight"),
            upstream=upstream,
        )
        gradient = output_for(x, out)
        losses = Losses(problem.plan, problem.batch, loss_dtype(x))
        for block in _blocks(x, problem):
            view, part = block.view(x), problem.at(block, x)
            modulation = _modulation(*_entropies(view, part), gamma)
            part.with_upstream(modulation.first).row_losses(view, block.view(gradient))
            losses.add(block, _weighted(modulation.loss, part))
        return losses.result(), gradient

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

    def jvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        tangent: ArrayLike,
        /,
        **options: Unpack[FocalOptions],
    ) -> Any:
        """The derivative of the loss in the direction `tangent` of the logits: f' <p - onehot(t), v>, reduced.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        tangent : array_like, shape of `logits`
            Of any value in a row that does not count, NaN too.

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.focal.jvp([0.0, 0.0], 1, [1.0, 0.0], gamma=1.0).round(6))
        0.423287
        """
        x, problem, gamma = _checked(logits, labels, None, **options)
        v = same_shape(tangent, "tangent", x, "logits")
        losses = Losses(problem.plan, problem.batch, loss_dtype(x))
        for block in _blocks(x, problem):
            view, part = block.view(x), problem.at(block, x)
            logits, along = in_one_dtype(view, block.view(v))
            first = _modulation(*_entropies(view, part), gamma).first
            losses.add(block, part.row_losses(logits, None, along) * first)
        return losses.result()

    def hvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        **options: Unpack[FocalOptions],
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the logits: f' p (v - <p, v>) + f'' g <g, v>.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        vector : array_like, shape of `logits`
            Of any value in a row that does not count, NaN too.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.focal.hvp([0.0, 0.0], 1, [1.0, 0.0], gamma=1.0).round(6)
        array([ 0.375, -0.375])
        """
        x, problem, gamma = _checked(logits, labels, upstream, **options)
        rows = _rows(x, problem)
        vectors = same_shape(vector, "vector", x, "logits")

        def each(block: Block) -> NDArray[Any]:
            terms = _second_order(rows, problem, gamma, block)
            v = centred(rows.counting(block, block.rows(vectors)), terms.logits)
            product = terms.first * row_products("softmax", terms.logits, v, (v.ndim - 1,))
            product += terms.second * terms.slope * (terms.slope * v).sum(axis=-1, keepdims=True)
            return product

        return rows.derivative(each)

    def hessian(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        **options: Unpack[FocalOptions],
    ) -> Floating:
        """The second derivatives by the logits of each row: f' (diag(p) - p p^T) + f'' g g^T, scaled as the gradient.

        A diagonal plus a matrix of rank two, so it is not the object that other losses return: for large K take `hvp`.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape (\\*batch, K, K), dtype of `logits`
            Several class axes count as one, flattened in C order.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.focal.hessian([0.0, 0.0], 1, gamma=1.0).round(6)
        array([[ 0.375, -0.375],
               [-0.375,  0.375]])
        """
        x, problem, gamma = _checked(logits, labels, upstream, **options)
        rows = _rows(x, problem)
        terms = _second_order(rows, problem, gamma, rows.whole)
        p, h = terms.p, terms.slope
        first, second = terms.first[..., None], terms.second[..., None]
        matrices = second * (h[..., :, None] * h[..., None, :]) - first * (p[..., :, None] * p[..., None, :])
        classes = np.arange(p.shape[-1])
        matrices[..., classes, classes] = terms.diagonal()
        return round_to(rows.scaled(rows.whole, matrices), x.dtype)

    def hessian_diagonal(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        **options: Unpack[FocalOptions],
    ) -> Floating:
        """The second derivative by each logit: f' p (1 - p) + f'' g^2, scaled as the gradient is.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`
            Negative where the loss is concave along a logit, as it may be where the label is improbable.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.focal.hessian_diagonal([0.0, 0.0], 1, gamma=1.0).round(6)
        array([0.375, 0.375])
        """
        x, problem, gamma = _checked(logits, labels, upstream, **options)
        rows = _rows(x, problem)
        return rows.derivative(lambda block: _second_order(rows, problem, gamma, block).diagonal())

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        logits = rng.normal(scale=3.0, size=(6, 5)).astype(dtype)
        return (logits, rng.integers(0, 5, size=6)), {"gamma": 1.5, "class_weight": rng.uniform(0.5, 2.0, size=5)}


def _checked(
    logits: ArrayLike,
    labels: ArrayLike,
    upstream: ArrayLike | None,
    *,
    gamma: float = 2.0,
    axis: Axis = -1,
    class_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    normalizer: Normalizer = "weights",
) -> tuple[Floating, Problem, float]:
    """The logits, their cross-entropy, and gamma."""
    x = floating_array(logits, "logits")
    power = number_within(gamma, "gamma", lambda g: 0.0 <= g < np.inf, "finite and not negative")
    dtype = as_array(labels, "labels").dtype
    if dtype.kind not in "iu":
        raise TypeError(f"labels has dtype {dtype}; focal takes class indices")
    problem = cross_entropy_problem(
        x.shape,
        axes_tuple(axis, x.ndim),
        labels,
        upstream,
        class_weight=class_weight,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        reduction=reduction,
        normalizer=normalizer,
    )
    return x, problem, power


def _blocks(x: Floating, problem: Problem) -> Iterator[Block]:
    """What is not native is a few numbers a row."""
    return blocks(x.shape, problem.axes, 1)


def _entropies(x: Floating, problem: Problem) -> tuple[Float64, Float64]:
    """The cross-entropy l of each row without its weight, flat, 0 where the row does not count; and exp(-l)."""
    targets = problem.targets
    assert targets.indices is not None
    counts = None if targets.label_weights is None else (targets.label_weights != 0.0).astype(np.float64)
    entropy = np.empty(problem.batch).reshape(-1)
    _native.cross_entropy(_native.buffer(x), problem.axes, targets.indices, counts, None, 1.0, entropy, None)
    with np.errstate(under="ignore"):
        return entropy, np.exp(-entropy)


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


def _weighted(losses: Float64, problem: Problem) -> Float64:
    weights = problem.targets.label_weights
    return losses if weights is None else losses * weights


class _SecondOrder(NamedTuple):
    """What the Hessian of each row is put together from; the logits as rows, 0 in those that do not count."""

    logits: Float64
    p: Floating
    first: Float64
    second: Float64
    slope: Float64
    """g / (1 - p_t): -1 at the label, elsewhere the share of a class in what the label has not."""

    def diagonal(self) -> Floating:
        last = (self.logits.ndim - 1,)
        variances = row_products("variances", self.logits, None, last)
        diagonal: Floating = self.first * variances + self.second * np.square(self.slope)
        return diagonal


def _rows(x: Floating, problem: Problem) -> Rows:
    weights, upstream = (
        None if flat is None else flat.reshape(problem.batch)
        for flat in (problem.targets.label_weights, problem.plan.upstream)
    )
    return Rows(x, problem.axes, weights, upstream, problem.plan)


def _second_order(rows: Rows, problem: Problem, gamma: float, block: Block) -> _SecondOrder:
    assert problem.targets.indices is not None
    indices = problem.targets.indices[block.part]
    logits = rows.counting(block, block.rows(rows.array))
    last = (logits.ndim - 1,)
    entropy, gradient = np.empty(indices.shape), np.empty_like(logits)
    _native.cross_entropy(logits, last, indices, None, None, 1.0, entropy, gradient)
    p = row_products("probabilities", logits, None, last)
    # f'' has p_t as a factor: exp(-l) is off by as many roundings as l is large.
    p_label = np.take_along_axis(p, indices.reshape(*logits.shape[:-1], 1), axis=-1)
    _, first, second, miss = _modulation(entropy.reshape(p_label.shape), p_label, gamma)
    slope = np.divide(gradient, miss, out=np.zeros_like(gradient), where=miss != 0.0)
    return _SecondOrder(logits, p, first, second, slope)


focal = Focal()
