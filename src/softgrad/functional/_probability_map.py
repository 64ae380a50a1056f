"""The verbs of softmax and of its logarithm, each once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._contracts import (
    Axis,
    Float64,
    Floating,
    floating_array,
    output_for,
    positive_number,
    require_alike,
    same_shape,
    separate,
)
from softgrad._differentiable import Arguments, Differentiable
from softgrad._products import Product, products_of_output, row_products
from softgrad.functional._row_arguments import row_arguments
from softgrad.functional._row_derivatives import allowed_rows, jacobian_shape, probabilities

Kernel = Callable[[NDArray[Any], NDArray[Any], Sequence[int], NDArray[np.bool_] | None, float], None]


class ProbabilityMap(Differentiable):
    """A function of the probabilities of each row, of the shape of its argument."""

    tangent_product: ClassVar[Product]
    cotangent_product: ClassVar[Product]

    def __init__(self, kernel: Kernel, kernel_if_plain: Callable[[NDArray[Any], NDArray[Any]], bool]) -> None:
        super().__init__()
        self._kernel = kernel
        self._kernel_if_plain = kernel_if_plain

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
        if type(x) is np.ndarray and _is_plain(axis, where, temperature, out):
            result = np.empty(x.shape, x.dtype) if out is None else out
            if self._kernel_if_plain(x, result):
                return result
        logits, axes, mask = row_arguments(x, axis, where)
        divisor = positive_number(temperature, "temperature")
        if mask is not None:
            separate(out, where=mask)
        result = output_for(logits, out)
        self._kernel(_native.buffer(logits), _native.buffer(result), axes, mask, divisor)
        return result if out is not None else result[()]

    def jvp(
        self,
        x: ArrayLike | None,
        tangent: ArrayLike,
        /,
        *,
        output: ArrayLike | None = None,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        temperature: float = 1.0,
        out: Floating | None = None,
    ) -> Floating:
        """The derivative in the direction `tangent`: {formula}.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call; with `output`, `x` is not read and may be None.
        tangent : array_like, shape of `x`
        output : array_like, shape and dtype of `x`, optional
            ``{name}(x)`` with these options, where it is at hand: it saves the exponentials of `x`.
            {from_output}
        out : ndarray, shape and dtype of `x`, optional
            Where the result is written; it may be `x` itself or, where that is given, `output`.

        Returns
        -------
        ndarray, shape and dtype of `x`
        """
        return self._product(self.tangent_product, x, "tangent", tangent, output, axis, where, temperature, out)

    def vjp(
        self,
        x: ArrayLike | None,
        cotangent: ArrayLike,
        /,
        *,
        output: ArrayLike | None = None,
        axis: Axis = -1,
        where: ArrayLike | None = None,
        temperature: float = 1.0,
        out: Floating | None = None,
    ) -> Floating:
        """The gradient of a loss whose gradient by {name}(x) is `cotangent`: {formula}.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call; with `output`, `x` is not read and may be None.
        cotangent : array_like, shape of `x`
        output : array_like, shape and dtype of `x`, optional
            ``{name}(x)`` with these options, where it is at hand: it saves the exponentials of `x`.
            {from_output}
        out : ndarray, shape and dtype of `x`, optional
            Where the result is written; it may be `x` itself or, where that is given, `output`.

        Returns
        -------
        ndarray, shape and dtype of `x`
        """
        return self._product(self.cotangent_product, x, "cotangent", cotangent, output, axis, where, temperature, out)

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
        """The Hessian of <cotangent, {name}(x)> times `vector`: the backward of the backward.

        It is the derivative of `vjp` by `x`, along `vector` or backward from it, the Hessian being symmetric:
        {formula}. That of `vjp` by the cotangent is `jvp`.

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
        """
        logits, axes, mask = row_arguments(x, axis, where)
        divisor = positive_number(temperature, "temperature")
        g = same_shape(cotangent, "cotangent", logits, "x")
        v = same_shape(vector, "vector", logits, "x")
        separate(out, cotangent=g, vector=v, where=mask)
        return self.second_product(logits, g, v, axes, mask, divisor, out)

    def jacobian(
        self, x: ArrayLike, /, *, axis: Axis = -1, where: ArrayLike | None = None, temperature: float = 1.0
    ) -> Floating:
        """The matrix {formula} of each row.

        Parameters
        ----------
        x, axis, where, temperature
            As in the call.

        Returns
        -------
        ndarray, shape (\\*batch, \\*classes, \\*classes), dtype of `x`
            First the axes of `x` that are no class axes, then its class axes twice: result, then argument.
        """
        logits, axes, mask = row_arguments(x, axis, where)
        divisor = positive_number(temperature, "temperature")
        allowed = allowed_rows(mask, axes)
        matrix = self.matrices(probabilities(logits, axes, allowed, divisor), allowed)
        return (matrix / divisor).reshape(jacobian_shape(logits, axes, 2)).astype(logits.dtype)

    def _product(
        self,
        product: Product,
        x: ArrayLike | None,
        name: str,
        vector: ArrayLike,
        output: ArrayLike | None,
        axis: Axis,
        where: ArrayLike | None,
        temperature: float,
        out: Floating | None,
    ) -> Floating:
        """Of `vector`, an argument called `name`."""
        if x is None and type(output) is type(vector) is np.ndarray and _is_plain(axis, where, temperature, out):
            result = np.empty(output.shape, output.dtype) if out is None else out
            if _native.products_of_output_if_plain(product, output, vector, result):
                return result
        read, read_name = (output, "output") if output is not None else (x, "x")
        if read is None:
            raise TypeError("x is None; it may be where output is given")
        rows, axes, mask = row_arguments(read, axis, where, read_name)
        if output is not None and x is not None:
            require_alike(rows, "output", floating_array(x, "x"), "x")
        scale = 1.0 / (divisor := positive_number(temperature, "temperature"))
        v = same_shape(vector, name, rows, read_name)
        separate(out, **{name: v, "where": mask})
        if output is not None:
            return products_of_output(product, rows, v, axes, mask, scale=scale, out=out)
        return row_products(product, rows, v, axes, mask, temperature=divisor, scale=scale, out=out)

    @abstractmethod
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
        """What `hvp` is, of checked arguments."""

    @abstractmethod
    def matrices(self, p: Float64, allowed: NDArray[np.bool_] | None, /) -> Float64:
        """The Jacobians of rows with probabilities p (*batch, K), but for the temperature."""

    def sample_arguments(self, rng: np.random.Generator, dtype: np.dtype[Any]) -> Arguments:
        return (rng.normal(scale=3.0, size=(4, 7)).astype(dtype),), {}


def _is_plain(axis: Axis, where: ArrayLike | None, temperature: float, out: Floating | None) -> bool:
    return (
        where is None
        and (out is None or type(out) is np.ndarray)
        and type(axis) is int
        and axis == -1
        and type(temperature) is float
        and temperature == 1.0
    )
