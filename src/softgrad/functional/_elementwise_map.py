"""The verbs of a function of each element, each once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._chunks import elementwise
from softgrad._contracts import Float64, Floating, floating_array, output_for, same_shape
from softgrad._differentiable import Arguments, Differentiable


class ElementwiseMap(Differentiable):
    """A function of each element, whose derivatives are worked out in float64 and rounded once."""

    def __init__(self, kernel: Callable[[NDArray[Any], NDArray[Any]], None]) -> None:
        super().__init__()
        self._kernel = kernel

    @abstractmethod
    def slope(self, x: Float64) -> Float64:
        """The derivative."""

    @abstractmethod
    def bend(self, x: Float64) -> Float64:
        """The second derivative."""

    def __call__(self, x: ArrayLike, /, *, out: Floating | None = None) -> Floating:
        array = floating_array(x, "x")
        result = output_for(array, out)
        self._kernel(_native.buffer(array), _native.buffer(result))
        return result if out is not None else result[()]

    def jvp(self, x: ArrayLike, tangent: ArrayLike, /) -> Floating:
        """The derivative in the direction `tangent`: {formula}.

        Worked out in float64 and rounded once.

        Parameters
        ----------
        x
            As in the call.
        tangent : array_like, shape of `x`

        Returns
        -------
        ndarray or NumPy scalar, shape and dtype of `x`
        """
        return self._times_slope(x, tangent, "tangent")

    def vjp(self, x: ArrayLike, cotangent: ArrayLike, /) -> Floating:
        """The gradient of a loss whose gradient by {name}(x) is `cotangent`: {formula}, the same product as `jvp`.

        Parameters
        ----------
        x
            As in the call.
        cotangent : array_like, shape of `x`

        Returns
        -------
        ndarray or NumPy scalar, shape and dtype of `x`
        """
        return self._times_slope(x, cotangent, "cotangent")

    def hvp(self, x: ArrayLike, cotangent: ArrayLike, vector: ArrayLike, /) -> Floating:
        """The derivative of `vjp` by x in the direction `vector`: {formula}.

        Worked out in float64 and rounded once.

        Parameters
        ----------
        x
            As in the call.
        cotangent, vector : array_like, shape of `x`

        Returns
        -------
        ndarray or NumPy scalar, shape and dtype of `x`
        """
        array = floating_array(x, "x")
        g, v = (same_shape(each, name, array, "x") for each, name in ((cotangent, "cotangent"), (vector, "vector")))
        return elementwise(lambda x, g, v: self.bend(x) * g * v, array, g, v)

    def _times_slope(self, x: ArrayLike, vector: ArrayLike, name: str) -> Floating:
        array = floating_array(x, "x")
        return elementwise(lambda x, v: self.slope(x) * v, array, same_shape(vector, name, array, "x"))

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        return (rng.normal(scale=3.0, size=(4, 7)).astype(dtype),), {}
