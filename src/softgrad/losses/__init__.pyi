"""The losses, each with its gradient. Written by tests/stubs.py."""

# ruff: noqa: E501
from collections.abc import Iterable
from typing import Any, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import Axis, Floating, Int64, Normalizer, Reduction
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad._differentiable import Arguments, Differentiable
from softgrad.losses._linear_cross_entropy import LinearGradients
from softgrad.losses._linear_cross_entropy._gradients import Out
from softgrad.losses._linear_cross_entropy._head import ComputeDtype, Progress
from softgrad.losses._linear_cross_entropy._operands import Tangents
from softgrad.losses._token_logprobs import TokenDerivatives, TokenStatistics, token_logprobs

__all__ = [
    "LinearGradients",
    "TokenDerivatives",
    "TokenStatistics",
    "binary_cross_entropy",
    "cross_entropy",
    "focal",
    "kl_divergence",
    "linear_cross_entropy",
    "quadratic",
    "token_logprobs",
]

class BinaryCrossEntropy(Differentiable):
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
    @overload
    def __call__(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]: ...
    @overload
    def __call__(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    @overload
    def jvp(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]:
        """The derivative of the loss in the direction `tangent` of the logits: slope times tangent of each row, reduced.

        Parameters
        ----------
        logits, targets and the options
            As in the call.
        tangent : array_like, shape of `logits`
            Of any value in a row or class that does not count, NaN too.

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.binary_cross_entropy.jvp([0.0, 0.0], [1, 0], [1.0, -1.0]))
        -0.5
        """
    @overload
    def jvp(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    def hvp(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the logits: `hessian_diagonal` times the vector, scaled as the gradient.

        Parameters
        ----------
        logits, targets and the options
            As in the call.
        vector : array_like, shape of `logits`
            Of any value in a row or class that does not count, NaN too.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.binary_cross_entropy.hvp([0.0, 40.0], [1, 1], [1.0, 1.0], reduction="sum")
        array([2.50000000e-01, 4.24835426e-18])
        """
    def grad(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The gradient alone, (1 - y) sigmoid(x) - w y sigmoid(-x) of each row: the second of `value_and_grad`.

        Parameters
        ----------
        logits, targets, upstream, out and the options
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.binary_cross_entropy.grad([0.0], [1])
        array([-0.5])
        """
    @overload
    def value_and_grad(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[np.floating[Any], Floating]:
        """The loss and its gradient by the logits, (1 - y) sigmoid(x) - w y sigmoid(-x) of each row.

        Parameters
        ----------
        logits, targets and the options
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
        >>> import softgrad as sg
        >>> loss, gradient = sg.binary_cross_entropy.value_and_grad([0.0, 0.0], [1.0, 0.25], reduction="sum")
        >>> gradient
        array([-0.5 ,  0.25])
        """
    @overload
    def value_and_grad(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> tuple[Floating, Floating]: ...
    def hessian(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> DiagonalPlusRankOne:
        """The second derivatives by the logits of each row: a 1 x 1 matrix for each element, scaled as the gradient.

        For arrays of the shape of the logits take `hessian_diagonal`; this is the form that all losses have in common.

        Parameters
        ----------
        logits, targets and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        DiagonalPlusRankOne, shape (\\*batch, K, K), dtype of `logits`
            Several class axes count as one, flattened in C order. Diagonal blocks of rows that do not count are 0.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.binary_cross_entropy.hessian([0.0, 0.0], [1, 0], reduction="sum").toarray().shape
        (2, 1, 1)
        """
    def hessian_diagonal(
        self,
        logits: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        pos_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The second derivative by each of the logits: (w y + 1 - y) sigmoid(x) sigmoid(-x), scaled as the gradient.

        Parameters
        ----------
        logits, targets and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.binary_cross_entropy.hessian_diagonal([0.0, 40.0], [1, 1], reduction="sum")
        array([2.50000000e-01, 4.24835426e-18])
        """
    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments: ...

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
    @overload
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
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]: ...
    @overload
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
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    def hvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        vector: ArrayLike,
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
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the logits: Q p (v - <p, v>), scaled as the gradient.

        v is taken relative to its value at the most probable class, so that nothing cancels in confident rows.

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

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.cross_entropy.hvp([0.0, 0.0], 1, [1.0, 0.0])
        array([ 0.25, -0.25])
        """
    @overload
    def jvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        tangent: ArrayLike,
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
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]:
        """The derivative of the loss in the direction `tangent` of the logits: <Q p - q, v> of each row, reduced.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        tangent : array_like, shape of `logits`
            Of any value in a row or class that does not count, NaN too.

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.cross_entropy.jvp([0.0, 0.0], 1, [1.0, 0.0]))
        0.5
        """
    @overload
    def jvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        tangent: ArrayLike,
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
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    def grad(
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
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The gradient alone, Q p - q of each row: the second of `value_and_grad`.

        Parameters
        ----------
        logits, labels, upstream, out and the options
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
    @overload
    def value_and_grad(
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
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[np.floating[Any], Floating]:
        """The loss and its gradient by the logits, Q p - q of each row.

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
        >>> import softgrad as sg
        >>> import numpy as np
        >>> logits = np.array([[0.0, 0.0], [0.0, 40.0]])
        >>> loss, gradient = sg.cross_entropy.value_and_grad(logits, [0, 1], out=logits)
        >>> gradient is logits
        True
        >>> gradient
        array([[-2.50000000e-01,  2.50000000e-01],
               [ 2.12417713e-18, -2.12417713e-18]])
        """
    @overload
    def value_and_grad(
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
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> tuple[Floating, Floating]: ...
    def hessian(
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
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> DiagonalPlusRankOne:
        """The second derivatives by the logits of each row: Q (diag(p) - p p^T), scaled as the gradient.

        Between rows it is 0. ``@``, ``diagonal()``, ``toarray()`` and ``solve()`` take memory and time linear in K.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        DiagonalPlusRankOne, shape (\\*batch, K, K), dtype of `logits`
            Several class axes count as one, flattened in C order. Diagonal blocks of rows that do not count are 0.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.cross_entropy.hessian([0.0, 0.0], 1).toarray()
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
        """
    def hessian_diagonal(
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
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The second derivative by each of the logits: Q p (1 - p), scaled as the gradient.

        It is what gradient boosting asks for.

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
    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments: ...

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
    @overload
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
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]: ...
    @overload
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
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    @overload
    def jvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        gamma: float = 2.0,
        axis: Axis = -1,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]:
        """The derivative of the loss in the direction `tangent` of the logits: f' <p - onehot(t), v> of each row, reduced.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        tangent : array_like, shape of `logits`
            Of any value in a row or class that does not count, NaN too.

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.focal.jvp([0.0, 0.0], 1, [1.0, 0.0], gamma=1.0).round(6))
        0.423287
        """
    @overload
    def jvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        gamma: float = 2.0,
        axis: Axis = -1,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    def hvp(
        self,
        logits: ArrayLike,
        labels: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        gamma: float = 2.0,
        axis: Axis = -1,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the logits: f' p (v - <p, v>) + f'' g <g, v>, scaled as the gradient.

        Parameters
        ----------
        logits, labels and the options
            As in the call.
        vector : array_like, shape of `logits`
            Of any value in a row or class that does not count, NaN too.
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
    def grad(
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
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The gradient alone, f' (p - onehot(t)) of each row: the second of `value_and_grad`.

        Parameters
        ----------
        logits, labels, upstream, out and the options
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
    @overload
    def value_and_grad(
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
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[np.floating[Any], Floating]:
        """The loss and its gradient by the logits, f' (p - onehot(t)) of each row.

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
        >>> import softgrad as sg
        >>> loss, gradient = sg.focal.value_and_grad([0.0, 0.0], 0, gamma=1.0)
        >>> gradient.round(6)
        array([-0.423287,  0.423287])
        """
    @overload
    def value_and_grad(
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
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> tuple[Floating, Floating]: ...
    def hessian(
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
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
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
            Several class axes count as one, flattened in C order. Diagonal blocks of rows that do not count are 0.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.focal.hessian([0.0, 0.0], 1, gamma=1.0).round(6)
        array([[ 0.375, -0.375],
               [-0.375,  0.375]])
        """
    def hessian_diagonal(
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
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The second derivative by each of the logits: f' p (1 - p) + f'' g^2, scaled as the gradient.

        Negative where the loss is concave along a logit, as it may be where the label is improbable.

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
        >>> sg.focal.hessian_diagonal([0.0, 0.0], 1, gamma=1.0).round(6)
        array([0.375, 0.375])
        """
    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments: ...

class KLDivergence(Differentiable):
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
    @overload
    def __call__(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]: ...
    @overload
    def __call__(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    @overload
    def jvp(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]:
        """The derivative of the loss in the direction `tangent` of the logits: <p - q, v> / temperature of each row, reduced.

        Parameters
        ----------
        logits, target_logits and the options
            As in the call.
        tangent : array_like, shape of `logits`
            Of any value in a row or class that does not count, NaN too.

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.kl_divergence.jvp([0.0, 0.0], [0.0, 1.0], [1.0, 0.0]).round(6))
        0.231059
        """
    @overload
    def jvp(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    def hvp(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the logits: p (v - <p, v>) / temperature^2, scaled as the gradient.

        Parameters
        ----------
        logits, target_logits and the options
            As in the call.
        vector : array_like, shape of `logits`
            Of any value in a row or class that does not count, NaN too.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.kl_divergence.hvp([0.0, 0.0], [0.0, 1.0], [1.0, 0.0])
        array([ 0.25, -0.25])
        """
    def grad(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The gradient alone, (p - q) / temperature of each row: the second of `value_and_grad`.

        Parameters
        ----------
        logits, target_logits, upstream, out and the options
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.kl_divergence.grad([0.0, 0.0], [0.0, 1.0], temperature=2.0).round(6)
        array([ 0.06123, -0.06123])
        """
    @overload
    def value_and_grad(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[np.floating[Any], Floating]:
        """The loss and its gradient by the logits, (p - q) / temperature of each row.

        Parameters
        ----------
        logits, target_logits and the options
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
        >>> import softgrad as sg
        >>> loss, gradient = sg.kl_divergence.value_and_grad([1.0, 2.0], [1.0, 2.0])
        >>> float(loss), gradient
        (0.0, array([0., 0.]))
        """
    @overload
    def value_and_grad(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> tuple[Floating, Floating]: ...
    def hessian(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> DiagonalPlusRankOne:
        """The second derivatives by the logits of each row: (diag(p) - p p^T) / temperature^2, scaled as the gradient.

        Parameters
        ----------
        logits, target_logits and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        DiagonalPlusRankOne, shape (\\*batch, K, K), dtype of `logits`
            Several class axes count as one, flattened in C order. Diagonal blocks of rows that do not count are 0.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.kl_divergence.hessian([0.0, 0.0], [0.0, 1.0]).toarray()
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
        """
    def hessian_diagonal(
        self,
        logits: ArrayLike,
        target_logits: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        temperature: float = 1.0,
        where: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The second derivative by each of the logits: p (1 - p) / temperature^2, scaled as the gradient.

        Parameters
        ----------
        logits, target_logits and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        ndarray, shape and dtype of `logits`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.kl_divergence.hessian_diagonal([0.0, 40.0], [0.0, 1.0])
        array([4.24835426e-18, 4.24835426e-18])
        """
    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments: ...

class LinearCrossEntropy(Differentiable):
    """Cross-entropy of the logits hidden @ weight.T + bias, which are never all held.

    ``linear_cross_entropy(hidden, weight, labels, /, bias=None, *, class_weight=None, sample_weight=None,
    ignore_index=None, label_smoothing=0.0, temperature=1.0, softcap=None, z_loss=0.0, where=None, reduction="mean",
    normalizer="weights", block_bytes=None, compute_dtype=None, progress=None,
    predictions=None)``, and its derivatives
    ``linear_cross_entropy.value_and_grad``, ``grad``, ``jvp`` and ``hvp``.

    Parameters
    ----------
    hidden : array_like or SciPy CSR, shape (N, D)
        float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides, memory-mapped too; integers are
        taken as float64. Sparse: float64, float32 or integers.
    weight : array_like, shape (V, D), dtype of `hidden`
    labels : array_like
        Of an integer dtype: classes, shape (N,). Of a floating dtype: target probabilities, shape (N, V).
    bias : array_like, shape (V,), dtype of `hidden`, optional
    class_weight, sample_weight, ignore_index, label_smoothing, temperature, softcap, z_loss, where
    reduction, normalizer
        As in `cross_entropy`, the logits being of shape (N, V). Rows that are ignored cost nothing.
    block_bytes : int, optional
        The most that a block of logits takes, at least 4096; 128 MiB without it. More than 512 rows are taken only
        where they stay within 8 MiB. If 64 rows do not fit, the logits are made twice, some classes at a time.
    compute_dtype : {None, "bfloat16"}
        "bfloat16" rounds what is multiplied, float32 or bfloat16, to bfloat16 and adds up in float32; logits are
        float32. PyTorch makes the products: it must have been imported, on a processor that has such products.
    progress : callable, optional
        Called as progress(done, total) after each block, with numbers of rows that count.
    predictions : ndarray of int64, shape (N,), optional
        Where the class of the largest logit of each row goes, the first of equal ones, of those that `where` allows;
        -1 for a row that does not count. Apart from all inputs.

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
    ImportError, RuntimeError
        For `compute_dtype`: there is no PyTorch, or the processor has no such products.

    Notes
    -----
    The logits are those of the BLAS that NumPy has, in the dtype of `hidden` or, for two bytes, in float32; their bits
    may depend on the number of rows and of BLAS's threads. From them on the loss and its gradient are as exact as those
    of `cross_entropy`, but for what is too small to matter. The gradients are sums over blocks of rows, by weight added
    up in the dtype of the products, by bias in float64: another size of the blocks changes them by a few roundings of
    their largest terms.

    Subnormal numbers would make BLAS many times slower. So an entry of the gradient by the logits counts as 0 where it
    is below 2^-96 (float64: 2^-992) of the factor of its row, or below the smallest normal number. With t the larger of
    the two, a gradient by hidden is off by at most t times the sum of the magnitudes of weight over the classes; one by
    weight by the sum over the rows of t times the magnitude of hidden; one by bias by the sum of t. The factor is the
    weight of the row times what arrives from above, over what the mean divides by; in `hvp` the change of the gradient
    by the logits is held to it times the largest change of a logit of the row. In `jvp`, and in a loss, it is what is
    below the smallest normal number on the way that may count as 0.

    Besides inputs and results the call holds a block of logits and some 10 MiB for products, and for two bytes the
    gradient by `weight` in float32. A signal such as Ctrl-C is heard between two products, each of less than a second.

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
    @overload
    def __call__(
        self,
        hidden: Any,
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
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]: ...
    @overload
    def __call__(
        self,
        hidden: Any,
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
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    @overload
    def value_and_grad(
        self,
        hidden: Any,
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
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        wrt: Iterable[str] = ("hidden", "weight", "bias"),
        upstream: ArrayLike | None = None,
        out: Out | None = None,
        accumulate: bool = False,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[np.floating[Any], LinearGradients]:
        """The loss and its gradients.

        Parameters
        ----------
        hidden, weight, labels, bias and the options
            As in the call.
        wrt : iterable of {"hidden", "weight", "bias"}
            What to differentiate by; what is not named is not computed. Sparse `hidden` has no gradient.
        upstream : array_like, shape of the loss, optional
            The gradient of what follows by the loss; the gradients are multiplied by it.
        out : LinearGradients or tuple of three, optional
            Where the gradients by hidden, weight and bias go: arrays of the shape and dtype of these, apart from all
            inputs; None for a new one. After an interruption what they hold is undefined.
        accumulate : bool, default False
            Add to what `out` holds, as for micro-batches; each gradient that is asked for needs its place then.

        Returns
        -------
        loss
            As in the call.
        gradients : LinearGradients
            A named tuple with fields hidden, weight, bias of the shapes and dtype of the arguments.

        Raises
        ------
        TypeError, ValueError
            As in the call; also if a place in `out` has another shape or dtype, is read-only, or overlaps an input or
            another place. Nothing is written then.

        Examples
        --------
        >>> import numpy as np, softgrad as sg
        >>> loss, grads = sg.linear_cross_entropy.value_and_grad(
        ...     np.ones((1, 1)), np.zeros((2, 1)), [0], np.zeros(2), wrt=("bias",)
        ... )
        >>> grads
        LinearGradients(hidden=None, weight=None, bias=array([-0.5,  0.5]))
        """
    @overload
    def value_and_grad(
        self,
        hidden: Any,
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
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        wrt: Iterable[str] = ("hidden", "weight", "bias"),
        upstream: ArrayLike | None = None,
        out: Out | None = None,
        accumulate: bool = False,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> tuple[Floating, LinearGradients]: ...
    def grad(
        self,
        hidden: Any,
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
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        wrt: Iterable[str] = ("hidden", "weight", "bias"),
        upstream: ArrayLike | None = None,
        out: Out | None = None,
        accumulate: bool = False,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
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
    @overload
    def jvp(
        self,
        hidden: Any,
        weight: ArrayLike,
        labels: ArrayLike,
        bias: ArrayLike | None,
        tangents: Tangents,
        /,
        *,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        temperature: float = 1.0,
        softcap: float | None = None,
        z_loss: float = 0.0,
        where: ArrayLike | None = None,
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]:
        """The derivative of the loss along tangents of hidden, weight and bias.

        Parameters
        ----------
        hidden, weight, labels, bias and the options
            As in the call; a `bias` of None is given as such. A row of logits and its change fit into `block_bytes`.
        tangents : LinearGradients or tuple of three
            Of the shapes of hidden, weight and bias; None stands for zeros, as it must for sparse `hidden`.

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
    @overload
    def jvp(
        self,
        hidden: Any,
        weight: ArrayLike,
        labels: ArrayLike,
        bias: ArrayLike | None,
        tangents: Tangents,
        /,
        *,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        temperature: float = 1.0,
        softcap: float | None = None,
        z_loss: float = 0.0,
        where: ArrayLike | None = None,
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    def hvp(
        self,
        hidden: Any,
        weight: ArrayLike,
        labels: ArrayLike,
        bias: ArrayLike | None,
        vectors: Tangents,
        /,
        *,
        class_weight: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        temperature: float = 1.0,
        softcap: float | None = None,
        z_loss: float = 0.0,
        where: ArrayLike | None = None,
        block_bytes: SupportsIndex | None = None,
        compute_dtype: ComputeDtype = None,
        progress: Progress | None = None,
        predictions: Int64 | None = None,
        gauss_newton: bool = False,
        wrt: Iterable[str] = ("hidden", "weight", "bias"),
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> LinearGradients:
        """The Hessian by hidden, weight and bias together, times vectors of their shapes.

        Parameters
        ----------
        hidden, weight, labels, bias and the options
            As in the call; a `bias` of None is given as such. Three times a row of logits fits into `block_bytes`.
        vectors : LinearGradients or tuple of three
            Of the shapes of hidden, weight and bias; None stands for zeros, as it must for sparse `hidden`.
        gauss_newton : bool, default False
            Leave out what the curvature of hidden @ weight.T adds: J^T H J, which is positive semi-definite.
        wrt, upstream
            As in `value_and_grad`: the gradients whose changes are wanted, and what they are multiplied by.

        Returns
        -------
        LinearGradients
            The derivatives of the gradients along the vectors; None for what was not asked for or is not there.

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
    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments: ...

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
    @overload
    def __call__(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]: ...
    @overload
    def __call__(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    @overload
    def jvp(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> np.floating[Any]:
        """The derivative of the loss in the direction `tangent` of the outputs: <a - y, v> of each row, reduced.

        Parameters
        ----------
        outputs, targets and the options
            As in the call.
        tangent : array_like, shape of `outputs`
            Of any value in a row or class that does not count, NaN too.

        Returns
        -------
        NumPy scalar or ndarray, shape and dtype of the loss

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.quadratic.jvp([1.0, 3.0], [0.0, 1.0], [1.0, -1.0]))
        -1.0
        """
    @overload
    def jvp(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> Floating: ...
    def hvp(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The derivative of the gradient in the direction `vector` of the outputs: v, scaled as the gradient.

        Parameters
        ----------
        outputs, targets and the options
            As in the call.
        vector : array_like, shape of `outputs`
            Of any value in a row or class that does not count, NaN too.
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
    def grad(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The gradient alone, a - y of each row: the second of `value_and_grad`.

        Parameters
        ----------
        outputs, targets, upstream, out and the options
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
    @overload
    def value_and_grad(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        normalizer: Normalizer = "weights",
    ) -> tuple[np.floating[Any], Floating]:
        """The loss and its gradient by the outputs, a - y of each row.

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

        Raises
        ------
        TypeError, ValueError, numpy.exceptions.AxisError
            As in the call; also if `out` has another shape or dtype, is read-only, or overlaps an input without being
            the outputs themselves. `out` is untouched then.

        Examples
        --------
        >>> import softgrad as sg
        >>> loss, gradient = sg.quadratic.value_and_grad([[1.0, 3.0]], [[0.0, 1.0]])
        >>> float(loss), gradient
        (2.5, array([[1., 2.]]))
        """
    @overload
    def value_and_grad(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        out: Floating | None = None,
        reduction: Literal["none"],
        normalizer: Normalizer = "weights",
    ) -> tuple[Floating, Floating]: ...
    def hessian(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> DiagonalPlusRankOne:
        """The second derivatives by the outputs of each row: the identity, scaled as the gradient.

        It does not depend on what outputs and targets hold.

        Parameters
        ----------
        outputs, targets and the options
            As in the call.
        upstream : array_like, shape of the loss, optional
            As in `value_and_grad`.

        Returns
        -------
        DiagonalPlusRankOne, shape (\\*batch, K, K), dtype of `outputs`
            Several class axes count as one, flattened in C order. Diagonal blocks of rows that do not count are 0.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.quadratic.hessian([1.0, 3.0], [0.0, 1.0]).toarray()
        array([[1., 0.],
               [0., 1.]])
        """
    def hessian_diagonal(
        self,
        outputs: ArrayLike,
        targets: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        sample_weight: ArrayLike | None = None,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
    ) -> Floating:
        """The second derivative by each of the outputs: 1, scaled as the gradient.

        Parameters
        ----------
        outputs, targets and the options
            As in the call.
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
    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments: ...

binary_cross_entropy: BinaryCrossEntropy
cross_entropy: CrossEntropy
focal: Focal
kl_divergence: KLDivergence
linear_cross_entropy: LinearCrossEntropy
quadratic: Quadratic
