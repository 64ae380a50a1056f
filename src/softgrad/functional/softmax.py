"""softmax, p_j = exp(x_j) / sum_i exp(x_i), and its derivatives."""

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


class Softmax(Differentiable, native_call=True):
    """Softmax of each row: exponentials normalised to sum 1.

    ``softmax(x, /, *, axis=-1, where=None, temperature=1.0, out=None)``, and its derivatives
    ``softmax.vjp``, ``softmax.jvp``, ``softmax.hvp``, ``softmax.jacobian``.

    Parameters
    ----------
    x : array_like, any shape
        Logits: float64, float32, float16 or bfloat16 (of the package ml_dtypes) of any strides; integers are taken as
        float64.
    axis : int, tuple of int or None, default -1
        The class axes; None takes the whole array as one row.
    where : array_like of bool, broadcast to `x`, optional
        Classes that take part; the others give 0, whatever they hold.
    temperature : float, default 1
        Divides the logits; positive and finite.
    out : ndarray, optional
        Where the result goes: shape and dtype of `x`; it may be `x` itself.

    Returns
    -------
    ndarray, shape and dtype of `x`
        -inf gives +0. A row with a NaN, with +inf, or of nothing but -inf is a row of NaN. An empty row is empty.

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
    Within 2 ulp (float32) and 3 ulp (float64) of the exact result for every row length up to 2^20 [1]_. The bits of a
    row do not depend on the other rows, the memory layout or the number of threads.

    References
    ----------
    .. [1] The maximum m is left out of the sum R of the others' exponentials, p_j = exp(x_j - m) / (1 + R), and the
       exponential reduces x_j itself, not the rounded x_j - m: docs/accuracy.md.

    Examples
    --------
    >>> import numpy as np, softgrad as sg
    >>> sg.softmax([2.0, 3.0, 4.0]).round(4)
    array([0.09  , 0.2447, 0.6652])
    >>> sg.softmax(np.array([[0.0, -np.inf], [1e8, 1e8]]))
    array([[1. , 0. ],
           [0.5, 0.5]])
    >>> sg.softmax.vjp([0.0, 0.0], [0.0, 2.0])
    array([-0.5,  0.5])
    """

    name = "softmax"

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
            if _native.softmax_if_plain(x, result):
                return result
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        mask = class_mask(where, logits.shape)
        divisor = temperature_value(temperature)
        if mask is not None:
            separate(out, where=mask)
        result = output_for(logits, out)
        _native.softmax(_native.buffer(logits), _native.buffer(result), axes, mask, divisor)
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
        """The derivative in the direction `tangent`: p * (v - <p, v>) / temperature.

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
        >>> sg.softmax.jvp([0.0, 0.0], [1.0, 0.0])
        array([ 0.25, -0.25])
        """
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        mask = class_mask(where, logits.shape)
        divisor = temperature_value(temperature)
        v = same_shape(tangent, "tangent", logits, "x")
        separate(out, tangent=v, where=mask)
        return row_products("softmax", logits, v, axes, mask, temperature=divisor, scale=1.0 / divisor, out=out)

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
        """The gradient of a loss whose gradient by softmax(x) is `cotangent`: p * (g - <p, g>) / temperature.

        The Jacobian is symmetric: this is `jvp` with the cotangent for the tangent.

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
        >>> sg.softmax.vjp([0.0, 0.0], [0.0, 2.0])
        array([-0.5,  0.5])
        """
        logits = floating_array(x, "x")
        g = same_shape(cotangent, "cotangent", logits, "x")
        separate(out, cotangent=g)
        return self.jvp(logits, g, axis=axis, where=where, temperature=temperature, out=out)

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
        """The Hessian of <cotangent, softmax(x)> times `vector`: the backward of the backward.

        It is the derivative of `vjp` by `x`, along `vector` or backward from it, the Hessian being symmetric. That of
        `vjp` by the cotangent is `jvp`. With u = v - <p, v> and h = g - <p, g>:
        p * (u h - <p, u h>) / temperature^2.

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
        >>> sg.softmax.hvp([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]).round(4)
        array([ 0.0741, -0.037 , -0.037 ])
        """
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        mask = class_mask(where, logits.shape)
        divisor = temperature_value(temperature)
        g = same_shape(cotangent, "cotangent", logits, "x")
        v = same_shape(vector, "vector", logits, "x")
        separate(out, cotangent=g, vector=v, where=mask)
        return row_products(
            "softmax_second",
            logits,
            g,
            axes,
            mask,
            temperature=divisor,
            scale=1.0 / divisor / divisor,
            second=v,
            out=out,
        )

    def jacobian(
        self, x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, temperature: float = 1.0
    ) -> Floating:
        """The matrix p_i (delta_ij - p_j) / temperature of each row.

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
        >>> sg.softmax.jacobian([0.0, 0.0])
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])
        """
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        divisor = temperature_value(temperature)
        p = probabilities(logits, axes, allowed_rows(class_mask(where, logits.shape), axes), divisor)
        matrix = -p[..., :, None] * p[..., None, :]
        # Every column sums to 0, so the diagonal is what the others leave: 1 - p would cancel where p is near 1.
        diagonal = np.arange(p.shape[-1])
        matrix[..., diagonal, diagonal] = 0.0
        matrix[..., diagonal, diagonal] = -matrix.sum(axis=-2)
        return (matrix / divisor).reshape(jacobian_shape(logits, axes, 2)).astype(logits.dtype)

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        return (rng.normal(scale=3.0, size=(4, 7)).astype(dtype),), {}


softmax = Softmax()
