"""Labels are numbered in the order of the rows, however these come in parts, and classes are in their own order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from softgrad.cli.errors import UserError
from softgrad.cli.labels_found import FoundLabels
from softgrad.cli.tables import Labels, Words
from tests.oracles.inputs import fresh_rng


def words(cells: list[str]) -> Words:
    vocabulary = sorted(set(cells))
    return Words(np.array([vocabulary.index(cell) for cell in cells], np.int64), vocabulary)


def as_labels(cells: list[object]) -> Labels:
    return words(cells) if isinstance(cells[0], str) else np.array(cells)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pool",
    [["yak", "cat", "newt", "å", ""], [3, -7, 2**62, 0, 2**53 + 1], [True, False]],
    ids=["text", "integer", "boolean"],
)
@pytest.mark.parametrize("length", [1, 3, 50, 300])
def test_numbers_in_the_order_of_the_rows(pool: list[object], length: int) -> None:
    rng = fresh_rng()
    cells = [pool[place] for place in rng.integers(0, len(pool), 300).tolist()]
    cells[-len(pool) :] = pool
    found = FoundLabels("data.csv", "kind", ())
    codes = np.concatenate([found.add(as_labels(cells[start : start + length])) for start in range(0, 300, length)])
    in_order = list(dict.fromkeys(cells))
    assert found.labels == in_order
    assert [type(label) for label in found.labels] == [type(label) for label in in_order]
    assert codes.tolist() == [in_order.index(cell) for cell in cells]
    kind = {str: "text", int: "integer", bool: "boolean"}[type(pool[0])]
    classes = found.classes(kind)
    assert list(classes.labels) == sorted(set(cells))
    assert classes.kind == kind
    assert found.counts == Counter(cells)
    assert list(found.counts) == in_order


def test_a_part_without_rows() -> None:
    found = FoundLabels("data.csv", "kind", ())
    assert found.add(np.array([5, 4])).tolist() == [0, 1]
    assert found.add(np.empty(0, np.int64)).tolist() == []
    assert found.add(np.array([4])).tolist() == [1]


@pytest.mark.parametrize("kind", [int, str])
@pytest.mark.parametrize("length", [7, 1001])
def test_too_many(kind: type, length: int) -> None:
    cells = [kind(number) for number in range(1001)]
    found = FoundLabels("data.csv", "kind", ())
    for start in range(0, 1000 - length, length):
        found.add(as_labels(cells[start : start + length]))
    with pytest.raises(UserError, match=r"^data\.csv: target 'kind' has more than 1000 different values; "):
        found.add(as_labels(cells))
    most = FoundLabels("data.csv", "kind", ())
    most.add(as_labels(cells[:1000]))
    assert len(most.classes("text").labels) == 1000


@pytest.mark.parametrize(("cells", "shown"), [(["a", "a"], "'a'"), ([3], "3"), ([True] * 3, "True")])
def test_a_single_one(cells: list[object], shown: str) -> None:
    found = FoundLabels("data.csv", "kind", ())
    found.add(as_labels(cells))
    with pytest.raises(UserError, match=f"^data.csv: target 'kind' has a single class, {shown}; two are needed$"):
        found.classes("text")
