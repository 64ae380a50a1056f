"""Which rows are for the training: a share of each class, by chance, however the rows are cut into parts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from softgrad.cli.division import Division
from tests.oracles.inputs import fresh_rng

FRACTIONS = [0.01, 0.1, 0.2, 0.3, 0.37, 0.5, 0.51, 2 / 3, 0.8, 0.9, 0.999]
LABELS = ["cat", "newt", "yak", "zebra"]


def some_codes(rows: int = 3000) -> np.ndarray:
    """Classes of very different sizes, the last of them a single row."""
    codes = fresh_rng().choice(3, rows, p=[0.7, 0.28, 0.02])
    codes[rows // 2] = 3
    return codes


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_it_is_the_same_however_the_rows_are_cut(fraction: float) -> None:
    codes, rng = some_codes(), fresh_rng()
    whole = Division(fraction, 7).train(LABELS, codes)
    division, parts = Division(fraction, 7), []
    cuts = np.sort(rng.integers(0, len(codes) + 1, 40)).tolist()
    for start, stop in pairwise([0, *cuts, len(codes)]):
        # Labels are numbered as they are found, so their numbers may change from part to part.
        order = rng.permutation(len(LABELS))
        parts.append(division.train([LABELS[code] for code in order], np.argsort(order)[codes[start:stop]]))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_it_is_the_same_from_any_row_on(fraction: float) -> None:
    codes, rng = some_codes(), fresh_rng()
    whole = Division(fraction, 7).train(LABELS, codes)
    for first in (0, 1, 2, 1500, 2999, *rng.integers(0, len(codes), 40).tolist()):
        before = {label: int((codes[:first] == code).sum()) for code, label in enumerate(LABELS)}
        rest = Division(fraction, 7, before)
        np.testing.assert_array_equal(rest.train(LABELS, codes[first:]), whole[first:])


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("labels", [LABELS, [3, -1, 0, 2**62], [True, False]], ids=["text", "integer", "boolean"])
def test_each_class_has_its_share_in_both(fraction: float, labels: list[object]) -> None:
    codes = some_codes() % len(labels)
    for seed in range(5):
        train = Division(fraction, seed).train(labels, codes)
        for code in range(len(labels)):
            of_class = train[codes == code]
            assert of_class[0], "the first row of a class is for the training"
            rare = min(fraction, 1.0 - fraction)
            # The edges of what one row is drawn of are whole numbers, so that half of one may count here or there.
            assert abs((~of_class).sum() - fraction * len(of_class)) <= 1.0 + 0.5 * rare


@pytest.mark.parametrize(("fraction", "window"), [(0.1, 10), (0.2, 5), (0.25, 4), (0.5, 2), (0.75, 4), (0.9, 10)])
def test_of_every_few_rows_one_is_drawn(fraction: float, window: int) -> None:
    drawn = Division(fraction, 3).train(["a"], np.zeros(5000 * window, np.int64)).reshape(-1, window)
    rare = ~drawn if fraction <= 0.5 else drawn
    assert (rare.sum(axis=1) == 1).all()
    # Six standard deviations of a binomial around the share of each place.
    spread = 6.0 * np.sqrt(5000 / window * (1.0 - 1.0 / window))
    assert (np.abs(rare.sum(axis=0) - 5000 / window) <= spread).all()


def test_the_seed_and_the_class_decide() -> None:
    codes = np.zeros(1000, np.int64)
    drawn = [Division(0.3, seed).train([label], codes).tobytes() for seed in range(4) for label in ("a", "b", 1, True)]
    assert len(set(drawn)) == len(drawn)
    assert Division(0.3, 2).train([1], codes).tobytes() == drawn[2 * 4 + 2]


def test_other_classes_do_not_matter() -> None:
    codes = some_codes()
    whole = Division(0.4, 1).train(LABELS, codes)
    alone = Division(0.4, 1).train(LABELS, codes[codes == 1])
    np.testing.assert_array_equal(whole[codes == 1], alone)


def test_without_a_test() -> None:
    assert Division(0.0, 1).train(LABELS, some_codes()).all()
