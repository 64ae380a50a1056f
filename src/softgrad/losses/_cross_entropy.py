"""Cross-entropy of logits, its gradient fused with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import numpy as np
from numpy.typing import ArrayLike

from softgrad import _native
from softgrad._contracts import (
    Axis,
    Floating,
    Normalizer,
    Reduction,
    RowValues,
    axes_tuple,
    floating_array,
    loss_dtype,
    same_shape,
    separate,
)
from softgrad._differentiable import Arguments
from softgrad.losses._base import Loss
from softgrad.losses._cross_entropy_problem import CrossEntropyOptions, CrossEntropyProblem, checked_cross_entropy
from softgrad.losses._reduction import Planner, planner


def _plain_mean(logits: Floating, labels: ArrayLike, gradient: Floating | None) -> RowValues | None:
    if type(labels) is not np.ndarray:
        return None
    mean = _native.cross_entropy_if_plain(logits, labels, gradient)
    return None if mean is None else loss_dtype(logits).type(mean)


class CrossEntropy(Loss, options=(checked_cross_entropy,)):
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
        In [0, 1]: the fraction of the target that is spread evenly over the classes that take part.
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
    shown: ClassVar[Mapping[str, str]] = {
        "value_and_grad": """Q p - q
        >>> import numpy as np
        >>> logits = np.array([[0.0, 0.0], [0.0, 40.0]])
        >>> loss, gradient = sg.cross_entropy.value_and_grad(logits, [0, 1], out=logits)
        >>> gradient is logits
        True
        >>> gradient
        array([[-2.50000000e-01,  2.50000000e-01],
               [ 2.12417713e-18, -2.12417713e-18]])""",
        "grad": """Q p - q
        >>> sg.cross_entropy.grad([0.0, 0.0], 1)
        array([ 0.5, -0.5])""",
        "jvp": """<Q p - q, v>
        >>> float(sg.cross_entropy.jvp([0.0, 0.0], 1, [1.0, 0.0]))
        0.5""",
        "hvp": """Q p (v - <p, v>)

        v is taken relative to its value at the most probable class, so that nothing cancels in confident rows.

        >>> sg.cross_entropy.hvp([0.0, 0.0], 1, [1.0, 0.0])
        array([ 0.25, -0.25])""",
        "hessian": """Q (diag(p) - p p^T)

        Between rows it is 0. ``@``, ``diagonal()``, ``toarray()`` and ``solve()`` take memory and time linear in K.

        >>> sg.cross_entropy.hessian([0.0, 0.0], 1).toarray()
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])""",
        "hessian_diagonal": """Q p (1 - p)

        It is what gradient boosting asks for.

        >>> sg.cross_entropy.hessian_diagonal([0.0, 40.0], 1)
        array([4.24835426e-18, 4.24835426e-18])""",
    }

    def problem(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        plan: Planner,
        /,
        *,
        axis: Axis = -1,
        **options: Unpack[CrossEntropyOptions],
    ) -> tuple[Floating, CrossEntropyProblem]:
        x = floating_array(logits, "logits")
        return x, checked_cross_entropy(x.shape, axes_tuple(axis, x.ndim), labels, plan, **options)

    def hvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Any,
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the logits: {formula}, scaled as the gradient.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        vector : array_like, shape of `logits`
            Of any value in a row or class that does not count, NaN too.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.
        out : ndarray, shape and dtype of `logits`, optional
            Where the result is written; it may be the logits themselves.

        Returns
        -------
        ndarray, shape and dtype of `logits`
        """
        x, problem = self.problem(logits, labels, planner(reduction, normalizer, upstream), **options)
        v = same_shape(vector, "vector", x, "logits")
        if out is not None:
            separate(out, labels=labels, **options, upstream=upstream, vector=v)
        return problem.hvp(x, v, out)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        logits = rng.normal(scale=3.0, size=(6, 5)).astype(dtype)
        labels = rng.integers(0, 5, size=6)
        return (logits, labels), {"label_smoothing": 0.1, "class_weight": rng.uniform(0.5, 2.0, size=5)}


cross_entropy = CrossEntropy(_plain_mean)
