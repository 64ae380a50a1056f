"""stability: where digits are lost follows from the roundings; SoftmaxLoss loses none."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from softgrad.examples import stability
from tests.examples.results import result_of
from tests.oracles.bounds import printed

LARGER, SMALLER = stability.CASES
TEXTBOOK, TWO_LAYERS, ONE_LAYER = stability.TEXTBOOK, stability.TWO_LAYERS, stability.ONE_LAYER


def curve(case: str, quantity: str, layers: str, dtype: str) -> stability.Curve:
    found = [
        c
        for c in result_of("stability").curves
        if (c.case, c.quantity, c.layers, c.dtype) == (case, quantity, layers, dtype)
    ]
    assert len(found) == 1
    return found[0]


def first_gap_below(power_of_two: int) -> int:
    """The first whole gap g with exp(-g) < 2^-power_of_two."""
    return math.ceil(power_of_two * math.log(2.0))


@pytest.mark.parametrize(("dtype", "bits"), [("float32", 24), ("float64", 53)])
def test_a_confident_row_loses_its_loss_where_1_plus_exp_rounds_to_1(dtype: str, bits: int) -> None:
    # The textbook divides by 1 + exp(-g); nn rounds the quotient once, to a number next to 1 of half the spacing.
    assert curve(LARGER, "loss", TEXTBOOK, dtype).no_digit_from == first_gap_below(bits)
    assert curve(LARGER, "gradient", TEXTBOOK, dtype).no_digit_from == first_gap_below(bits)
    assert curve(LARGER, "loss", TWO_LAYERS, dtype).no_digit_from == first_gap_below(bits + 1)
    assert curve(LARGER, "gradient", TWO_LAYERS, dtype).no_digit_from is None


@pytest.mark.parametrize("layers", [TEXTBOOK, TWO_LAYERS])
def test_a_wrong_row_overflows_in_float32(layers: str) -> None:
    # exp(-g) rounds to 0 below half the smallest subnormal, 2^-149; 1 / p overflows already from 2^128 on.
    loss, gradient = curve(SMALLER, "loss", layers, "float32"), curve(SMALLER, "gradient", layers, "float32")
    assert (loss.inf_from, loss.nan_from) == (first_gap_below(150), None)
    assert gradient.nan_from == first_gap_below(128)
    assert gradient.no_digit_from == gradient.nan_from
    for quantity in stability.QUANTITIES:
        found = curve(SMALLER, quantity, layers, "float64")
        assert (found.inf_from, found.nan_from, found.no_digit_from) == (None, None, None)


@pytest.mark.parametrize("case", stability.CASES)
@pytest.mark.parametrize("quantity", stability.QUANTITIES)
@pytest.mark.parametrize(("dtype", "ulps"), [("float32", 3), ("float64", 4)])
def test_softmax_loss_keeps_its_digits(case: str, quantity: str, dtype: str, ulps: int) -> None:
    found = curve(case, quantity, ONE_LAYER, dtype)
    assert found.digits.min() >= -math.log10(ulps * np.finfo(dtype).eps)
    assert (found.inf_from, found.nan_from, found.no_digit_from) == (None, None, None)


@pytest.mark.parametrize("gap", [1, 37, 200])
@pytest.mark.parametrize("label", [0, 1])
def test_the_exact_values_by_other_formulas(gap: int, label: int) -> None:
    with mpmath.workdps(60):
        rest = mpmath.exp(-gap)
        # The probability of the other class.
        other = (rest if label == 0 else 1) / (1 + rest)
        expected = [mpmath.log1p(rest) + label * gap, -other if label == 0 else other, other if label == 0 else -other]
        loss, gradient = stability.exact(gap, label)
        for found, true in zip([*loss, *gradient], expected, strict=True):
            assert abs(found / true - 1) < mpmath.mpf(10) ** -30


@pytest.mark.parametrize(
    ("value", "truth", "digits"),
    [
        (1.0, "1", 7.22),
        (1.001, "1", 3.0),
        (0.0, "1e-30", 0.0),
        (0.0, "1e-50", 7.22),
        (-1.0, "1", 0.0),
        (np.inf, "1", 0.0),
        (np.nan, "1", 0.0),
    ],
)
def test_how_digits_are_counted(value: float, truth: str, digits: float) -> None:
    right = stability.correct_digits(np.array([value, 2.0]), [mpmath.mpf(truth), mpmath.mpf(2)], "float32")
    assert right == pytest.approx(digits, abs=printed(2, 10.0))
