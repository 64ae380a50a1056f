"""logsumexp, log sum_i exp(x_i), and its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softgrad import _native
from softgrad._blocks import class_rows
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    RowValues,
    floating_array,
    round_to,
    same_shape,
    separate,
    shape_without,
)
from softgrad._differentiable import Arguments, Differentiable
from softgrad._products import row_products, softmax_means
from softgrad.functional._row_arguments import row_arguments
from softgrad.functional._row_derivatives import allowed_rows, jacobian_shape


class LogSumExp(Differentiable, native_call=True):
    """Logarithm of the sum of exponentials of each row.

    ``logsumexp(x, /, *, axis=-1, where=None, keepdims=False)``, and its derivatives
    ``logsumexp.vjp``, ``logsumexp.jvp``, ``logsumexp.hvp``, ``logsumexp.jacobian``.

    Parameters
    ----------
    x : array_like, any shape
        Logits: float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides; integers are taken as
        float64.
    axis : int, tuple of int or None, default -1
        The class axes; None takes the whole array as one row.
    where : array_like of bool, broadcast to `x`, optional
        Classes that take part; the others are left out, whatever they hold.
    keepdims : bool, default False
        Keep the class axes, with size 1.

    Returns
    -------
    ndarray or NumPy scalar, dtype of `x`, shape of `x` without its class axes
        An empty row and a row of nothing but -inf give -inf; a row with a NaN gives NaN, else one with +inf gives +inf.
        The derivatives are 0 where the value is -inf, which no finite step moves, and NaN where it is NaN or +inf.

    Raises
    ------
    TypeError
        `x` is not real, or `where` is not boolean.
    ValueError
        `where` does not broadcast to `x`.
    numpy.exceptions.AxisError
        `axis` is out of range.

    Notes
    -----
    Within 1 ulp of max(abs(result), max(abs(x))) [1]_.

    References
    ----------
    .. [1] m + log1p(R), with the maximum m left out of the sum R.

    Examples
    --------
    >>> import softgrad as sg
    >>> float(sg.logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    """

    name = "logsumexp"

    def __call__(
        self, x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, keepdims: bool = False
    ) -> RowValues:
        # A small call has no time for more. The core sees to the dtype, and does nothing where more is needed.
        if type(x) is np.ndarray and where is None and not keepdims and type(axis) is int and axis == -1:
            result = np.empty(x.shape[:-1], x.dtype)
            if _native.logsumexp_if_plain(x, result):
                return result[()]
        logits, axes, mask = row_arguments(x, axis, where)
        result = np.empty(shape_without(logits.shape, axes), logits.dtype)
        _native.logsumexp(_native.buffer(logits), _native.buffer(result), axes, mask)
        return np.expand_dims(result, axes) if keepdims else result[()]

    def jvp(
        self,
        x: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        keepdims: bool = False,
    ) -> RowValues:
        """The derivative in the direction `tangent`: <p, v>.

        Parameters
        ----------
        x, axis, where, keepdims
            As in the call.
        tangent : array_like, shape of `x`

        Returns
        -------
        ndarray or NumPy scalar, shape and dtype of the result of the call

        Examples
        --------
        >>> import softgrad as sg
        >>> float(sg.logsumexp.jvp([0.0, 0.0], [1.0, 2.0]))
        1.5
        """
        logits, axes, mask = row_arguments(x, axis, where)
        v = same_shape(tangent, "tangent", logits, "x")
        change = round_to(softmax_means(logits, v, axes, mask), logits.dtype)
        return np.expand_dims(change, axes) if keepdims else change[()]

    def vjp(
        self,
        x: ArrayLike,
        cotangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        keepdims: bool = False,
        out: Floating | None = None,
    ) -> Floating:
        """The gradient of a loss whose gradient by logsumexp(x) is `cotangent`: g p.

        Parameters
        ----------
        x, axis, where, keepdims
            As in the call.
        cotangent : array_like, shape of the result of the call
        out : ndarray, shape and dtype of `x`, optional
            Where the result is written; it may be `x` itself.

        Returns
        -------
        ndarray, shape and dtype of `x`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.logsumexp.vjp([0.0, 0.0], 3.0)
        array([1.5, 1.5])
        """
        logits, axes, mask = row_arguments(x, axis, where)
        factor = _row_factor(cotangent, logits, axes, keepdims)
        separate(out, cotangent=cotangent, where=mask)
        return row_products("probabilities", logits, None, axes, mask, factor=factor, massless_is_zero=True, out=out)

    def hvp(
        self,
        x: ArrayLike,
        cotangent: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        keepdims: bool = False,
        out: Floating | None = None,
    ) -> Floating:
        """The Hessian of <cotangent, logsumexp(x)> times `vector`: g p * (v - <p, v>).

        It is the derivative of `vjp` by `x`; that by the cotangent is `jvp`.

        Parameters
        ----------
        x, axis, where, keepdims
            As in the call.
        cotangent : array_like, shape of the result of the call
        vector : array_like, shape of `x`
        out : ndarray, shape and dtype of `x`, optional
            Where the result is written; it may be `x` itself.

        Returns
        -------
        ndarray, shape and dtype of `x`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.logsumexp.hvp([0.0, 0.0], 2.0, [1.0, 0.0])
        array([ 0.5, -0.5])
        """
        logits, axes, mask = row_arguments(x, axis, where)
        factor = _row_factor(cotangent, logits, axes, keepdims)
        v = same_shape(vector, "vector", logits, "x")
        separate(out, cotangent=cotangent, vector=v, where=mask)
        return row_products("softmax", logits, v, axes, mask, factor=factor, massless_is_zero=True, out=out)

    def jacobian(self, x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None) -> Floating:
        """The gradient p of each row.

        Parameters
        ----------
        x, axis, where
            As in the call.

        Returns
        -------
        ndarray, shape (\\*batch, \\*classes), dtype of `x`
            First the axes of `x` that are no class axes, then its class axes.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.logsumexp.jacobian([0.0, 0.0])
        array([0.5, 0.5])
        """
        logits, axes, mask = row_arguments(x, axis, where)
        rows, allowed = class_rows(logits, axes), allowed_rows(mask, axes)
        p = row_products("probabilities", rows, None, (rows.ndim - 1,), allowed, massless_is_zero=True, out=rows)
        return round_to(p.reshape(jacobian_shape(logits, axes, 1)), logits.dtype)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        return (rng.normal(scale=3.0, size=(4, 7)).astype(dtype),), {}


def _row_factor(cotangent: ArrayLike, x: Floating, axes: tuple[int, ...], keepdims: bool) -> Float64:
    """The cotangent of a result, flat."""
    g = floating_array(cotangent, "cotangent")
    expected = tuple(1 if d in axes else n for d, n in enumerate(x.shape)) if keepdims else shape_without(x.shape, axes)
    if g.shape != expected:
        raise ValueError(f"cotangent has shape {g.shape}; the result has shape {expected}")
    return np.asarray(g, np.float64, order="C").reshape(-1)


logsumexp = LogSumExp()
