"""How much is taken at a time: rows in a block of logits, classes in a product."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, SupportsIndex

from softgrad._contracts import Int64
from softgrad.losses._linear_cross_entropy._operands import Operands

# What a block of logits may take where the caller does not say.
_BLOCK_BYTES = 128 << 20
_LEAST_BLOCK_BYTES = 4096
# With few classes a block stays in the outer cache while the kernel and the second product read it.
_CACHE_BYTES = 8 << 20
# BLAS rearranges the whole weight, twice, for each block of rows, and the gradient of the weight is read and written
# once: fewer make the products slower, more save little.
_ROWS = 512
# With fewer rows it takes longer than making the logits twice, which is what blocks of classes cost.
_LEAST_ROWS = 64
# A product takes at most so many multiplications, times the bytes of a number: half a second on a busy core, for
# signals wait for its end. Smaller ones are slower, since the threads of BLAS wait for each other in each.
_PRODUCT = 1 << 34
# What is held beside a product, as what is added to the gradient of the weight, stays in cache.
_SCRATCH_BYTES = 8 << 20
_LEAST_CLASSES = 64


class Sizes(NamedTuple):
    """What a call takes at a time."""

    rows: int
    """Rows of a block."""
    classes: int
    """Classes of a block; all of them unless rows of logits do not fit."""
    at_once: int
    """Classes of one product."""
    held: int
    """Classes of a product for which something is held beside operands and result."""


def sizes(
    operands: Operands, block_bytes: SupportsIndex | None, *, numbers: int = 1, whole_rows: bool = False
) -> Sizes:
    """The sizes at which a block takes at most `block_bytes`.

    `numbers`: how many of the dtype of the products there are for each logit. `whole_rows`: a row that does not fit is
    an error.
    """
    bound = _checked(block_bytes)
    rows, classes = operands.shape
    row = numbers * classes * operands.work.itemsize
    fitting = bound // max(1, row)
    if fitting < (1 if whole_rows else min(rows, _LEAST_ROWS)):
        if whole_rows:
            raise ValueError(f"block_bytes is {bound}; what a row needs here is {row}")
        return _of_classes(operands, bound)
    quick = _PRODUCT // (_row_cost(operands) * min(max(1, classes), _LEAST_CLASSES))
    most = max(_ROWS, min(_CACHE_BYTES // max(1, row), quick))
    height = max(1, min(rows, fitting, most))
    return Sizes(height, classes, *_classes_at_once(operands, height))


def _of_classes(operands: Operands, bound: int) -> Sizes:
    # The logits, and in float64: they themselves, their targets, what an option's derivative takes.
    number = operands.work.itemsize + 3 * 8
    height = max(1, min(operands.shape[0], _ROWS, bound // (number * _LEAST_CLASSES)))
    # A column is for the classes outside of the block.
    width = max(1, bound // (number * height) - 1)
    return Sizes(height, min(width, operands.shape[1]), *_classes_at_once(operands, height))


def _classes_at_once(operands: Operands, height: int) -> tuple[int, int]:
    by_time = _PRODUCT // (height * _row_cost(operands))
    # Beside a product stand its result and what BLAS rearranges, columns of the block.
    beside = max(int(operands.weight.shape[1]), height)
    by_memory = _SCRATCH_BYTES // (max(1, beside) * operands.work.itemsize)
    return max(_LEAST_CLASSES, by_time), max(_LEAST_CLASSES, min(by_time, by_memory))


def _row_cost(operands: Operands) -> int:
    return operands.row_cost * operands.work.itemsize


def parts(whole: slice | Int64, most: int) -> Iterator[slice | Int64]:
    """Rows, given as a slice that begins at 0 or as their indices, in as few parts of at most `most` as there can be.

    The parts differ by one row at most, since products with few rows are slow.
    """
    total = count(whole)
    number = -(-total // most)
    cuts = [total * i // number for i in range(number + 1)] if number else []
    return (slice(*cut) if isinstance(whole, slice) else whole[slice(*cut)] for cut in pairwise(cuts))


def count(part: slice | Int64) -> int:
    return part.stop - part.start if isinstance(part, slice) else len(part)


def _checked(block_bytes: SupportsIndex | None) -> int:
    if block_bytes is None:
        return _BLOCK_BYTES
    try:
        bound = operator.index(block_bytes)
    except TypeError:
        raise TypeError(f"block_bytes must be an integer, got {type(block_bytes).__name__}") from None
    if isinstance(block_bytes, bool) or bound < _LEAST_BLOCK_BYTES:
        raise ValueError(f"block_bytes is {block_bytes}; it must be an integer of at least {_LEAST_BLOCK_BYTES}")
    return bound
