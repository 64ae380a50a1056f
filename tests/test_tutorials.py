"""What the tutorials and the landing page show is what their blocks give."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.pages import DOCS, LANDING, TUTORIALS, agree, shown_and_found

README = (DOCS.parent / "README.md").read_text(encoding="utf-8")
PAGES = [LANDING, *TUTORIALS]
MARKS = {
    # Ray's own warnings, at its start.
    "scikit-learn": [
        pytest.mark.slow,
        pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    ],
    # torch uses what it has deprecated, when torch.func asks for it the first time.
    "pytorch": [pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")],
}


@pytest.mark.parametrize("page", [pytest.param(page, marks=MARKS.get(page.stem, ()), id=page.stem) for page in PAGES])
def test_the_blocks_show_what_the_page_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with np.printoptions():
        results = list(shown_and_found(page))
    assert len(results) >= (3 if page == LANDING else 10)
    assert [(asked, shown, found) for asked, shown, found in results if not agree(shown, found)] == []


def test_the_pages_are_found() -> None:
    assert {page.stem for page in PAGES} >= {"index", "learner", "numpy", "pytorch", "scikit-learn"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_not_executed_installs_or_is_of_the_readme(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert text.count("```") == 2 * len(blocks)
    assert {kind for kind, _ in blocks} <= {"python", "console", "sh"}
    others = [code for kind, code in blocks if kind == "sh" and f"```sh\n{code}```\n" not in README]
    assert [code for code in others if not re.fullmatch(r"pip install [^;&|\n]*\n", code)] == []


def test_a_number_that_is_not_what_the_block_gives_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 2\n```\n\n```python\n>>> x\n2\n>>> x + 1\n4\n>>> x + 2\n```\n", encoding="utf-8")
    results = [(asked, agree(shown, found)) for asked, shown, found in shown_and_found(page)]
    assert results == [(">>> x", True), (">>> x + 1", False), (">>> x + 2", False)]


def test_an_error_in_a_block_is_raised(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 / 0\n```\n", encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        list(shown_and_found(page))
