"""The tables of docs/guide/edge-cases.md, each cell executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import softgrad as sg
from tests.oracles.bounds import DTYPES, GRADIENT
from tests.oracles.ulp import assert_within

PAGE = Path(__file__).parent.parent / "docs" / "guide" / "edge-cases.md"
FUNCTIONS = {
    "softmax": sg.softmax,
    "log_softmax": sg.log_softmax,
    "logsumexp": sg.logsumexp,
    "cross_entropy": lambda x: sg.cross_entropy(x, 0),
    "its gradient": lambda x: sg.cross_entropy.grad(x, 0),
}
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def tables(text: str) -> list[list[list[str]]]:
    """The cells of each table, its header first, without the ticks."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
        found.append([lines[0], *lines[2:]])
    return found


def value(cell: str, dtype: np.dtype) -> Any:
    numbers = {"inf": np.inf, "nan": np.nan, "log": log, "e": exp(-40), "MAX": np.finfo(dtype).max}
    return eval(cell, numbers)


def given(call: str, dtype: np.dtype) -> Any:
    """The result of a call whose first argument, the logits, has the dtype."""
    name, _, arguments = call.partition("(")
    function: Any = sg
    for part in name.split("."):
        function = getattr(function, part)
    names = {"inf": np.inf, "nan": np.nan, "zeros": np.zeros}

    def of_dtype(logits: Any, *others: Any, **options: Any) -> Any:
        return function(np.array(logits, dtype), *others, **options)

    return eval(f"f({arguments}", names | {"f": of_dtype})


def assert_is(actual: Any, expected: Any, dtype: np.dtype, what: str) -> None:
    if isinstance(expected, tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_is(one, other, dtype, what)
        return
    assert np.shape(actual) == np.shape(expected), what
    assert_within(GRADIENT[dtype], np.asarray(actual, dtype), np.asarray(expected, np.longdouble), what=what)


def checks(text: str, dtype: np.dtype) -> Iterator[str]:
    """Compares every cell with what the library gives; what was compared."""
    (header, *rows), (_, *calls) = tables(text)
    pairs = [
        (f"{column} of {logits}", lambda f=FUNCTIONS[column], x=logits: f(np.array(value(x, dtype), dtype)), cell)
        for logits, *cells in rows
        for column, cell in zip(header[1:], cells, strict=True)
    ]
    pairs += [(call, lambda call=call: given(call, dtype), cell) for call, cell in calls]
    for what, function, cell in pairs:
        error, _, message = cell.partition(": ")
        if error == "ValueError":
            with pytest.raises(ValueError, match=re.escape(message) or None):
                function()
        else:
            assert_is(function(), value(cell, dtype), dtype, what)
        yield what


@dtypes
def test_every_cell(dtype: np.dtype) -> None:
    assert len(list(checks(PAGE.read_text(encoding="utf-8"), dtype))) >= 13 * len(FUNCTIONS) + 20


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("`[1, e]`", "`[1, 0]`"),
        ("| `inf` | `[-1, 1]` |", "| `MAX` | `[-1, 1]` |"),
        ("`[[0, 0], [-1/2, 1/2]]`", "`[[0, 0], [0, 0]]`"),
        ("`(0, [[0, 0]])`", "`(0, [[nan, nan]])`"),
        ("labels is 2; logits", "labels is 3; logits"),
        ("| `-inf` | `ValueError` |", "| `-inf` | `0` |"),
    ],
)
def test_a_wrong_cell_is_found(cell: str, wrong: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert cell in text
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        list(checks(text.replace(cell, wrong, 1), DTYPES[0]))
