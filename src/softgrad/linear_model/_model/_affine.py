"""Affine logits of rows, and the transpose: what a change of the logits is by weight and bias."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from softgrad._negligible import least_kept
from softgrad.linear_model._data._rows import Rows

Result = TypeVar("Result")


class Affine(NamedTuple):
    """weight : shape (K, d). bias : shape (K,), None where there is none."""

    weight: NDArray[Any]
    bias: NDArray[Any] | None

    def zeros(self) -> Affine:
        """Zeros of the same shape and order, float64, to add to."""
        bias = None if self.bias is None else np.zeros(len(self.bias))
        return Affine(np.zeros(self.weight.shape, order="F" if self.weight.flags.fnc else "C"), bias)

    def gathered(self, rows: Rows, factors: NDArray[Any]) -> Affine:
        """The derivative of sum_ik factors_ik logits_ik, logits being these of the rows, by weight and bias."""
        by_bias = None if self.bias is None else factors.sum(axis=0, dtype=np.float64)
        return Affine(rows.gather(factors), by_bias)

    def summed(self, add: Callable[..., Result]) -> tuple[Result, Affine]:
        """What a native sum over rows returns, and what it adds: by weight and bias, in the dtype of the weight.

        The weight is in the order that is best for the rows.
        """
        weight, bias = self
        sums = Affine(np.zeros_like(weight), None if bias is None else np.zeros(len(bias)))
        stored, out = (weight.T, sums.weight.T) if weight.flags.fnc else (weight, sums.weight)
        return add(least_kept(weight.dtype), stored, bias, out, sums.bias), sums

    def add(self, part: Affine) -> Affine:
        """The sum of this one and another, in the memory of this one."""
        weight, bias = self
        weight += part.weight
        if bias is not None:
            bias += part.bias
        return self
