"""What is learnt of columns in one pass over parts of them: how numbers are standardised, fills, texts, what is odd."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from softgrad.cli.errors import UserError
from softgrad.cli.learning import MOST_CATEGORIES, Missing, Numbers, Texts
from softgrad.cli.origin import Origin
from softgrad.cli.tables import Words
from tests.oracles.bounds import EPS
from tests.oracles.inputs import fresh_rng

FEW = 1000
CUTS = [1, 5, 15, 700]
ORIGIN = Origin("data.csv")


def numbers_of(
    values: np.ndarray,
    train: np.ndarray | None = None,
    codes: np.ndarray | None = None,
    policy: Missing = "error",
    cuts: Sequence[int] = CUTS,
) -> Numbers:
    """What is learnt of numbers in parts that begin at the first row and at the cuts."""
    train = np.full(len(values), True) if train is None else train
    codes = np.zeros(len(values), np.int64) if codes is None else codes
    learnt = Numbers("x", policy, truths=False)
    arrays = (values, train, codes, 1 + np.arange(len(values)))
    for parts in zip(*(np.split(array, cuts) for array in arrays), strict=True):
        learnt.add(*parts)
    return learnt


def texts_of(
    cells: list[str | None],
    train: np.ndarray | None = None,
    codes: np.ndarray | None = None,
    policy: Missing = "error",
    cuts: Sequence[int] = CUTS,
) -> Texts:
    train = np.full(len(cells), True) if train is None else train
    codes = np.zeros(len(cells), np.int64) if codes is None else codes
    learnt = Texts("x", policy)
    arrays = (np.array(cells, object), train, codes, 1 + np.arange(len(cells)))
    for part, *others in zip(*(np.split(array, cuts) for array in arrays), strict=True):
        vocabulary = sorted({cell for cell in part if cell is not None})
        places = {word: place for place, word in enumerate(vocabulary)} | {None: -1}
        learnt.add(Words(np.array([places[cell] for cell in part], np.int64), vocabulary), *others)
    return learnt


def some_rows() -> tuple[np.random.Generator, np.ndarray]:
    """Which of the few rows are for the training: in one of the parts none is."""
    rng = fresh_rng()
    train = rng.random(FEW) < 0.7
    train[5:15] = False
    return rng, train


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1.0, 1e200, 1e307])
def test_mean_and_deviation_in_parts(scale: float) -> None:
    rng, train = some_rows()
    # Beside the subnormal numbers a multiple of the smallest is lost in each.
    lost = np.finfo(np.float64).smallest_subnormal / scale
    values = (rng.standard_normal(FEW) + 3.0) * rng.choice([0.01, 1.0], FEW) * scale
    column = numbers_of(values, train).column(ORIGIN)
    scaled = values[train] / scale
    assert column.mean / scale == pytest.approx(scaled.mean(), rel=64 * EPS, abs=lost)
    expected = max(scaled.std(), np.finfo(np.float64).tiny / scale)
    assert column.scale / scale == pytest.approx(expected, rel=64 * EPS, abs=lost)


def test_numbers_far_from_zero_keep_their_deviation() -> None:
    values = 1.7e9 + np.arange(1000.0) / 8
    column = numbers_of(values, cuts=range(100, 1000, 100)).column(ORIGIN)
    assert column.scale == pytest.approx(np.arange(1000.0).std() / 8, rel=64 * EPS, abs=0.0)
    constant = numbers_of(np.full(10, 0.1), cuts=[7]).column(ORIGIN)
    assert (constant.mean, constant.scale) == (0.1, 1.0)


def test_numbers_grow_from_part_to_part() -> None:
    """Each part has a larger unit than those before it, or a smaller one."""
    values = np.repeat(10.0 ** np.arange(-150.0, 150.0, 10.0), 5) * np.tile([1.0, 2.0, 3.0, 4.0, 6.0], 30)
    for ordered in (values, values[::-1]):
        column = numbers_of(ordered, cuts=range(5, len(values), 5)).column(ORIGIN)
        assert column.mean == pytest.approx(values.mean(), rel=64 * EPS, abs=0.0)
        assert column.scale == pytest.approx(values.std(), rel=64 * EPS, abs=0.0)


def test_zeros_come_before_small_numbers() -> None:
    """Nor do these vanish in the units of zeros, which have none."""
    values = np.concatenate([np.zeros(20), [1e-200, 3e-200]])
    for ordered in (values, values[::-1]):
        column = numbers_of(ordered, cuts=[2, 20]).column(ORIGIN)
        assert column.mean == pytest.approx(4e-200 / 22, rel=64 * EPS, abs=0.0)
        assert column.scale / 1e-200 == pytest.approx((values / 1e-200).std(), rel=64 * EPS, abs=0.0)


# With more than 1.5e308 the largest less the mean would be beyond the range of float64 now and then.
@pytest.mark.parametrize("scale", [1.0, 5e-324, 1.0 / 3.0, 1.5e308 / 4])
@pytest.mark.parametrize("even", [False, True])
def test_fills_of_numbers(scale: float, even: bool) -> None:
    """From the training rows that have a value; the median and the most frequent are exact."""
    rng, train = some_rows()
    values = rng.integers(-4, 5, FEW) * scale
    values[rng.random(FEW) < 0.2] = np.nan
    if train[~np.isnan(values)].sum() % 2 == even:
        train[np.flatnonzero(train & ~np.isnan(values))[0]] = False
    counted = values[train & ~np.isnan(values)].tolist()
    assert len(counted) % 2 == (not even)
    counts = Counter(counted)
    assert numbers_of(values, train, policy="median").fill() == float(statistics.median(map(Fraction, counted)))
    mode = min(value for value in counts if counts[value] == max(counts.values()))
    assert numbers_of(values, train, policy="most-frequent").fill() == mode
    mean = numbers_of(values, train, policy="mean").column(ORIGIN)
    assert mean.fill == mean.mean
    for policy in ("error", "drop"):
        assert numbers_of(values, train, policy=policy).column(ORIGIN).fill is None


@pytest.mark.parametrize("scale", [1.0, 5e-324, 1.0 / 3.0, 1.7e308 / 4])
@pytest.mark.parametrize("values", [[3], [4, 1], [1, 3], [3, 2], [-4, 4], [1, -2], [3, 3, 4, -4], [1, 2, 4], [4, 1, 1]])
def test_the_median_is_rounded_once(values: list[int], scale: float) -> None:
    scaled = np.array(values) * scale
    expected = float(statistics.median(map(Fraction, scaled.tolist())))
    assert numbers_of(scaled, policy="median", cuts=[1]).fill() == expected


def test_of_equally_frequent_ones_the_least() -> None:
    assert numbers_of(np.array([3.0, 1.0, 2.0, 1.0, 2.0, 3.0, 0.0]), policy="most-frequent", cuts=[2, 3]).fill() == 1.0
    assert texts_of(list("cabbacd"), policy="mean", cuts=[2, 3]).column(ORIGIN).fill == "a"


def test_what_is_told_of_numbers() -> None:
    """Of all rows, not of those for the training alone."""
    values = np.array([np.nan, 2.0, -7.0, 5.0, 5.0, np.nan, -7.0, 0.25])
    train = np.array([True, True, False, True, False, True, False, True])
    learnt = numbers_of(values, train, cuts=[1, 4])
    assert (learnt.rows, learnt.missing, learnt.example) == (8, 2, "2")
    assert (learnt.least, learnt.most) == ((-7.0, 3), (5.0, 5))
    assert learnt.average == pytest.approx((2.0 + 5.0 + 0.25) / 3, rel=4 * EPS, abs=0.0)


def test_the_row_of_a_number_that_is_too_large() -> None:
    values = np.zeros(8)
    values[:4] = [0.0, 1.0, 0.0, 1.0]
    values[5] = -1.7e308
    values[:4] *= 1e-3
    with pytest.raises(UserError, match=r"^data\.csv, column 'x', row 6: too large to standardise$"):
        numbers_of(values, np.arange(8) < 4, cuts=[3]).column(ORIGIN)


@pytest.mark.parametrize("policy", ["error", "mean", "most-frequent"])
def test_no_value_in_the_training_rows(policy: Missing) -> None:
    train = np.array([True, False])
    message = "^data.csv: column 'x' has no value in the rows for the training; --drop x leaves it out$"
    with pytest.raises(UserError, match=message):
        numbers_of(np.array([np.nan, 1.0]), train, policy=policy, cuts=[]).column(ORIGIN)
    with pytest.raises(UserError, match=message):
        texts_of([None, "a"], train, policy=policy, cuts=[]).column(ORIGIN)


@pytest.mark.parametrize(
    ("first", "step", "counts"), [(0, 1, True), (1, 1, True), (17, 1, True), (1, 2, False), (0, 0, False)]
)
def test_numbers_that_count_the_rows(first: int, step: int, counts: bool) -> None:
    values = first + step * np.arange(float(FEW))
    assert numbers_of(values).counts_the_rows == counts
    for row in (0, 1, 6, 999):
        for other in (np.nan, -1.0):
            odd = values.copy()
            odd[row] = other
            assert not numbers_of(odd).counts_the_rows


def test_numbers_that_number_the_rows() -> None:
    rng = fresh_rng()
    shuffled = 500.0 + rng.permutation(FEW + 40)[:FEW]
    assert numbers_of(shuffled).numbers_the_rows
    assert not numbers_of(shuffled).counts_the_rows
    twice = shuffled.copy()
    twice[-1] = twice[0]
    for other in (twice, shuffled + 0.5, 3.0 * shuffled):
        assert not numbers_of(other).numbers_the_rows


def test_numbers_that_tell_the_class() -> None:
    rng = fresh_rng()
    codes = rng.integers(0, 3, FEW)
    codes[:3] = 0, 1, 2
    values = np.array([5.0, -1.0, 2.0])[codes] + rng.uniform(0.0, 1.0, FEW)
    values[rng.integers(0, FEW, 5)] = np.nan
    assert numbers_of(values, codes=codes).tells_the_class
    # Classes that meet in one value are not told apart by it.
    values[codes == 2] = np.nan
    values[[0, 1]] = 3.0
    assert not numbers_of(values, codes=codes).tells_the_class
    assert not numbers_of(values, codes=np.zeros(FEW, np.int64)).tells_the_class


def test_texts_in_parts() -> None:
    """The categories are those of training rows; how many there are, of all."""
    rng, train = some_rows()
    cells: list[str | None] = [f"t{number}" for number in rng.integers(0, 50, FEW).tolist()]
    for row in rng.integers(0, FEW, 30).tolist():
        cells[row] = None
    cells[5:8] = ["test alone", "test alone", "z"]
    learnt = texts_of(cells, train, policy="median")
    counted = Counter(cell for cell, counts in zip(cells, train, strict=True) if counts and cell is not None)
    assert learnt.trained == counted
    assert (learnt.rows, learnt.missing, learnt.different) == (FEW, cells.count(None), len({*cells} - {None}))
    column = learnt.column(ORIGIN)
    assert list(column.categories) == sorted(counted)
    assert "test alone" not in column.categories
    assert column.fill == min(text for text in counted if counted[text] == max(counted.values()))
    assert texts_of(cells, train, policy="drop").column(ORIGIN).fill is None


def test_texts_that_tell_the_class() -> None:
    codes = fresh_rng().integers(0, 3, FEW)
    cells = [f"{'abc'[code]}{row % 4}" for row, code in enumerate(codes.tolist())]
    assert texts_of(cells, codes=codes).tells_the_class
    for row in (0, 4, 6, 999):
        odd = codes.copy()
        odd[row] = (odd[row] + 1) % 3
        assert not texts_of(cells, codes=odd).tells_the_class
    # A text of its own for each row tells nothing of other rows, nor does a single one.
    assert not texts_of([str(row) for row in range(FEW)], codes=codes).tells_the_class
    assert not texts_of(["a"] * FEW, codes=codes).tells_the_class


@pytest.mark.parametrize("cuts", [[], [1], [500, 501], list(range(100, 1001, 100))], ids=len)
def test_the_most_texts_that_can_be_encoded(cuts: list[int]) -> None:
    cells: list[str | None] = [f"t{number}" for number in range(MOST_CATEGORIES)]
    assert texts_of(cells, cuts=cuts).column(ORIGIN).width == MOST_CATEGORIES
    with pytest.raises(UserError, match=r"^data\.csv: column 'x' holds more than 1000 different texts, "):
        texts_of([*cells, "more"], cuts=cuts).column(ORIGIN)
