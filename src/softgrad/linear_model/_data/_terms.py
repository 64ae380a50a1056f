"""Sums over rows, told by what a block of them adds: whoever has the rows can make the sum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

Block = TypeVar("Block")
Total = TypeVar("Total")


class Term(ABC, Generic[Block, Total]):
    """A sum over blocks of rows.

    It consists of arrays and numbers, and can be pickled, so that the rows may be in another process.
    """

    @abstractmethod
    def start(self) -> Total:
        """What the parts are added to; it changes none of them."""

    @abstractmethod
    def part(self, block: Block) -> Total:
        """What a block adds."""

    @abstractmethod
    def add(self, total: Total, part: Total) -> Total:
        """The sum of both, in the memory of the total."""


class ArrayTerm(Term[Block, NDArray[Any]]):
    """A sum of arrays."""

    def add(self, total: NDArray[Any], part: NDArray[Any]) -> NDArray[Any]:
        total += part
        return total


def added(term: Term[Block, Total], parts: Iterable[Total]) -> Total:
    """The sum of the parts, in their order."""
    total = term.start()
    for part in parts:
        total = term.add(total, part)
    return total
