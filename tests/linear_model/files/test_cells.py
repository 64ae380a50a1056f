"""Cells of text as numbers, compared with Python's own."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from softgrad.linear_model._data import _cells
from softgrad.linear_model._data._cells import NotNumberError, numbers
from tests.oracles.inputs import fresh_rng


@pytest.mark.parametrize(
    "word", ["0", "-1", "+1", "1.5", ".5", "5.", "-1e-3", "1E+5", "9007199254740993", "123456789012345678901"]
)
def test_what_a_number_is(word: str) -> None:
    assert numbers(pa.array([word])).to_pylist() == [float(word)]


@pytest.mark.parametrize("word", ["", ".", "-", "1,5", "1_000", "0x10", "1 2", "12 %", "--1", "1d3", "\u0661"])
def test_what_a_number_is_not(word: str) -> None:
    for decimal, thousands in [(".", None), (".", "'"), (";", None)]:
        with pytest.raises(NotNumberError, match=re.escape(f"cell 1 is {word!r}; it must be a number")) as error:
            numbers(pa.array(["1", word, "x"]), decimal, thousands)
        assert (error.value.position, error.value.cell) == (1, word)


@pytest.mark.parametrize(("decimal", "thousands"), [(".", ","), (",", "."), (",", " "), (".", "'"), (",", None)])
def test_random_numbers_in_other_forms(decimal: str, thousands: str | None) -> None:
    rng = fresh_rng()
    values = rng.standard_normal(200) * 10.0 ** rng.integers(-3, 12, 200)
    cells = [
        f"{value:{'' if thousands is None else ','}.{digits}f}".replace(",", "T").replace(".", "D")
        for value, digits in zip(values, rng.integers(0, 9, 200), strict=True)
    ]
    expected = [float(cell.replace("T", "").replace("D", ".")) for cell in cells]
    written = [cell.replace("T", thousands or "").replace("D", decimal) for cell in cells]
    found = numbers(pa.chunked_array([[*written[:50], None], written[50:]]), decimal, thousands)
    np.testing.assert_array_equal(found.drop_null().to_numpy(), expected)
    assert found[50].as_py() is None


@pytest.mark.parametrize(("cell", "decimal", "thousands"), [
    ("1,23", ".", ","),
    ("1,2345", ".", ","),
    ("1234,567", ".", ","),
    (",123", ".", ","),
    ("1,,234", ".", ","),
    ("1,234,56", ".", ","),
    ("1.234,567", ".", ","),
    ("1.5", ",", None),
    ("1.5", ",", "."),
    ("1,5,5", ",", None),
])  # fmt: skip
def test_what_has_not_the_form_of_the_options(cell: str, decimal: str, thousands: str | None) -> None:
    with pytest.raises(NotNumberError, match=re.escape(repr(cell))):
        numbers(pa.array([cell]), decimal, thousands)


def test_the_first_cell_that_is_no_number_is_found_by_halving(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = fresh_rng()
    checked = []
    find = _cells.first_failing

    def counting(cells, check):
        return find(cells, lambda part: (checked.append(len(part)), check(part)))

    monkeypatch.setattr(_cells, "first_failing", counting)
    for first in rng.integers(0, 5000, 20).tolist():
        cells = ["1"] * first + ["x"] + rng.choice(["1", "y"], 5000 - first).tolist()
        checked.clear()
        with pytest.raises(NotNumberError) as error:
            numbers(pa.array(cells))
        assert error.value.position == first
        assert sum(checked) <= 2 * len(cells)
