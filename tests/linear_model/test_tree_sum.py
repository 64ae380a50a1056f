"""Parts that are added in one binary tree: whoever adds which of them, the sum is the same."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest

from softgrad.linear_model._data._tree_sum import Node, TreeSum, whole_nodes
from tests.oracles.inputs import fresh_rng


def paired(left: str, right: str) -> str:
    """A sum that shows what was added to what."""
    return f"({left}{right})"


def tree_of(nodes: Iterable[Node[str]]) -> str:
    tree: TreeSum[str] = TreeSum(paired)
    for node in nodes:
        tree.append(node)
    return tree.total()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("a", "a"),
        ("ab", "(ab)"),
        ("abc", "((ab)c)"),
        ("abcdef", "(((ab)(cd))(ef))"),
        ("abcdefg", "(((ab)(cd))((ef)g))"),
        ("abcdefgh", "(((ab)(cd))((ef)(gh)))"),
    ],
)
def test_neighbours_are_added(parts: str, expected: str) -> None:
    assert tree_of(Node(0, part) for part in parts) == expected


def test_the_tree_does_not_depend_on_who_adds_which_parts() -> None:
    rng = fresh_rng()
    for count in (*range(1, 70), 1000):
        expected = tree_of(Node(0, f"{number}.") for number in range(count))
        cuts = sorted({0, count, *rng.integers(count, size=rng.integers(1, 9)).tolist()})
        nodes = []
        for first, stop in pairwise(cuts):
            for node in whole_nodes(first, stop):
                level = len(node).bit_length() - 1
                nodes.append(Node(level, tree_of(Node(0, f"{number}.") for number in node)))
        assert tree_of(nodes) == expected


def test_few_nodes_are_handed_over() -> None:
    for first in range(40):
        for stop in range(first, 140):
            nodes = whole_nodes(first, stop)
            assert [number for node in nodes for number in node] == list(range(first, stop))
            assert all(len(node).bit_count() == 1 and node.start % len(node) == 0 for node in nodes)
            assert len(nodes) <= 2 * (stop - first).bit_length()
