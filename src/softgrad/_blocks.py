"""Arrays worked on in blocks of rows: temporaries that stay in cache, and do not grow with the arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from softgrad._chunks import CHUNK
from softgrad._contracts import round_to, row_size, shape_without


@dataclass(frozen=True)
class Block:
    """Neighbouring rows, in C order of the batch axes, of any array of one shape."""

    order: tuple[int, ...]
    """The axes of the arrays, those of the classes last."""
    classes: int
    """How many axes of classes there are."""
    place: tuple[Any, ...]
    """Which rows, as an index into the batch axes."""
    part: slice
    """Which rows, counted flat."""

    def view(self, array: NDArray[Any]) -> NDArray[Any]:
        """These rows of an array, without a copy, its class axes last."""
        view: NDArray[Any] = array.transpose(self.order)[self.place]
        return view

    def class_axes(self, view: NDArray[Any]) -> tuple[int, ...]:
        return tuple(range(view.ndim - self.classes, view.ndim))

    def rows(self, array: NDArray[Any], dtype: DTypeLike = np.float64, *, copy: bool = True) -> NDArray[Any]:
        """These rows of an array as (*batch, K), contiguous; without `copy` they may be the array's own."""
        view = self.view(array)
        first = view.ndim - self.classes
        return view.reshape(*view.shape[:first], math.prod(view.shape[first:])).astype(dtype, order="C", copy=copy)

    def numbers(self, array: NDArray[Any]) -> NDArray[Any]:
        """These rows of an array that has one number for each, (*batch,), without a copy."""
        numbers: NDArray[Any] = array[self.place]
        return numbers

    def write(self, values: NDArray[Any], result: NDArray[Any]) -> None:
        """These rows of an array become (*batch, K), rounded to its dtype."""
        view = self.view(result)
        view[...] = round_to(values, result.dtype).reshape(view.shape)


def whole(ndim: int, axes: tuple[int, ...]) -> Block:
    """All rows in one."""
    order = (*(d for d in range(ndim) if d not in axes), *axes)
    return Block(order, len(axes), (...,), slice(None))


def class_rows(array: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """A copy of the array in float64 as (*batch, K), its class axes flattened into the last."""
    return whole(array.ndim, axes).rows(array)


def blocks(shape: tuple[int, ...], axes: tuple[int, ...], row: int | None = None) -> Iterator[Block]:
    """All rows of arrays of that shape, in C order, as many in a block as make a chunk; one at least.

    `row`: how many numbers of a chunk a row takes, for temporaries of another size than the row.
    """
    batch = shape_without(shape, axes)
    room = max(1, CHUNK // max(1, row_size(shape, axes) if row is None else row))
    # The axes that fit into a block whole; the one before them is cut.
    cut, rest = len(batch), 1
    while cut > 0 and rest * batch[cut - 1] <= room:
        cut -= 1
        rest *= batch[cut]
    everything = whole(len(shape), axes)
    if cut == 0:
        yield everything
        return
    size, step = batch[cut - 1], max(1, room // rest)
    for number, outer in enumerate(np.ndindex(batch[: cut - 1])):
        for start in range(0, size, step):
            stop = min(start + step, size)
            part = slice((number * size + start) * rest, (number * size + stop) * rest)
            yield replace(everything, place=(*outer, slice(start, stop), ...), part=part)
