"""What is learnt of shards, each by itself, is merged to what one pass over all of them learns."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pytest

from softgrad.cli import learning
from softgrad.cli.kinds import Cells, add_batch
from softgrad.cli.learning import Missing, Numbers, Texts
from softgrad.cli.origin import Origin
from softgrad.cli.shard_learning import Counts
from softgrad.cli.tables import Words
from softgrad.linear_model._data._read_options import ReadOptions
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng

ROWS = 600
Learnt = TypeVar("Learnt", Numbers, Texts, Cells)


def cuts(rng: np.random.Generator, stop: int, count: int) -> list[tuple[int, int]]:
    """Neighbouring ranges, none empty."""
    inner = np.sort(rng.choice(np.arange(1, stop), min(count, stop - 1), replace=False)).tolist()
    return list(pairwise([0, *inner, stop]))


def merged(shards: Sequence[Learnt]) -> Learnt:
    def merge(whole: Learnt, other: Learnt) -> Learnt:
        whole.merge(other)
        return whole

    return reduce(merge, (pickle.loads(pickle.dumps(shard)) for shard in shards))


def learnt_twice(
    rng: np.random.Generator, make: Callable[[], Learnt], add: Callable[[Learnt, int, int], None]
) -> tuple[Learnt, Learnt]:
    """Of shards that are merged, and of one pass over the parts of all."""
    whole, shards = make(), []
    for first, last in cuts(rng, ROWS, 5):
        shard = make()
        for start, stop in cuts(rng, last - first, 3) if last - first > 1 else [(0, 1)]:
            for learnt in (shard, whole):
                add(learnt, first + start, first + stop)
        shards.append(shard)
    return merged(shards), whole


def numbers_twice(
    rng: np.random.Generator, values: np.ndarray, codes: np.ndarray, train: np.ndarray, policy: Missing
) -> tuple[Numbers, Numbers]:
    def add(learnt: Numbers, start: int, stop: int) -> None:
        rows = slice(start, stop)
        learnt.add(values[rows], train[rows], codes[rows], 1 + np.arange(start, stop))

    return learnt_twice(rng, lambda: Numbers("x", policy, truths=False), add)


def some_numbers(rng: np.random.Generator, kind: str) -> np.ndarray:
    codes = np.arange(ROWS) % 3
    values: dict[str, np.ndarray] = {
        "any": rng.standard_normal(ROWS) * 10.0 ** rng.integers(-150, 150, ROWS),
        "near each other": 1.7e9 + rng.random(ROWS),
        "few": rng.integers(-3, 4, ROWS) / 3,
        "counting": 17.0 + np.arange(ROWS),
        "counting anew": np.arange(ROWS) % 300 * 1.0,
        "identifiers": 9.0 + rng.permutation(ROWS + 50)[:ROWS],
        "telling": 10.0 * codes + rng.random(ROWS),
        "zeros first": np.where(np.arange(ROWS) < 400, 0.0, 1e-200 * rng.random(ROWS)),
        "missing first": np.where(np.arange(ROWS) < 400, np.nan, rng.random(ROWS)),
    }
    if kind in ("any", "few", "identifiers"):
        values[kind][rng.random(ROWS) < 0.1] = np.nan
    return values[kind]


@pytest.mark.parametrize("policy", ["error", "median", "most-frequent"])
@pytest.mark.parametrize("kind", [
    "any", "near each other", "few", "counting", "counting anew", "identifiers", "telling", "zeros first",
    "missing first",
])  # fmt: skip
def test_numbers(kind: str, policy: Missing) -> None:
    rng = fresh_rng()
    values, train = some_numbers(rng, kind), rng.random(ROWS) < 0.7
    train[-1] = True
    found, whole = numbers_twice(rng, values, np.arange(ROWS) % 3, train, policy)
    for name in (
        "rows", "missing", "example", "least", "most", "counts_the_rows", "numbers_the_rows", "tells_the_class"
    ):  # fmt: skip
        assert getattr(found, name) == getattr(whole, name), name
    assert found.counts_the_rows == (kind == "counting")
    assert found.numbers_the_rows == (kind in ("counting", "identifiers"))
    assert found.tells_the_class == (kind == "telling")
    counted = values[train & ~np.isnan(values)]
    moments = found.training
    assert (moments.count, moments.low, moments.high) == (len(counted), counted.min(), counted.max())
    scale = np.abs(counted).max()
    exact = [Fraction(value) for value in counted.tolist()]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact) / Fraction(scale) ** 2
    assert abs(Fraction(moments.average) - mean) <= 64 * EPS * scale
    deviation = float(np.sqrt(float(variance)))
    # The mean is rounded in units of the largest.
    assert moments.deviation / scale == pytest.approx(deviation, rel=64 * EPS, abs=64 * EPS)
    if policy != "error":
        assert found.fill() == whole.fill()


@pytest.mark.parametrize(("second", "counts"), [(303.0, True), (302.0, False), (0.0, False)])
def test_numbers_that_count_the_rows_of_each_shard(second: float, counts: bool) -> None:
    shards = []
    for first, row in ((3.0, 1), (second, 301)):
        shard = Numbers("x", "error", truths=False)
        shard.add(first + np.arange(300), np.full(300, True), np.zeros(300, np.int64), row + np.arange(300))
        assert shard.counts_the_rows
        shards.append(shard)
    assert merged(shards).counts_the_rows == counts


def test_numbers_of_many_rows_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What travels of a shard would be its column."""
    monkeypatch.setattr(learning, "_MOST_NUMBERED", ROWS)
    sizes = []
    for more in (0, 1):
        shards = []
        for first in (0, 300):
            shard = Numbers("x", "error", truths=False)
            rows = 1 + more + first + np.arange(300)
            shard.add(1.0 * rows[::-1], np.full(300, True), np.zeros(300, np.int64), rows)
            shards.append(shard)
        sizes.append(len(pickle.dumps(shards[1])))
        assert merged(shards).numbers_the_rows == (not more)
    assert sizes[0] > 8 * 300 > sizes[1]


