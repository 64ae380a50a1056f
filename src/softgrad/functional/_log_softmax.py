"""log_softmax, x_j - log sum_i exp(x_i), and its derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from softgrad import _native
from softgrad._contracts import Float64, Floating
from softgrad._products import row_products
from softgrad.functional._probability_map import ProbabilityMap
from softgrad.functional._row_derivatives import with_null_sums


class LogSoftmax(ProbabilityMap, native_call=True):
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
    shown: ClassVar[Mapping[str, str]] = {
        "jvp": """(v - <p, v>) / temperature
        >>> sg.log_softmax.jvp([0.0, 0.0], [1.0, 0.0])
        array([ 0.5, -0.5])""",
        "vjp": """(g - p * sum(g)) / temperature
        >>> sg.log_softmax.vjp([0.0, 0.0], [-1.0, 0.0])
        array([-0.5,  0.5])""",
        "hvp": """-sum(g) * p * (v - <p, v>) / temperature^2
        >>> sg.log_softmax.hvp([0.0, 0.0], [1.0, 1.0], [1.0, 0.0])
        array([-0.5,  0.5])""",
        "jacobian": """(delta_ij - p_j) / temperature
        >>> sg.log_softmax.jacobian([0.0, 0.0])
        array([[ 0.5, -0.5],
               [-0.5,  0.5]])""",
    }
    names: ClassVar[Mapping[str, str]] = {
        "from_output": "A rounding of log p is abs(log p) roundings of p: a small p has fewer digits."
    }
    tangent_product = "log_softmax_tangent"
    cotangent_product = "log_softmax_cotangent"

    def second_product(
        self,
        x: Floating,
        cotangent: Floating,
        vector: Floating,
        axes: tuple[int, ...],
        mask: NDArray[np.bool_] | None,
        temperature: float,
        out: Floating | None,
    ) -> Floating:
        total = cotangent.sum(axis=axes, dtype=np.float64, where=True if mask is None else mask)
        factor, scale = np.asarray(total).reshape(-1), -1.0 / temperature / temperature
        return row_products(
            "softmax", x, vector, axes, mask, temperature=temperature, factor=factor, scale=scale, out=out
        )

    def matrices(self, p: Float64, allowed: NDArray[np.bool_] | None, /) -> Float64:
        matrix = with_null_sums(np.repeat(-p[..., None, :], p.shape[-1], axis=-2), axis=-1)
        if allowed is not None:
            matrix[~allowed] = 0.0
        return matrix


log_softmax = LogSoftmax(_native.log_softmax, _native.log_softmax_if_plain)
