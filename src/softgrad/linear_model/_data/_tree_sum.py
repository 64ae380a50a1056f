"""Sums over numbered parts in one binary tree, which are the same whoever adds which parts of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

Total = TypeVar("Total")


class Node(NamedTuple, Generic[Total]):
    """The sum of 2**level parts, the first of which has a multiple of that as its number."""

    level: int
    value: Total


class TreeSum(Generic[Total]):
    """The sum of the nodes that are added, in the order of their parts; the first of all is part 0.

    Two neighbours of one level become one of the next as soon as both are there, so that few are in memory. What is
    left in the end is added from the right.
    """

    def __init__(self, add: Callable[[Total, Total], Total]) -> None:
        self._add = add
        self._nodes: list[Node[Total]] = []

    def append(self, node: Node[Total]) -> None:
        level, value = node
        while self._nodes and self._nodes[-1].level == level:
            value = self._add(self._nodes.pop().value, value)
            level += 1
        self._nodes.append(Node(level, value))

    def total(self) -> Total:
        """Of one part at least."""
        nodes = list(self._nodes)
        total = nodes.pop().value
        while nodes:
            total = self._add(nodes.pop().value, total)
        return total


def whole_nodes(first: int, stop: int) -> list[range]:
    """The fewest nodes whose parts are those from `first` to `stop`, by their parts."""
    nodes = []
    while first < stop:
        size = first & -first if first else 1 << (stop - first).bit_length()
        while first + size > stop:
            size >>= 1
        nodes.append(range(first, first + size))
        first += size
    return nodes
