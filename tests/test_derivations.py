"""The derivation pages: every block runs, and every displayed formula has a check beside it."""

from __future__ import annotations

import ast
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tests.oracles.inputs import fresh_rng

FOLDER = Path(__file__).parent.parent / "docs" / "derivations"
FOLDER_IN_CHINESE = FOLDER.parent / "zh" / "derivations"
PAGES = sorted(FOLDER.glob("[0-9][0-9]-*.md"))
SLIP = "> **A common slip.**"


@dataclass(frozen=True)
class Part:
    """A part of a page: a heading, a displayed formula, a slip box or a block of Python."""

    kind: Literal["heading", "formula", "slip", "block"]
    line: int
    text: str

    def tree(self, page: Path) -> ast.Module:
        """The syntax of a block, its lines numbered as in the page."""
        return ast.parse("\n" * (self.line - 1) + self.text, filename=str(page))

    def asserts(self, page: Path) -> bool:
        return self.kind == "block" and any(isinstance(node, ast.Assert) for node in ast.walk(self.tree(page)))


def parts_of(page: Path) -> list[Part]:
    parts: list[Part] = []
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    for number, line in lines:
        if line.startswith(("```", "$$")):
            assert line in ("```python", "$$"), (
                f"{page.name}, line {number}: {line!r} opens neither a block nor a formula"
            )
            end = "```" if line == "```python" else "$$"
            inside = []
            for _, inner in lines:
                if inner == end:
                    break
                inside.append(inner)
            else:
                raise AssertionError(f"{page.name}, line {number}: {line!r} is never closed")
            parts.append(Part("block" if end == "```" else "formula", number + 1, "\n".join(inside)))
        elif line.startswith("#"):
            parts.append(Part("heading", number, line.lstrip("# ")))
        elif line.startswith(SLIP):
            parts.append(Part("slip", number, line))
        else:
            assert "$$" not in line, f"{page.name}, line {number}: $$ stands alone on its line"
    return parts


def complaints(page: Path) -> list[str]:
    """What a page leaves without a check."""
    parts = parts_of(page)
    found = []
    if all(part.kind != "block" for part in parts):
        found.append(f"{page.name}: no block of Python")
    waiting: list[Part] = []
    for part in [*parts, Part("heading", 0, "the end")]:
        if part.kind == "heading":
            found += [f"{page.name}, line {each.line}: no assert before the next heading" for each in waiting]
            waiting = []
        elif part.asserts(page):
            waiting = []
        else:
            waiting.append(part)
    return found


def run(page: Path) -> None:
    """Every block of a page in one namespace; an error names the page and the line."""
    namespace: dict[str, object] = {}
    for part in parts_of(page):
        if part.kind != "block":
            continue
        code = compile(part.tree(page), str(page), "exec")
        try:
            exec(code, namespace)
        except Exception as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(page)]
            place = frames[-1]
            raise AssertionError(f"{page.name}, line {place.lineno}: {place.line}: {error!r}") from error


def written(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The pages draw their random inputs from default_rng(); here its seed is printed.
    rng, seeded = fresh_rng(), np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda *seed: seeded(*seed) if seed else rng)
    run(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_formula_has_a_check_beside_it(page: Path) -> None:
    assert complaints(page) == []


@pytest.mark.parametrize("folder", [FOLDER, FOLDER_IN_CHINESE], ids=["English", "Chinese"])
def test_the_table_of_contents_has_every_page_under_its_title(folder: Path) -> None:
    contents = re.findall(r"^\d+\. \[(.+)\]\((\d\d-.+\.md)\)", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert contents == [(parts_of(folder / page.name)[0].text, page.name) for page in PAGES]
    assert len(PAGES) == 10


def anchors_of(page: Path) -> list[str]:
    """What a link to each heading of the page ends in, as GitHub spells it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_links_between_the_pages_lead_somewhere() -> None:
    links = [
        (page, target, anchor)
        for page in [*PAGES, FOLDER / "README.md"]
        for target, anchor in re.findall(r"\]\(([\w.-]+\.md)(?:#([^)]+))?\)", page.read_text(encoding="utf-8"))
    ]
    assert sum(bool(anchor) for _, _, anchor in links) >= 5
    for page, target, anchor in links:
        assert (FOLDER / target).exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors_of(FOLDER / target), f"{page.name} links to {target}#{anchor}"


CHECKED = "# Page\n\n$$\nx = 1\n$$\n\n```python\nx = 1\nassert x == 1\n```\n"


def test_a_checked_formula_gives_no_complaint(tmp_path: Path) -> None:
    assert complaints(written(tmp_path, CHECKED)) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# Page\n\nwords\n", "no block of Python"),
        (CHECKED + "\n$$\ny = 2\n$$\n", "line 13: no assert"),
        (CHECKED + f"\n{SLIP} y\n", "line 12: no assert"),
        (CHECKED + "\n```python\ny = 2\n```\n", "line 13: no assert"),
        (CHECKED.replace("```python", "## Next\n\n```python"), "line 4: no assert"),
        (CHECKED.replace("assert x == 1", "print('assert')"), "line 4: no assert"),
    ],
)
def test_what_has_no_check_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    assert any(complaint in each for each in complaints(written(tmp_path, text)))


@pytest.mark.parametrize(
    ("text", "line"),
    [("```\nx = 1\n```\n", 1), ("# Page\n\nthe formula $$x$$\n", 3), ("\n$$\nx\n", 2), ("$$ x $$\n", 1)],
)
def test_a_page_that_cannot_be_read_is_named(text: str, line: int, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=f"page.md, line {line}: "):
        parts_of(written(tmp_path, text))


def test_an_error_names_the_page_and_the_line(tmp_path: Path) -> None:
    page = written(tmp_path, CHECKED + "\n```python\n\nassert x == 2\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md, line 14: assert x == 2: AssertionError"):
        run(page)
    run(written(tmp_path, CHECKED + "\n```python\nassert x == 1\n```\n"))


def test_a_function_of_a_page_sees_the_names_of_its_other_blocks(tmp_path: Path) -> None:
    run(written(tmp_path, CHECKED + "\n```python\ndef f():\n    return x\n\n\nassert f() == 1\n```\n"))
