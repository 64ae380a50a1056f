"""The public API is that of tests/public_api.txt: no name goes and no signature changes unnoticed."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import pytest

import softgrad
from tests import public_api
from tests.signatures import written

ADVICE = """
The public API is no longer that of tests/public_api.txt. A new name needs a line in CHANGELOG.md. One that goes, or
whose signature changes so that a call may fail or mean something else, must be deprecated first, as
docs/guide/stability.md says. Then `python -m tests.public_api` writes the file anew.
"""


class Planted:
    """A class with one member of each kind.

    Attributes
    ----------
    width, height : float
    name_ : str
        Documented alone.

    Notes
    -----
    hidden : no attribute
    """

    width: float
    _private: int
    of_all: ClassVar[int] = 1

    def __init__(self, width: float = 1.0, *, height: Any = None) -> None: ...

    def area(self, scale: float) -> float: ...

    def _kept(self) -> None: ...

    @property
    def square(self) -> bool: ...

    @cached_property
    def total(self) -> int: ...

    @classmethod
    def of(cls, text: str) -> Planted: ...

    @staticmethod
    def unit() -> Planted: ...

    def __matmul__(self, other: Planted) -> Planted: ...


class Pair(NamedTuple):
    first: int | None
    second: list[str]


def positional(x: float, /, *rest: Any, by_name: str = "a", **others: int) -> tuple[int, ...]: ...


def evaluated(x: float, y: Any = None) -> None: ...


evaluated.__annotations__ = {"x": float, "y": Callable[..., Any] | None, "return": None}


def test_it_is_the_one_that_was_written_down() -> None:
    written_down = public_api.FILE.read_text(encoding="utf-8").splitlines()
    found = public_api.text().splitlines()
    changes = [line for line in difflib.ndiff(written_down, found) if line[0] in "+-"]
    assert not changes, "\n".join([ADVICE, *changes])


def test_every_public_name_has_a_line() -> None:
    lines = public_api.text().splitlines()
    names = {line.removeprefix("class ").partition("(")[0].partition(" is ")[0] for line in lines}
    rooms = ("distributed", "functional", "gradcheck", "linear_model", "losses", "nn", "reference", "torch")
    for room in ("softgrad", *(f"softgrad.{name}" for name in rooms)):
        assert {f"{room}.{name}" for name in importlib.import_module(room).__all__} <= names
    assert {"softgrad.softmax.vjp", "softgrad.SoftmaxRegression.partial_fit", "softgrad.threadpoolctl"} <= names
    assert {"$ softgrad info", "$ softgrad predict -o, --output: Path | None = None"} <= set(lines)
    assert len(lines) == len(set(lines))


def test_no_private_name_has_one() -> None:
    assert [line for line in public_api.text().splitlines() if "._" in line and ".__matmul__" not in line] == []


def test_the_lines_of_a_class() -> None:
    assert list(public_api.lines_of("Planted", Planted)) == [
        "class Planted(width: float = 1.0, *, height: Any = None)",
        "Planted.__matmul__(other: Planted) -> Planted",
        "Planted.area(scale: float) -> float",
        "Planted.height",
        "Planted.name_",
        "Planted.of(text: str) -> Planted",
        "Planted.square: bool",
        "Planted.total: int",
        "Planted.unit() -> Planted",
        "Planted.width: float",
    ]


def test_the_lines_of_a_named_tuple() -> None:
    assert list(public_api.lines_of("Pair", Pair)) == [
        "class Pair(first: int | None, second: list[str])",
        "Pair.first: int | None",
        "Pair.second: list[str]",
    ]


def test_a_function_of_the_core_has_its_signature() -> None:
    assert list(public_api.lines_of("f", softgrad.get_num_threads)) == ["f() -> int"]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (positional, "(x: float, /, *rest: Any, by_name: str = 'a', **others: int) -> tuple[int, ...]"),
        (evaluated, "(x: float, y: Callable[..., Any] | None = None) -> None"),
    ],
)
def test_a_signature_is_written_as_in_the_source(function: Callable[..., Any], text: str) -> None:
    assert written(inspect.signature(function)) == text
