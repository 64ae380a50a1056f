"""The three products of a linear head, some classes at a time, so that signals are heard and scratch stays small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from softgrad._contracts import Floating

MatrixProduct = Callable[[Floating, Floating, Floating], object]


def in_numpy(a: Floating, b: Floating, out: Floating) -> None:
    """`out` becomes a @ b, by NumPy's BLAS."""
    np.matmul(a, b, out=out)


class Products:
    """Products with rows of hidden, which may be sparse, and with weights, which may be of another dtype.

    Parameters
    ----------
    work : dtype
        Of what is given and made, but for weights.
    at_once : int
        Classes of one product.
    held : int
        Classes of one for which weights are converted or the result is not made where it belongs.
    product : callable
        Makes one of dense matrices.
    """

    def __init__(self, work: np.dtype[Any], at_once: int, held: int, product: MatrixProduct) -> None:
        self._work = work
        self._at_once = at_once
        self._held = held
        self._product = product
        self._kept = np.empty(0, work)

    def logits(self, rows: Any, weight: Floating, out: Floating, *, add: bool = False) -> None:
        """rows @ weight.T becomes `out` or is added to it."""
        for classes in self._class_slices(len(weight), held=add or self._converts(rows, weight)):
            across = self._weights(weight, classes).T
            place = out[:, classes]
            if not isinstance(rows, np.ndarray):
                self._put(rows @ np.ascontiguousarray(across), place, add)
            elif add:
                self._put(self._made(rows, across), place, add)
            else:
                self._product(rows, across, place)

    def by_hidden(self, gradient: Floating, weight: Floating, out: Floating, *, add: bool) -> None:
        """gradient @ weight becomes `out` or is added to it."""
        for classes in self._class_slices(len(weight), held=self._converts(gradient, weight)):
            across = self._weights(weight, classes)
            if add:
                self._put(self._made(gradient[:, classes], across), out, add)
            else:
                self._product(gradient[:, classes], across, out)
            add = True

    def by_weight(self, gradient: Floating, rows: Any, out: Floating, *, add: bool) -> None:
        """gradient.T @ rows becomes `out` or is added to it."""
        # Also where nothing is added: BLAS holds a rearranged copy of as many columns of the gradient.
        for classes in self._class_slices(len(out), held=True):
            down = gradient[:, classes].T
            place = out[classes]
            if not isinstance(rows, np.ndarray):
                self._put((rows.T @ down.T).T, place, add)
            elif add or not place.flags.c_contiguous:
                self._put(self._made(down, rows), place, add)
            else:
                self._product(down, rows, place)

    def _class_slices(self, classes: int, *, held: bool) -> Iterator[slice]:
        width = self._held if held else self._at_once
        return (slice(start, min(start + width, classes)) for start in range(0, classes, width))

    def _converts(self, rows: Any, weight: Floating) -> bool:
        """Whether something is made beside a product of rows with weights."""
        return not isinstance(rows, np.ndarray) or weight.dtype != self._work or not weight.flags.c_contiguous

    def _weights(self, weight: Floating, classes: slice) -> Floating:
        return np.ascontiguousarray(weight[classes], self._work)

    def _made(self, a: Floating, b: Floating) -> Floating:
        """The product in memory that the next one takes again: fresh pages would cost as much as adding it up."""
        size = a.shape[0] * b.shape[1]
        if self._kept.size < size:
            self._kept = np.empty(size, self._work)
        out = self._kept[:size].reshape(a.shape[0], b.shape[1])
        self._product(a, b, out)
        return out

    @staticmethod
    def _put(product: Floating, place: Floating, add: bool) -> None:
        if add:
            np.add(place, product, out=place)
        else:
            place[...] = product
