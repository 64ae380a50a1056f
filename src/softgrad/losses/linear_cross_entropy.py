"""Cross-entropy of a linear classifier, hidden @ weight.T + bias, without the matrix of its logits.

The rows are taken in blocks: BLAS makes the logits of a block, the native kernel turns them into their loss and
gradient in place, BLAS takes that gradient back to hidden, weight and bias. Only one block of logits exists at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import (
    Floating,
    Int64,
    Normalizer,
    Reduction,
    floating_array,
    loss_dtype,
    round_to,
    same_shape,
)
from softgrad._differentiable import Differentiable
from softgrad.losses._problem import CrossEntropyOptions, Problem, cross_entropy_problem

Tangents = tuple[ArrayLike | None, ArrayLike | None, ArrayLike | None]

# The block of logits stays in the outer cache while the kernel and the second product read it.
_BLOCK_BYTES = 8 << 20
# Fewer rows than this and the products are no longer at the speed of BLAS.
_LEAST_ROWS = 64


class LinearGradients(NamedTuple):
    """Gradients by the arguments of `linear_cross_entropy`; None for one that was not asked for or not given."""

    hidden: Floating | None
    weight: Floating | None
    bias: Floating | None


class LinearCrossEntropy(Differentiable):
    """Cross-entropy of the logits hidden @ weight.T + bias, which are never all held.

    ``linear_cross_entropy(hidden, weight, labels, /, bias=None, *, class_weight=None, sample_weight=None,
    ignore_index=None, label_smoothing=0.0, temperature=1.0, softcap=None, z_loss=0.0, where=None, reduction="mean",
    normalizer="weights")``, and its derivatives ``linear_cross_entropy.value_and_grad``, ``grad``,
    ``jvp`` and ``hvp``.

    Parameters
    ----------
    hidden : array_like, shape (N, D)
        float64, float32, float16 or bfloat16 (of the package ml_dtypes); integers are taken as float64.
    weight : array_like, shape (V, D), dtype of `hidden`
    labels : array_like
        Of an integer dtype: classes, shape (N,). Of a floating dtype: target probabilities, shape (N, V).
    bias : array_like, shape (V,), dtype of `hidden`, optional
    class_weight, sample_weight, ignore_index, label_smoothing, temperature, softcap, z_loss, where
    reduction, normalizer
        As in `cross_entropy`, the logits being of shape (N, V).

    Returns
    -------
    NumPy scalar, or ndarray of shape (N,) for reduction "none"
        In the dtype of `hidden`, float32 for those of two bytes.

    Raises
    ------
    TypeError
        An argument has a dtype that is not listed, or the dtypes of hidden, weight and bias differ.
    ValueError
        As in `cross_entropy`; also if the shapes of hidden, weight and bias do not fit.

    Notes
    -----
    The logits are those of the BLAS that NumPy has, in the dtype of `hidden` or, for two bytes, in float32, into which
    `weight` is copied; their bits may depend on the number of rows and of BLAS's threads. From them on the loss and its
    gradient are as exact as those of `cross_entropy`. Over the blocks the gradients by weight and bias are added up in
    float64. Besides inputs and results the call holds one block of logits: 8 MiB, or 64 rows if that is more.

    References
    ----------
    With G the gradient by the logits: hidden G @ weight, weight G.T @ hidden, bias the column sums of G.

    Examples
    --------
    >>> import numpy as np, softgrad as sg
    >>> hidden, weight = np.eye(2), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> loss, grads = sg.linear_cross_entropy.value_and_grad(hidden, weight, [0, 1])
    >>> float(loss.round(6))
    0.313262
    >>> grads.weight.round(6)
    array([[-0.134471,  0.134471],
           [ 0.134471, -0.134471]])
    >>> grads.bias is None
    True
    """

    name = "linear_cross_entropy"

    def __call__(
        self,
        hidden: ArrayLike,
        weight: ArrayLike,
        labels: ArrayLike,
        /,
        bias: ArrayLike | None = None,
        *,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        temperature: float = 1.0,
        softcap: float | None = None,
        z_loss: float = 0.0,
        where: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Any:
        loss, _ = self.value_and_grad(
            hidden,
            weight,
            labels,
            bias,
            wrt=(),
            class_weight=class_weight,
            sample_weight=sample_weight,
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            temperature=temperature,
            softcap=softcap,
            z_loss=z_loss,
            where=where,
            reduction=reduction,
            normalizer=normalizer,
        )
        return loss

    def value_and_grad(
        self,
        hidden: ArrayLike,
        weight: ArrayLike,
        labels: ArrayLike,
        /,
        bias: ArrayLike | None = None,
        *,
        wrt: Iterable[str] = ("hidden", "weight", "bias"),
        upstream: ArrayLike | None = None,
        **options: Unpack[CrossEntropyOptions],
    ) -> tuple[Any, LinearGradients]:
        """The loss and its gradients.

        Parameters
        ----------
        hidden, weight, labels, bias and the options
            As in the call.
        wrt : iterable of {"hidden", "weight", "bias"}
            What to differentiate by; what is not named is not computed.
        upstream : array_like, shape of the loss, optional
            The gradient of what follows by the loss; the gradients are multiplied by it.

        Returns
        -------
        loss
            As in the call.
        gradients : LinearGradients
            A named tuple with fields hidden, weight, bias of the shapes and dtype of the arguments.

        Examples
        --------
        >>> import numpy as np, softgrad as sg
        >>> loss, grads = sg.linear_cross_entropy.value_and_grad(
        ...     np.ones((1, 1)), np.zeros((2, 1)), [0], np.zeros(2), wrt=("bias",)
        ... )
        >>> grads
        LinearGradients(hidden=None, weight=None, bias=array([-0.5,  0.5]))
        """
        h, w, b = _checked_operands(hidden, weight, bias)
        wanted = _checked_names(wrt)
        rows, classes = h.shape[0], w.shape[0]
        problem = cross_entropy_problem((rows, classes), (1,), labels, upstream, **options)

        by_hidden = np.zeros(h.shape, h.dtype) if "hidden" in wanted else None
        by_weight = np.zeros(w.shape) if "weight" in wanted else None
        by_bias = np.zeros(classes) if "bias" in wanted and b is not None else None
        anything = by_hidden is not None or by_weight is not None or by_bias is not None

        losses = np.zeros(rows)
        work = loss_dtype(h)
        w_work = w.astype(work, copy=False)
        for part, hidden_part, logits in _blocks(problem, h, w_work, b):
            losses[part] = problem.rows(part).row_losses(logits, logits if anything else None)
            if by_hidden is not None:
                by_hidden[part] = round_to(logits @ w_work, h.dtype)
            if by_weight is not None:
                by_weight += logits.T @ hidden_part
            if by_bias is not None:
                by_bias += logits.sum(axis=0, dtype=np.float64)
        gradients = LinearGradients(
            by_hidden,
            None if by_weight is None else round_to(by_weight, h.dtype),
            None if by_bias is None else round_to(by_bias, h.dtype),
        )
        return problem.plan.result(losses, (rows,), work), gradients

    def grad(
        self, hidden: ArrayLike, weight: ArrayLike, labels: ArrayLike, /, bias: ArrayLike | None = None, **options: Any
    ) -> LinearGradients:
        """The gradients alone: the second of `value_and_grad`, with the same parameters.

        Parameters
        ----------
        hidden, weight, labels, bias and the options
            As in `value_and_grad`.

        Returns
        -------
        LinearGradients

        Examples
        --------
        >>> import numpy as np, softgrad as sg
        >>> sg.linear_cross_entropy.grad(np.ones((1, 1)), np.zeros((2, 1)), [0], wrt=("weight",)).weight
        array([[-0.5],
               [ 0.5]])
        """
        return self.value_and_grad(hidden, weight, labels, bias, **options)[1]

    def jvp(
        self,
        hidden: ArrayLike,
        weight: ArrayLike,
        labels: ArrayLike,
        bias: ArrayLike | None,
        tangents: Tangents,
        /,
        **options: Unpack[CrossEntropyOptions],
    ) -> Any:
        """The derivative of the loss along tangents of hidden, weight and bias.

        Parameters
        ----------
        hidden, weight, labels, bias and the options
            As in the call; a `bias` of None is given as such.
        tangents : LinearGradients or tuple of three
            Of the shapes of hidden, weight and bias; None stands for zeros.

        Returns
        -------
        NumPy scalar, or ndarray of shape (N,) for reduction "none"
            In the dtype of the loss.

        Examples
        --------
        >>> import numpy as np, softgrad as sg
        >>> tangents = (None, np.array([[1.0], [0.0]]), None)
        >>> float(sg.linear_cross_entropy.jvp(np.ones((1, 1)), np.zeros((2, 1)), [0], None, tangents))
        -0.5
        """
        h, w, b = _checked_operands(hidden, weight, bias)
        problem = cross_entropy_problem((h.shape[0], w.shape[0]), (1,), labels, None, **options)
        work = loss_dtype(h)
        w_work = w.astype(work, copy=False)
        along = _checked_tangents(tangents, h, w, b)
        changes = np.zeros(h.shape[0])
        for part, hidden_part, logits in _blocks(problem, h, w_work, b):
            moved = along.logits(part, hidden_part, w_work)
            changes[part] = problem.rows(part).row_losses(logits, None, moved)
        return problem.plan.result(changes, changes.shape, work)

    def hvp(
        self,
        hidden: ArrayLike,
        weight: ArrayLike,
        labels: ArrayLike,
        bias: ArrayLike | None,
        vectors: Tangents,
        /,
        *,
        gauss_newton: bool = False,
        upstream: ArrayLike | None = None,
        **options: Unpack[CrossEntropyOptions],
    ) -> LinearGradients:
        """The Hessian by hidden, weight and bias together, times vectors of their shapes.

        Parameters
        ----------
        hidden, weight, labels, bias and the options
            As in the call; a `bias` of None is given as such.
        vectors : LinearGradients or tuple of three
            Of the shapes of hidden, weight and bias; None stands for zeros.
        gauss_newton : bool, default False
            Leave out what the curvature of hidden @ weight.T adds: J^T H J, which is positive semi-definite.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        LinearGradients
            The derivatives of the gradients along the vectors; bias is None if there is none.

        Notes
        -----
        With dZ the change of the logits and dG = H dZ that of their gradient G: hidden dG @ weight + G @ d weight,
        weight dG.T @ hidden + G.T @ d hidden, bias the column sums of dG. `gauss_newton` leaves out the second terms.

        Examples
        --------
        >>> import numpy as np, softgrad as sg
        >>> vectors = (None, np.array([[1.0], [0.0]]), None)
        >>> sg.linear_cross_entropy.hvp(np.ones((1, 1)), np.zeros((2, 1)), [0], None, vectors).weight
        array([[ 0.25],
               [-0.25]])
        """
        h, w, b = _checked_operands(hidden, weight, bias)
        problem = cross_entropy_problem((h.shape[0], w.shape[0]), (1,), labels, upstream, **options)
        w_work = w.astype(loss_dtype(h), copy=False)
        along = _checked_tangents(vectors, h, w, b)
        by_hidden, by_weight = np.zeros(h.shape, h.dtype), np.zeros(w.shape)
        by_bias = None if b is None else np.zeros(b.shape)
        for part, hidden_part, logits in _blocks(problem, h, w_work, b):
            rows = problem.rows(part)
            change = rows.hvp(logits, along.logits(part, hidden_part, w_work))
            of_hidden = change @ w_work
            by_weight += change.T @ hidden_part
            if by_bias is not None:
                by_bias += change.sum(axis=0, dtype=np.float64)
            if not gauss_newton and (along.weight is not None or along.hidden is not None):
                rows.row_losses(logits, logits)
                if along.weight is not None:
                    of_hidden += logits @ along.weight
                if along.hidden is not None:
                    by_weight += logits.T @ along.hidden[part]
            by_hidden[part] = round_to(of_hidden, h.dtype)
        return LinearGradients(
            by_hidden, round_to(by_weight, h.dtype), None if by_bias is None else round_to(by_bias, h.dtype)
        )

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        hidden = rng.normal(size=(6, 4)).astype(dtype)
        weight = rng.normal(size=(5, 4)).astype(dtype)
        bias = rng.normal(size=5).astype(dtype)
        return (hidden, weight, rng.integers(0, 5, size=6), bias), {"label_smoothing": 0.1}


class _Along(NamedTuple):
    """Tangents of hidden, weight and bias in the dtype that is worked in; None for zeros."""

    hidden: Floating | None
    weight: Floating | None
    bias: Floating | None

    def logits(self, part: slice | Int64, hidden_part: Floating, w_work: Floating) -> Floating:
        """The change of the logits of some of the rows."""
        change = np.zeros((len(hidden_part), len(w_work)), w_work.dtype)
        if self.hidden is not None:
            change += self.hidden[part] @ w_work.T
        if self.weight is not None:
            change += hidden_part @ self.weight.T
        if self.bias is not None:
            change += self.bias
        return change


def _blocks(
    problem: Problem, h: Floating, w_work: Floating, b: Floating | None
) -> Iterator[tuple[slice | Int64, Floating, Floating]]:
    """The rows that count, block by block: which, those of hidden, and their logits, in one buffer for all blocks."""
    rows, classes = len(h), len(w_work)
    # BLAS has no products of two-byte numbers; those are worked on in float32.
    work = w_work.dtype
    block = max(_LEAST_ROWS, _BLOCK_BYTES // max(1, classes * work.itemsize))
    buffer = np.empty((min(block, rows), classes), work)
    for start in range(0, rows, block):
        part = problem.targets.counting(slice(start, min(start + block, rows)))
        hidden_part = h[part].astype(work, copy=False)
        logits = buffer[: len(hidden_part)]
        np.matmul(hidden_part, w_work.T, out=logits)
        if b is not None:
            logits += b
        yield part, hidden_part, logits


def _checked_tangents(tangents: Tangents, h: Floating, w: Floating, b: Floating | None) -> _Along:
    if not isinstance(tangents, tuple) or len(tangents) != 3:
        raise TypeError("the tangents must be a tuple of three: of hidden, weight and bias, None for zeros")
    checked: list[Floating | None] = []
    for name, tangent, argument in zip(LinearGradients._fields, tangents, (h, w, b), strict=True):
        if tangent is None:
            checked.append(None)
        elif argument is None:
            raise ValueError(f"there is a tangent of {name}, and no {name}")
        else:
            moved = same_shape(tangent, f"the tangent of {name}", argument, name)
            checked.append(moved.astype(loss_dtype(h), copy=False))
    return _Along(*checked)


def _checked_operands(
    hidden: ArrayLike, weight: ArrayLike, bias: ArrayLike | None
) -> tuple[Floating, Floating, Floating | None]:
    h, w = floating_array(hidden, "hidden"), floating_array(weight, "weight")
    if h.ndim != 2:
        raise ValueError(f"hidden has shape {h.shape}; it must be (N, D)")
    if w.ndim != 2 or w.shape[1] != h.shape[1]:
        raise ValueError(f"weight has shape {w.shape}; with hidden {h.shape} it must be (V, {h.shape[1]})")
    if w.dtype != h.dtype:
        raise TypeError(f"weight has dtype {w.dtype}; hidden has dtype {h.dtype}")
    if bias is None:
        return h, w, None
    b = floating_array(bias, "bias")
    if b.shape != w.shape[:1]:
        raise ValueError(f"bias has shape {b.shape}; with weight {w.shape} it must be {w.shape[:1]}")
    if b.dtype != h.dtype:
        raise TypeError(f"bias has dtype {b.dtype}; hidden has dtype {h.dtype}")
    return h, w, b


def _checked_names(wrt: Iterable[str]) -> frozenset[str]:
    if isinstance(wrt, str):
        raise TypeError(f"wrt is the string {wrt!r}; give a tuple of names, as in wrt=({wrt!r},)")
    names = frozenset(wrt)
    unknown = names - set(LinearGradients._fields)
    if unknown:
        raise ValueError(f"wrt names {sorted(unknown)[0]!r}; it may name {', '.join(LinearGradients._fields)}")
    return names


linear_cross_entropy = LinearCrossEntropy()
