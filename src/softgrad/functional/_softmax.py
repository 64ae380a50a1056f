"""softmax, p_j = exp(x_j) / sum_i exp(x_i), and its derivatives."""

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


class Softmax(ProbabilityMap, native_call=True):
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
    shown: ClassVar[Mapping[str, str]] = {
        "jvp": """p * (v - <p, v>) / temperature
        >>> sg.softmax.jvp([0.0, 0.0], [1.0, 0.0])
        array([ 0.25, -0.25])""",
        "vjp": """p * (g - <p, g>) / temperature

        The Jacobian is symmetric: this is `jvp` with the cotangent for the tangent.

        >>> sg.softmax.vjp([0.0, 0.0], [0.0, 2.0])
        array([-0.5,  0.5])""",
        "hvp": """with u = v - <p, v> and h = g - <p, g>, p * (u h - <p, u h>) / temperature^2
        >>> sg.softmax.hvp([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]).round(4)
        array([ 0.0741, -0.037 , -0.037 ])""",
        "jacobian": """p_i (delta_ij - p_j) / temperature
        >>> sg.softmax.jacobian([0.0, 0.0])
        array([[ 0.25, -0.25],
               [-0.25,  0.25]])""",
    }
    names: ClassVar[Mapping[str, str]] = {
        "from_output": "The result is as accurate, but for an `output` that is subnormal or in two bytes."
    }
    tangent_product = "softmax"
    cotangent_product = "softmax"

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
        scale = 1.0 / temperature / temperature
        return row_products(
            "softmax_second", x, cotangent, axes, mask, temperature=temperature, scale=scale, second=vector, out=out
        )

    def matrices(self, p: Float64, _: NDArray[np.bool_] | None, /) -> Float64:
        matrix: Float64 = -p[..., :, None] * p[..., None, :]
        return with_null_sums(matrix, axis=-2)


softmax = Softmax(_native.softmax, _native.softmax_if_plain)
