"""log_softmax, x_j - log sum_i exp(x_i), and its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    axes_tuple,
    class_mask,
    floating_array,
    output_for,
    same_shape,
    separate,
    temperature_value,
)
from softgrad._differentiable import Differentiable
from softgrad.functional._row_derivatives import (
    allowed_rows,
    centred,
    from_rows,
    jacobian_shape,
    mean_under,
    probabilities,
    vector_rows,
)


class LogSoftmax(Differentiable):
    """Logarithm of softmax of each row, exact where softmax itself is 0 or 1.

    ``log_softmax(x, /, *, axis=-1, where=None, temperature=1.0, out=None)``, and its derivatives
    ``log_softmax.vjp``, ``log_softmax.jvp``, ``log_softmax.jacobian``.

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
        logits = floating_array(x, "x")
        axes = axes_tuple(axis, logits.ndim)
        mask = class_mask(where, logits.shape)
        divisor = temperature_value(temperature)
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
    ) -> Floating:
        """The derivative in the direction `tangent`: (v - <p, v>) / temperature.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call.
        tangent : array_like, shape of `x`

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
        allowed = allowed_rows(class_mask(where, logits.shape), axes)
        divisor = temperature_value(temperature)
        p = probabilities(logits, axes, allowed, divisor)
        v = centred(vector_rows(same_shape(tangent, "tangent", logits, "x"), axes, allowed), p)
        return from_rows(_only(allowed, v - mean_under(p, v)) / divisor, logits, axes)

    def vjp(
        self,
        x: ArrayLike,
        cotangent: ArrayLike,
        /,
        *,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        temperature: float = 1.0,
    ) -> Floating:
        """The gradient of a loss whose gradient by log_softmax(x) is `cotangent`: (g - p * sum(g)) / temperature.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call.
        cotangent : array_like, shape of `x`

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
        allowed = allowed_rows(class_mask(where, logits.shape), axes)
        divisor = temperature_value(temperature)
        g = vector_rows(same_shape(cotangent, "cotangent", logits, "x"), axes, allowed)
        p = probabilities(logits, axes, allowed, divisor)
        result = g - p * g.sum(axis=-1, keepdims=True)
        if g.shape[-1]:
            # At the maximum, g_k - p_k (g_k + rest) = (1 - p_k) g_k - p_k rest, with 1 - p_k summed from the others.
            k = p.argmax(axis=-1)[..., None]
            others = np.where(np.arange(p.shape[-1]) == k, 0.0, 1.0)
            at_k = (p * others).sum(-1, keepdims=True) * np.take_along_axis(g, k, -1) - np.take_along_axis(p, k, -1) * (
                g * others
            ).sum(-1, keepdims=True)
            np.put_along_axis(result, k, at_k, -1)
        return from_rows(_only(allowed, result) / divisor, logits, axes)

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

    def sample_arguments(
        self, rng: np.random.Generator, dtype: np.dtype[Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (rng.normal(scale=3.0, size=(4, 7)).astype(dtype),), {}


def _only(allowed: NDArray[np.bool_] | None, rows: Float64) -> Float64:
    """0 in the classes that do not take part."""
    return rows if allowed is None else np.where(allowed, rows, 0.0)


log_softmax = LogSoftmax()