def test_texts() -> None:
    rng = fresh_rng()
    codes, train = rng.integers(0, 3, ROWS), rng.random(ROWS) < 0.7
    train[:2] = True
    for cells in (
        [f"t{number}" if number else None for number in rng.integers(0, 10, ROWS).tolist()],
        [f"{'abc'[code]}{row % 4}" if row % 7 else None for row, code in enumerate(codes.tolist())],
        ["t"] * ROWS,
    ):

        def add(learnt: Texts, start: int, stop: int, cells: list[str | None] = cells) -> None:
            vocabulary = sorted({cell for cell in cells[start:stop] if cell is not None})
            words = [-1 if cell is None else vocabulary.index(cell) for cell in cells[start:stop]]
            rows = slice(start, stop)
            learnt.add(Words(np.array(words), vocabulary), train[rows], codes[rows], 1 + np.arange(start, stop))

        found, whole = learnt_twice(rng, lambda: Texts("x", "mean"), add)
        for name in ("rows", "missing", "example", "trained", "different", "most_frequent", "tells_the_class"):
            assert getattr(found, name) == getattr(whole, name), name
        assert list(found.texts) == list(whole.texts)
        assert found.tells_the_class == (cells[1] is not None and cells[1][0] in "abc")
        assert found.column(Origin("data")) == whole.column(Origin("data"))


def test_too_many_texts_of_all_shards() -> None:
    """None of them has too many; and of one that has, no more is kept than shows it."""

    def shard(first: int, stop: int) -> Texts:
        learnt = Texts("x", "error")
        count = stop - first
        words = Words(np.arange(count), sorted(f"t{number}" for number in range(first, stop)))
        learnt.add(words, np.full(count, True), np.zeros(count, np.int64), 1 + np.arange(count))
        learnt.forget_too_many()
        return learnt

    most = learning.MOST_CATEGORIES
    assert not merged([shard(0, most - 1), shard(1, most)]).too_many
    assert merged([shard(0, most - 1), shard(1, most + 1)]).too_many
    alone = shard(0, 50 * most)
    assert alone.too_many
    assert not shard(0, most).too_many
    assert (alone.rows, alone.different, alone.trained.total()) == (50 * most, most + 1, 0)
    assert merged([shard(0, 3), alone, shard(0, 3)]).too_many


@pytest.mark.parametrize(
    "pool",
    [
        ["1", "2", "-3", None],
        ["1", "07", "NA", "2.5"],
        ["12 kg", "13 kg", "9", "many", None],
        ["many", "07", "12"],
        ["true", "False", "n/a"],
        ["2020-01-02", "2021-03-04", "never"],
        ["2020-01-02", "3.4.2021", None],
        [None],
        ["NA", None],
    ],
    ids=str,
)
@pytest.mark.parametrize("sorted_by_kind", [False, True])
def test_cells(pool: list[str | None], sorted_by_kind: bool) -> None:
    """The next kind of cell may begin anywhere, also where a shard does."""
    rng = fresh_rng()
    for _ in range(10):
        places = rng.integers(0, len(pool), ROWS)
        cells = [pool[place] for place in (np.sort(places) if sorted_by_kind else places).tolist()]

        def add(learnt: Cells, start: int, stop: int, cells: list[str | None] = cells) -> None:
            add_batch([learnt], [pa.array(cells[start:stop], pa.string())])

        found, whole = learnt_twice(rng, lambda: Cells(ReadOptions()), add)
        assert found.kind == whole.kind
        # Of columns that are not of integers they are not all counted.
        found.integers = whole.integers
        assert found == whole


def test_counts_are_in_the_order_of_the_rows() -> None:
    rng = fresh_rng()
    labels = rng.integers(0, 9, ROWS).tolist()
    total = Counts(0, {})
    for first, last in cuts(rng, ROWS, 7):
        part = labels[first:last]
        total = total.then(Counts(last - first, {label: part.count(label) for label in dict.fromkeys(part)}))
    assert total == (ROWS, {label: labels.count(label) for label in range(9)})
    assert list(total.labels) == list(dict.fromkeys(labels))
