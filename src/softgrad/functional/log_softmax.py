"""log_softmax, x_j - log sum_i exp(x_i), and its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from softgrad import _native
from softgrad._contracts import (
    Axis,
    Floating,
    axes_tuple,
    class_mask,
    floating_array,
    output_for,
    same_shape,
    separate,
    temperature_value,
)
from softgrad._differentiable import Arguments, Differentiable
from softgrad._products import row_products
from softgrad.functional._row_derivatives import allowed_rows, jacobian_shape, probabilities


class LogSoftmax(Differentiable, native_call=True):
    """Logarithm of softmax of each row, exact where softmax itself is 0 or 1.

    ``log_softmax(x, /, *, axis=-1, where=None, temperature=1.0, out=None)``, and its derivatives
    ``log_softmax.vjp``, ``log_softmax.jvp``, ``log_softmax.hvp``, ``log_softmax.jacobian``.

    Parameters
    ----------
    x : array_like, any shape
        Logits: float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides; integers are taken as
        float64.
    axis : int, tuple of int or None, default -1
        The class axes; None takes the whole array as one row.
    where : array_like of bool, broadcast to `x`, optional
        Classes that take part; the others give -inf, whatever they hold.
    temperature : float, default 1
        Divides the logits; positive and finite.
    out : ndarray, optional
        Where the result goes: shape and dtype of `x`; it may be `x` itself.

    Returns
    -------
    ndarray, shape and dtype of `x`
        -inf gives -inf. A row with a NaN, with +inf, or of nothing but -inf is a row of NaN. An empty row is empty.

    Raises
    ------
    TypeError
        `x` is not real, `where` is not boolean, or `out` has another dtype.
    ValueError
        `temperature` is out of range, `where` does not broadcast, or `out` has another shape, is read-only, or overlaps
        `x` without being the same elements.
    numpy.exceptions.AxisError
        `axis` is out of range.

    Notes
    -----
    Within 2 ulp (float32) and 3 ulp (float64) of the exact result [1]_, also in rows of one dominant class, where
    ``log(softmax(x))`` and x - logsumexp(x) give 0.

    References
    ----------
    .. [1] (x_j - m) - log1p(R), with the maximum m left out of the sum R: two terms of one sign.

    Examples
    --------
    >>> import softgrad as sg
    >>> sg.log_softmax([0.0, 40.0])
    array([-4.00000000e+01, -4.24835426e-18])
    """

    name = "log_softmax"

    def __call__(
        self,
        x: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        temperature: float = 1.0,
        out: Floating | None = None,
    ) -> Floating:
        result: Floating
        # A small call has no time for more. The core sees to the dtype, and does nothing where more is needed.
        if (
            type(x) is np.ndarray
            and where is None
            and out is None
            and type(axis) is int
            and axis == -1
            and type(temperature) is float
            and temperature == 1.0
        ):
            result = np.empty(x.shape, x.dtype)
            if _native.log_softmax_if_plain(x, result):
                return result
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        mask = class_mask(where, logits.shape)
        divisor = temperature_value(temperature)
        if mask is not None:
            separate(out, where=mask)
        result = output_for(logits, out)
        _native.log_softmax(_native.buffer(logits), _native.buffer(result), axes, mask, divisor)
        return result if out is not None else result[()]

    def jvp(
        self,
        x: ArrayLike,
        tangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        temperature: float = 1.0,
        out: Floating | None = None,
    ) -> Floating:
        """The derivative in the direction `tangent`: (v - <p, v>) / temperature.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call.
        tangent : array_like, shape of `x`
        out : ndarray, shape and dtype of `x`, optional
            Where the result is written; it may be `x` itself.

        Returns
        -------
        ndarray, shape and dtype of `x`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.log_softmax.jvp([0.0, 0.0], [1.0, 0.0])
        array([ 0.5, -0.5])
        """
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        mask = class_mask(where, logits.shape)
        divisor = temperature_value(temperature)
        v = same_shape(tangent, "tangent", logits, "x")
        separate(out, tangent=v, where=mask)
        return row_products(
            "log_softmax_tangent", logits, v, axes, mask, temperature=divisor, scale=1.0 / divisor, out=out
        )

    def vjp(
        self,
        x: ArrayLike,
        cotangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        temperature: float = 1.0,
        out: Floating | None = None,
    ) -> Floating:
        """The gradient of a loss whose gradient by log_softmax(x) is `cotangent`: (g - p * sum(g)) / temperature.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call.
        cotangent : array_like, shape of `x`
        out : ndarray, shape and dtype of `x`, optional
            Where the result is written; it may be `x` itself.

        Returns
        -------
        ndarray, shape and dtype of `x`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.log_softmax.vjp([0.0, 0.0], [-1.0, 0.0])
        array([-0.5,  0.5])
        """
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        mask = class_mask(where, logits.shape)
        divisor = temperature_value(temperature)
        g = same_shape(cotangent, "cotangent", logits, "x")
        separate(out, cotangent=g, where=mask)
        return row_products(
            "log_softmax_cotangent", logits, g, axes, mask, temperature=divisor, scale=1.0 / divisor, out=out
        )

    def hvp(
        self,
        x: ArrayLike,
        cotangent: ArrayLike,
        vector: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        temperature: float = 1.0,
        out: Floating | None = None,
    ) -> Floating:
        """The Hessian of <cotangent, log_softmax(x)> times `vector`: the backward of the backward.

        It is the derivative of `vjp` by `x`, along `vector` or backward from it, the Hessian being symmetric. That of
        `vjp` by the cotangent is `jvp`. It is
        -sum(g) * p * (v - <p, v>) / temperature^2.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call.
        cotangent : array_like, shape of `x`
        vector : array_like, shape of `x`
        out : ndarray, shape and dtype of `x`, optional
            Where the result is written; it may be `x` itself.

        Returns
        -------
        ndarray, shape and dtype of `x`

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.log_softmax.hvp([0.0, 0.0], [1.0, 1.0], [1.0, 0.0])
        array([-0.5,  0.5])
        """
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        mask = class_mask(where, logits.shape)
        divisor = temperature_value(temperature)
        g = same_shape(cotangent, "cotangent", logits, "x")
        v = same_shape(vector, "vector", logits, "x")
        separate(out, cotangent=g, vector=v, where=mask)
        total = g.sum(axis=axes, dtype=np.float64, where=True if mask is None else mask)
        return row_products(
            "softmax",
            logits,
            v,
            axes,
            mask,
            temperature=divisor,
            factor=np.asarray(total).reshape(-1),
            scale=-1.0 / divisor / divisor,
            out=out,
        )

    def jacobian(
        self, x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, temperature: float = 1.0
    ) -> Floating:
        """The matrix (delta_ij - p_j) / temperature of each row.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call.

        Returns
        -------
        ndarray, shape (\\*batch, \\*classes, \\*classes), dtype of `x`
            First the axes of `x` that are no class axes, then its class axes twice: result, then argument.

        Examples
        --------
        >>> import softgrad as sg
        >>> sg.log_softmax.jacobian([0.0, 0.0])
        array([[ 0.5, -0.5],
               [-0.5,  0.5]])
        """
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        allowed = allowed_rows(class_mask(where, logits.shape), axes)
        divisor = temperature_value(temperature)
        p = probabilities(logits, axes, allowed, divisor)
        matrix = np.repeat(-p[..., None, :], p.shape[-1], axis=-2)
        # Every row sums to 0, so the diagonal is what the others leave: 1 - p would cancel where p is near 1.
        diagonal = np.arange(p.shape[-1])
        matrix[..., diagonal, diagonal] = 0.0
        matrix[..., diagonal, diagonal] = -matrix.sum(axis=-1)
        if allowed is not None:
            matrix[~allowed] = 0.0
        return (matrix / divisor).reshape(jacobian_shape(logits, axes, 2)).astype(logits.dtype)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        return (rng.normal(scale=3.0, size=(4, 7)).astype(dtype),), {}


log_softmax = LogSoftmax()
