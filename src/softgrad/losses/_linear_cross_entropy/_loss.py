"""Cross-entropy of the logits hidden @ weight.T + bias, its gradients and products with its second derivatives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import Float64, Normalizer, Reduction, RowValues
from softgrad._differentiable import Arguments, Differentiable
from softgrad.losses._cross_entropy_problem import checked_cross_entropy
from softgrad.losses._linear_cross_entropy import _class_blocks, _row_blocks
from softgrad.losses._linear_cross_entropy._gradients import LinearGradients, Out, Sums, outputs
from softgrad.losses._linear_cross_entropy._head import Head, HeadOptions
from softgrad.losses._linear_cross_entropy._operands import NAMES, Along, Operands, Tangents, checked_names
from softgrad.losses._reduction import planner


class LinearCrossEntropy(Differentiable, options=(checked_cross_entropy, Head.of)):
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

    name = "linear_cross_entropy"

    def __call__(
        self,
        hidden: Any,
        weight: ArrayLike,
        labels: ArrayLike,
        /,
        bias: ArrayLike | None = None,
        *,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Unpack[HeadOptions],
    ) -> RowValues:
        head = Head.of(Operands.of(hidden, weight, bias), labels, planner(reduction, normalizer, None), **options)
        return head.reduced(_losses(head, None))

    def value_and_grad(
        self,
        hidden: Any,
        weight: ArrayLike,
        labels: ArrayLike,
        /,
        bias: ArrayLike | None = None,
        *,
        wrt: Iterable[str] = NAMES,
        upstream: ArrayLike | None = None,
        out: Out | None = None,
        accumulate: bool = False,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Unpack[HeadOptions],
    ) -> tuple[RowValues, LinearGradients]:
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
        operands = Operands.of(hidden, weight, bias)
        head = Head.of(operands, labels, planner(reduction, normalizer, upstream), **options)
        names = checked_names(wrt, operands)
        results = outputs(operands, names, out, accumulate, labels=labels, **options, upstream=upstream)
        asked = any(result is not None for result in results)
        sums = Sums(operands, head.products, results, accumulate) if asked else None
        return head.reduced(_losses(head, sums)), results if sums is None else sums.end()

    def grad(
        self,
        hidden: Any,
        weight: ArrayLike,
        labels: ArrayLike,
        /,
        bias: ArrayLike | None = None,
        *,
        wrt: Iterable[str] = NAMES,
        upstream: ArrayLike | None = None,
        out: Out | None = None,
        accumulate: bool = False,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Unpack[HeadOptions],
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
        _, gradients = self.value_and_grad(
            hidden,
            weight,
            labels,
            bias,
            wrt=wrt,
            upstream=upstream,
            out=out,
            accumulate=accumulate,
            reduction=reduction,
            normalizer=normalizer,
            **options,
        )
        return gradients

    def jvp(
        self,
        hidden: Any,
        weight: ArrayLike,
        labels: ArrayLike,
        bias: ArrayLike | None,
        tangents: Tangents,
        /,
        *,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Unpack[HeadOptions],
    ) -> RowValues:
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
        operands = Operands.of(hidden, weight, bias)
        along = Along.of(tangents, operands)
        plan = planner(reduction, normalizer, None)
        head = Head.of(operands, labels, plan, numbers=2, whole_rows=True, **options)
        return head.reduced(_row_blocks.changes(head, along))

    def hvp(
        self,
        hidden: Any,
        weight: ArrayLike,
        labels: ArrayLike,
        bias: ArrayLike | None,
        vectors: Tangents,
        /,
        *,
        gauss_newton: bool = False,
        wrt: Iterable[str] = NAMES,
        upstream: ArrayLike | None = None,
        reduction: Reduction = "mean",
        normalizer: Normalizer = "weights",
        **options: Unpack[HeadOptions],
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
        operands = Operands.of(hidden, weight, bias)
        along = Along.of(vectors, operands)
        plan = planner(reduction, normalizer, upstream)
        head = Head.of(operands, labels, plan, numbers=3, whole_rows=True, **options)
        results = outputs(operands, checked_names(wrt, operands), None, False)
        sums = Sums(operands, head.products, results, False)
        _row_blocks.add_changes_of_gradients(head, along, sums, gauss_newton)
        return sums.end()

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        hidden = rng.normal(size=(6, 4)).astype(dtype)
        weight = rng.normal(size=(5, 4)).astype(dtype)
        bias = rng.normal(size=5).astype(dtype)
        return (hidden, weight, rng.integers(0, 5, size=6), bias), {"label_smoothing": 0.1}


def _losses(head: Head, sums: Sums | None) -> Float64:
    """The loss of each row; the gradients of the reduced loss are added to `sums`."""
    return _row_blocks.losses(head, sums) if head.has_whole_rows else _class_blocks.losses(head, sums)


linear_cross_entropy = LinearCrossEntropy()
