"""The examples and the table of docs/guide/torch.md."""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import softgrad.torch as sgt

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "torch.md"
TEXT = PAGE.read_text(encoding="utf-8")
TABLE = TEXT.partition("<!-- differences: begin -->\n")[2].partition("<!-- differences: end -->")[0]
ROWS = [[cell.strip("` ") for cell in re.split(r" \| ", line.strip("| \n"))] for line in TABLE.splitlines()[2:]]
TORCH = SimpleNamespace(
    cross_entropy=torch.nn.functional.cross_entropy,
    binary_cross_entropy=torch.nn.functional.binary_cross_entropy_with_logits,
    logsumexp=torch.logsumexp,
    softmax=torch.softmax,
    KLDivLoss=torch.nn.KLDivLoss,
)


def gradient(f: Callable[[Tensor], Tensor], x: Tensor) -> list[Any]:
    leaf = x.clone().requires_grad_()
    f(leaf).backward()
    assert leaf.grad is not None
    return leaf.grad.tolist()


def result(call: str, functions: Any) -> str:
    """What a call gives, or the name of its error."""
    names = {name: getattr(torch, name) for name in ("zeros", "ones", "tensor", "float16", "float64", "int32", "int64")}
    try:
        value = eval(call, names | {"F": functions, "gradient": gradient, "inf": torch.inf, "nan": torch.nan})
    except Exception as error:
        return type(error).__name__
    return repr(value).removeprefix("torch.")


def test_the_examples_run() -> None:
    examples = doctest.DocTestParser().get_doctest(TEXT.replace("```", ""), {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) >= 15
    assert doctest.DocTestRunner().run(examples).failed == 0


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_difference_is_what_it_says(row: list[str]) -> None:
    _, call, ours, theirs = row
    assert ours != theirs
    assert (result(call, sgt), result(call, TORCH)) == (ours, theirs)


def test_the_table_is_found() -> None:
    assert len(ROWS) == 19


@pytest.mark.parametrize("name", [name for name in sgt.__all__ if not isinstance(getattr(sgt, name), type)])
def test_the_page_names_every_function(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_the_examples_of_the_docstrings_run() -> None:
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner()
    found = [test for name in sgt.__all__ for test in finder.find(getattr(sgt, name), name) if test.examples]
    assert {test.name for test in found} == set(sgt.__all__) - {"LinearCrossEntropyOutput", "TokenStatistics"}
    for test in found:
        assert runner.run(test).failed == 0
