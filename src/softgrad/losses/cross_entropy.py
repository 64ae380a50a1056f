"""Cross-entropy of logits, its gradient fused with it."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import (
    Axis,
    Floating,
    Normalizer,
    Reduction,
    axes_tuple,
    floating_array,
    loss_dtype,
    output_for,
    same_shape,
    separate,
)
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad._differentiable import Differentiable
from softgrad.losses._problem import CrossEntropyOptions, cross_entropy_problem


class CrossEntropy(Differentiable):
    """Cross-entropy between the softmax of logits and labels.

    ``cross_entropy(logits, labels, /, *, axis=-1, class_weight=None, sample_weight=None, ignore_index=None,
    label_smoothing=0.0, temperature=1.0, softcap=None, z_loss=0.0, where=None, reduction="mean",
    normalizer="weights")``, and its derivatives ``cross_entropy.value_and_grad``, ``grad``, ``jvp``, ``hvp``,
    ``hessian`` and ``hessian_diagonal``.

    Parameters
    ----------
    logits : array_like, any shape
        float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides; integers are taken as float64.
    labels : array_like
        Of an integer dtype: class indices, the shape of `logits` without `axis`. Of a floating dtype: target
        probabilities, the shape of `logits`; a row need not sum to 1.
    axis : int, tuple of int or None, default -1
        The class axes; None takes the whole array as one row.
    class_weight : array_like, shape of the class axes, optional
        Multiplies the target of each class; finite and not negative.
    sample_weight : array_like, shape of `logits` without `axis`, optional
        Multiplies the loss of each row; finite and not negative.
    ignore_index : int, optional
        Rows with this label are ignored; it need not be a class.
    label_smoothing : float, default 0
        In [0, 1]: the share of the target that is spread evenly over the classes that take part.
    temperature : float, default 1
        Divides the (capped) logits; positive and finite.
    softcap : float, optional
        c replaces the logits x by c tanh(x / c) before all else; positive and finite.
    z_loss : float, default 0
        Adds z_loss * logsumexp^2 to the loss of each row; finite and not negative.
    where : array_like of bool, broadcast to `logits`, optional
        Classes that take part. The others count for nothing, whatever they hold; a target there costs +inf.
    reduction : {"mean", "sum", "none"}, default "mean"
    normalizer : {"weights", "count"} or float, default "weights"
        What "mean" divides by: the sum of the label weights (sample_weight * sum_k y_k w_k, y before smoothing) of the
        rows that count, their number, or a number (for gradients accumulated over batches of different sizes).

    Returns
    -------
    NumPy scalar, or ndarray of the shape of `logits` without `axis` for reduction "none"
        In the dtype of `logits`, float32 for those of two bytes. A row that is ignored, or whose label weight is 0, or
        whose classes are all left out, has loss 0 and gradient 0 whatever its logits, and does not count. No row
        counts: the mean is 0. A target at -inf gives +inf; a row with a NaN, a +inf, or nothing but -inf gives NaN.

    Raises
    ------
    TypeError
        An argument has a dtype that is not listed.
    ValueError
        A label is out of range (the message names it), shapes do not fit, a weight is negative or not finite, or a row
        has no classes.
    numpy.exceptions.AxisError
        `axis` is out of range.

    Notes
    -----
    Each loss is within 2 ulp (float32) or 3 ulp (float64) of the exact result, each component of the gradient for class
    indices within 3 or 4, the target's too [1]_.

    References
    ----------
    .. [1] With m the maximum and R the sum of the others' exp(x_j - m): loss (m - x_t) + log1p(R), two terms of one
       sign; gradient p - onehot(t), at the target -R / (1 + R) where it is the maximum.

    Examples
    --------
    >>> import softgrad as sg
    >>> loss, gradient = sg.cross_entropy.value_and_grad([2.0, 3.0, 4.0], 1)
    >>> float(loss.round(4))
    1.4076
    >>> gradient.round(4)
    array([ 0.09  , -0.7553,  0.6652])
    """

    name = "cross_entropy"

    def __call__(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        axis: Axis = -1,
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
        x = floating_array(logits, "logits")
        axes = axes_tuple(axis, x.ndim)
        problem = cross_entropy_problem(
            x.shape,
            axes,
            labels,
            None,
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
        return problem.loss(x, None, loss_dtype(x))

    def value_and_grad(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        axis: Axis = -1,
        **options: Unpack[CrossEntropyOptions],
    ) -> tuple[Any, Floating]:
        """The loss and its gradient by the logits, in one pass.

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

        Raises
        ------
        TypeError, ValueError, numpy.exceptions.AxisError
            As in the call; also if `out` has another shape or dtype, is read-only, or overlaps an input without being
            the logits themselves. `out` is untouched then.

        Examples
        --------
        >>> import numpy as np, softgrad as sg
        >>> logits = np.array([[0.0, 0.0], [0.0, 40.0]])
        >>> loss, gradient = sg.cross_entropy.value_and_grad(logits, [0, 1], out=logits)
        >>> gradient is logits
        True
        >>> gradient
        array([[-2.50000000e-01,  2.50000000e-01],
               [ 2.12417713e-18, -2.12417713e-18]])
        """
        x = floating_array(logits, "logits")
        axes = axes_tuple(axis, x.ndim)
        problem = cross_entropy_problem(x.shape, axes, labels, upstream, **options)
        _separate(out, labels, upstream, options)
        gradient = output_for(x, out)
        return problem.loss(x, gradient, loss_dtype(x)), gradient

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
        >>> sg.cross_entropy.grad([0.0, 0.0], 1)
        array([ 0.5, -0.5])
        """
        return self.value_and_grad(logits, labels, **options)[1]

    def jvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        **options: Unpack[CrossEntropyOptions],
    ) -> Any:
        """The derivative of the loss in the direction `tangent` of the logits: <Q p - q, v> of each row, reduced.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        tangent : array_like, shape of `logits`

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss
            Rows and classes that do not count give 0, whatever the tangent holds there.

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.cross_entropy.jvp([0.0, 0.0], 1, [1.0, 0.0]))
        0.5
        """
        x = floating_array(logits, "logits")
        v = same_shape(tangent, "tangent", x, "logits")
        problem = cross_entropy_problem(x.shape, axes_tuple(axis, x.ndim), labels, None, **options)
        return problem.tangent(x, v, loss_dtype(x))

    def hvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        axis: Axis = -1,
        out: Floating | None = None,
        **options: Unpack[CrossEntropyOptions],
    ) -> Floating:
        """The Hessian by the logits times `vector`: Q p * (v - <p, v>) of each row.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        vector : array_like, shape of `logits`
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.
        out : ndarray, shape and dtype of `logits`, optional
            Where the result is written; it may be the logits themselves.

        Returns
        -------
        ndarray, shape and dtype of `logits`
            The derivative of the gradient along the vector. Rows and classes that do not count give 0, whatever the
            vector holds there.

        Notes
        -----
        v is taken relative to its value at the most probable class, so that nothing cancels in confident rows.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.cross_entropy.hvp([0.0, 0.0], 1, [1.0, 0.0])
        array([ 0.25, -0.25])
        """
        x = floating_array(logits, "logits")
        v = same_shape(vector, "vector", x, "logits")
        problem = cross_entropy_problem(x.shape, axes_tuple(axis, x.ndim), labels, upstream, **options)
        _separate(out, labels, upstream, options, vector=v)
        return problem.hvp(x, v, out)

    def hessian(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        axis: Axis = -1,
        **options: Unpack[CrossEntropyOptions],
    ) -> DiagonalPlusRankOne:
        """The Hessian by the logits: one K x K block a row, Q (diag(p) - p p^T); between rows it is 0.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        DiagonalPlusRankOne, shape (\\*batch, K, K), dtype of `logits`
            ``@``, ``diagonal()``, ``toarray()`` and ``solve()`` in memory and time linear in K. Several class axes are
            flattened into one. Blocks of rows that do not count are 0.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.cross_entropy.hessian([0.0, 0.0], 1).toarray()
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
        """
        x = floating_array(logits, "logits")
        problem = cross_entropy_problem(x.shape, axes_tuple(axis, x.ndim), labels, upstream, **options)
        return problem.hessian(x, x.dtype)

    def hessian_diagonal(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        axis: Axis = -1,
        **options: Unpack[CrossEntropyOptions],
    ) -> Floating:
        """The diagonal of the Hessian by the logits, Q p (1 - p): what gradient boosting asks for.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.cross_entropy.hessian_diagonal([0.0, 40.0], 1)
        array([4.24835426e-18, 4.24835426e-18])
        """
        x = floating_array(logits, "logits")
        problem = cross_entropy_problem(x.shape, axes_tuple(axis, x.ndim), labels, upstream, **options)
        return problem.hessian_diagonal(x)

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        logits = rng.normal(scale=3.0, size=(6, 5)).astype(dtype)
        labels = rng.integers(0, 5, size=6)
        return (logits, labels), {"label_smoothing": 0.1, "class_weight": rng.uniform(0.5, 2.0, size=5)}


def _separate(
    out: Floating | None,
    labels: ArrayLike,
    upstream: ArrayLike | None,
    options: CrossEntropyOptions,
    **others: ArrayLike | None,
) -> None:
    """Refuses an `out` that shares memory with anything that is read but the logits."""
    separate(
        out,
        labels=labels,
        class_weight=options.get("class_weight"),
        sample_weight=options.get("sample_weight"),
        where=options.get("where"),
        upstream=upstream,
        **others,
    )


cross_entropy = CrossEntropy()
