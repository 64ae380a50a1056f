"""How inline formulas stand on the pages of both languages, and how Chinese is set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_translations import CHINESE_OF, ENGLISH_OF, GLOSSARY, paragraphs

HAN = "[\u4e00-\u9fff]"


def of_page(page: Path) -> str:
    return f"{page.parent.parent.name}-{page.stem}"


def touching_formulas(paragraph: str) -> list[str]:
    """The inline formulas that GitHub shows as they are typed: a letter, or a mark of Chinese, touches a dollar."""
    text = re.sub("`[^`]+`", "", paragraph)
    return [
        formula[0]
        for formula in re.finditer(r"\$[^$]+\$", text)
        if text[: formula.start()][-1:] not in ("", " ", "\n", "(") or re.match(r"\w", text[formula.end() :])
    ]


def badly_set(paragraph: str) -> list[str]:
    """Where Chinese touches a letter, a digit, code or a formula, has a half-width mark, or a space or new line in it.

    The titles of the texts are as they were printed, and the target of a link is not seen.
    """
    text = re.sub(r"\]\([^)]+\)", "]", re.sub("《.*?》", "《》", paragraph))
    patterns = (f"{HAN}[A-Za-z0-9`$]", f"[A-Za-z0-9`$]{HAN}", f"{HAN} ?[,;:!?]", f"[,;:!?] ?{HAN}", f"{HAN}\\s+{HAN}")
    return [found for pattern in patterns for found in re.findall(pattern, text)]


@pytest.mark.parametrize("page", [*CHINESE_OF, *ENGLISH_OF], ids=of_page)
def test_inline_formulas_stand_apart(page: Path) -> None:
    assert [each for paragraph in paragraphs(page.read_text("utf-8")) for each in touching_formulas(paragraph)] == []


@pytest.mark.parametrize("page", [*ENGLISH_OF, GLOSSARY], ids=of_page)
def test_chinese_stands_apart_from_latin_and_has_marks_of_its_own(page: Path) -> None:
    assert [each for paragraph in paragraphs(page.read_text("utf-8")) for each in badly_set(paragraph)] == []


@pytest.mark.parametrize(
    ("paragraph", "found"),
    [("因子$x$ 在", 1), ("式，$x$ 在", 1), ("因子 $x$与", 1), ("the $x$s", 1), ("因子 $x$，与\n$y$ 和 ($z$)", 0)],
)
def test_a_formula_that_is_touched_is_found(paragraph: str, found: int) -> None:
    assert len(touching_formulas(paragraph)) == found


@pytest.mark.parametrize(
    ("paragraph", "found"),
    [
        ("行K 个", ["行K"]),
        ("K个数", ["K个"]),
        ("第3 行", ["第3"]),
        ("用`x` 表示", ["用`"]),
        ("一行,两行", ["行,", ",两"]),
        ("一行: K", ["行:"]),
        ("梯\n度", ["梯\n度"]),
        ("《Softmax函数》的 K 个数，见[上 K 页](x.md)。\n用 `x` 表示：$x$", []),
    ],
)
def test_what_is_badly_set_is_found(paragraph: str, found: list[str]) -> None:
    assert badly_set(paragraph) == found
