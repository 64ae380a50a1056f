"""Docstrings stand alone: each can be read without the line above it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What "that of a block" or "as rows" is said of stands elsewhere.
LEANING = re.compile(r"\s*(?:That|Those|The same|As)\b")


def docstrings(code: str) -> Iterator[tuple[int, str]]:
    """The line and the words of each string that is a statement: of modules, classes, functions and attributes."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(words))):
                yield node.lineno, words


def leaning(code: str) -> list[int]:
    return [line for line, words in docstrings(code) if LEANING.match(words)]


def test_every_docstring_stands_alone() -> None:
    files = [file for folder in ("src", "tests") for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 200
    found = [f"{file.relative_to(ROOT)}:{line}" for file in files for line in leaning(file.read_text(encoding="utf-8"))]
    assert found == []


def test_what_leans_on_the_line_above_is_found() -> None:
    code = '''"""The same again."""
class A:
    """As rows."""
    shape: int
    """Those of the logits."""
    def f(self):
        """That of a block."""
        return """That of a value."""
    def g(self):
        """Asks for thatched roofs, as those do."""
'''
    assert sorted(leaning(code)) == [1, 3, 5, 7]
