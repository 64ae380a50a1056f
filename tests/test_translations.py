"""A page in Chinese has the parts, blocks and formulas of its English page in their order, its code, figures and links.

Its blocks being those of the English page, they are executed there: tests/test_derivations.py, tests/test_readme.py.
"""

from __future__ import annotations

import os.path
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_derivations import FOLDER, FOLDER_IN_CHINESE, PAGES, SLIP, anchors_of

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "zh" / "glossary.md"
SLIP_IN_CHINESE = "> **常见错误**："
README, README_IN_CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
CHINESE_OF = {README: README_IN_CHINESE} | {page: FOLDER_IN_CHINESE / page.name for page in sorted(FOLDER.glob("*.md"))}
ENGLISH_OF = {chinese: english for english, chinese in CHINESE_OF.items()}

_BLOCK = re.compile(r"(^```.*?^```$|^\$\$\n.*?^\$\$$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def kind(paragraph: str) -> str:
    """What a paragraph is, and how long where a list or a table must not lose a line."""
    if heading := re.match("#+ ", paragraph):
        return f"heading of depth {len(heading[0]) - 1}"
    if items := re.findall(r"^(?:-|\d+\.) ", paragraph, re.MULTILINE):
        return f"list of {len(items)}"
    if rows := re.findall(r"^\|", paragraph, re.MULTILINE):
        return f"table of {len(rows)} lines"
    if paragraph.startswith((SLIP, SLIP_IN_CHINESE)):
        return "slip"
    return "paragraph"


def parts(text: str) -> list[str]:
    """The blocks and formulas of a page, less the words in these, and between them the kinds of its paragraphs."""
    found = []
    for number, part in enumerate(_BLOCK.split(text)):
        if number % 2:
            found.append(part if part.startswith("```") else re.sub(r"\\text\{.*?\}", r"\\text{}", part))
        else:
            found += map(kind, paragraphs(part))
    return found


def paragraphs(text: str) -> list[str]:
    return [paragraph for paragraph in re.split(r"\n{2,}", _BLOCK.sub("\n\n", text).strip()) if paragraph]


def signs(text: str) -> Counter[str]:
    """The spans of code, inline formulas and figures outside of blocks: what needs no translation."""
    found: Counter[str] = Counter()
    rest = " ".join(" ".join(paragraphs(text)).split())
    for pattern in (r"`[^`]+`", r"\$[^$]+\$"):
        found.update(re.findall(pattern, rest))
        rest = re.sub(pattern, "", rest)
    found.update(re.findall(r"\d+(?:[.,]\d+)*", _LINK.sub("]", rest)))
    return found


def links(page: Path, text: str) -> Counter[tuple[str, int]]:
    """Where the links of a page lead: the English page of the file, and the number of the heading there, or -1."""
    found: Counter[tuple[str, int]] = Counter()
    for target, anchor in _LINK.findall(text):
        file = (page.parent / target).resolve()
        heading = anchors_of(file).index(anchor) if anchor else -1
        found[ENGLISH_OF.get(file, file).relative_to(ROOT).as_posix(), heading] += 1
    return found


def differences(english: str, chinese: str) -> Iterator[str]:
    """What is in one of the texts and not in the other."""
    here, there = parts(english), parts(chinese)
    for number, (one, other) in enumerate(zip(here, there, strict=False), start=1):
        if one != other:
            yield f"part {number}: {other!r} for {one!r}"
            return
    if len(here) != len(there):
        yield f"{len(there)} parts for {len(here)}"
    for text, more, fewer in (("English", english, chinese), ("Chinese", chinese, english)):
        if only := signs(more) - signs(fewer):
            yield f"only in the {text} page: {', '.join(only.elements())}"


def test_every_derivation_is_there_in_chinese_and_no_other() -> None:
    assert sorted(FOLDER_IN_CHINESE.iterdir()) == sorted(FOLDER_IN_CHINESE / page.name for page in FOLDER.iterdir())
    assert len(CHINESE_OF) == 12


@pytest.mark.parametrize("english", CHINESE_OF, ids=lambda page: page.stem)
def test_a_page_in_chinese_has_what_the_english_one_has(english: Path) -> None:
    chinese = CHINESE_OF[english]
    assert list(differences(english.read_text(encoding="utf-8"), chinese.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("english", CHINESE_OF, ids=lambda page: page.stem)
def test_both_pages_lead_to_the_same_pages_and_to_each_other(english: Path) -> None:
    chinese = CHINESE_OF[english]
    texts = english.read_text(encoding="utf-8"), chinese.read_text(encoding="utf-8")
    for text, words, here, there in (texts[0], "简体中文", english, chinese), (texts[1], "English", chinese, english):
        assert text.splitlines()[2] == f"[{words}]({os.path.relpath(there, here.parent)})"
    # The glossary is of use to readers of Chinese alone.
    only_in_chinese = links(chinese, texts[1])
    only_in_chinese.pop((GLOSSARY.relative_to(ROOT).as_posix(), -1), None)
    assert only_in_chinese == links(english, texts[0])


def test_each_term_has_one_word_in_each_language_and_its_english_where_it_comes_first() -> None:
    terms = re.findall(r"^\| (.+) \| ([A-Za-z].+) \|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(terms) >= 40
    assert len({chinese for chinese, _ in terms}) == len({english for _, english in terms}) == len(terms)
    # Neither the titles of texts nor the words of a link define a term.
    unread = r"《.*?》|\[[^\]]+\]\([^)]+\)|`[^`]+`"
    texts = [re.sub(unread, "", "\n".join(paragraphs(CHINESE_OF[page].read_text("utf-8")))) for page in PAGES]
    first = {chinese: next((text for text in texts if chinese in text), "") for chinese, _ in terms}
    assert [chinese for chinese, english in terms if f"{chinese}（{english}）" not in first[chinese]] == []
    places = ["".join(texts).index(f"{chinese}（{english}）") for chinese, english in terms]
    assert places == sorted(places)


ENGLISH_PAGE = """# Title

Of 745.13 and `code`, the text says $x_0$.

- one
- two

```python
x = 1
```

$$
x = 1 \\qquad \\text{at } 0
$$

> **A common slip.** No.

| a | b |
|---|---|
"""
CHINESE_PAGE = (
    ENGLISH_PAGE.replace("# Title", "# 标题")
    .replace("Of 745.13 and `code`, the text says $x_0$.", "该文写的是 $x_0$，\n而不是 745.13 和 `code`。")
    .replace(r"\text{at }", r"\text{在 }")
    .replace(SLIP, SLIP_IN_CHINESE)
)


def test_pages_that_have_the_same_have_no_difference() -> None:
    assert list(differences(ENGLISH_PAGE, CHINESE_PAGE)) == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("x = 1\n```", "x = 1  # 注释\n```", "part 4: '```python"),
        ("x = 1 \\q", "x = 2 \\q", "part 5: '$$"),
        ("# 标题", "## 标题", "part 1: 'heading of depth 2' for 'heading of depth 1'"),
        ("- two\n", "", "part 3: 'list of 1' for 'list of 2'"),
        ("|---|---|\n", "", "part 7: 'table of 1 lines' for 'table of 2 lines'"),
        (SLIP_IN_CHINESE, "> ", "part 6: 'paragraph' for 'slip'"),
        ("# 标题\n\n", "# 标题\n\n另一段。\n\n", "part 3: 'paragraph' for 'list of 2'"),
        ("|---|---|\n", "|---|---|\n\n多一段。\n", "8 parts for 7"),
        ("745.13", "745.1", "only in the English page: 745.13"),
        ("745.13", "745.13 或 2", "only in the Chinese page: 2"),
        ("`code`", "`kode`", "only in the English page: `code`"),
        ("$x_0$", "$x_1$", "only in the English page: $x_0$"),
    ],
)
def test_what_differs_is_named(old: str, new: str, named: str) -> None:
    assert CHINESE_PAGE.count(old) == 1
    assert any(each.startswith(named) for each in differences(ENGLISH_PAGE, CHINESE_PAGE.replace(old, new)))


def test_links_to_the_same_heading_are_the_same_link() -> None:
    english, chinese = FOLDER / "02-softmax-jacobian.md", FOLDER_IN_CHINESE / "02-softmax-jacobian.md"
    link = links(english, "[words](01-softmax.md#only-differences-count)")
    assert link == links(chinese, "[words](01-softmax.md#只有差值起作用)")
    assert link != links(chinese, "[words](01-softmax.md#核心的实现)")
    assert link != links(chinese, "[words](01-softmax.md)")
