"""The site in Chromium, opened as files: quiet, whole, as wide as its window, light and dark; what one does there."""

from __future__ import annotations

import doctest
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import softgrad as sg
from tests.cli.browser import Page, browser
from tests.site.hands import click
from tests.site.pages import DOCS
from tests.test_derivations import FOLDER, FOLDER_IN_CHINESE, PAGES, parts_of

pytestmark = pytest.mark.slow

KINDS = (
    "index.html",
    "tutorials/index.html",
    "guide/softmax-regression.html",
    "derivations/03-any-loss-through-softmax.html",
    "gallery/index.html",
    "gallery/examples/stability.html",
    "reference/index.html",
    "reference/names/softgrad/cross_entropy.html",
    "reference/names/softgrad.linear_model/SoftmaxRegressionCV.html",
    "reference/commands/train.html",
    "benchmarks.html",
    "design/architecture.html",
    "changelog.html",
    "cite.html",
)

STATE = """({
  width: document.documentElement.scrollWidth,
  window: innerWidth,
  broken: [...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.src),
  theme: document.documentElement.dataset.theme,
  background: getComputedStyle(document.body).backgroundColor,
  heading: document.querySelector('h1').innerText,
})"""

FORMULAS = """(() => {
  const drawn = [...document.querySelectorAll('mjx-container')];
  return {
    displayed: drawn.filter(each => each.getAttribute('display') === 'true').length,
    inline: drawn.filter(each => each.getAttribute('display') !== 'true').length,
    errors: document.querySelectorAll('mjx-merror').length,
    empty: drawn.filter(each => each.getBoundingClientRect().width < 4).length,
  };
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def visit(page: Page, file: Path, width: int = 1280, dark: bool = False) -> None:
    page.messages.clear()
    page.requests.clear()
    page.open(file, width, dark)
    # Formulas are drawn after the page is there.
    drawn = "window.MathJax && MathJax.startup && MathJax.startup.promise"
    page.ask("Runtime.evaluate", expression=drawn, awaitPromise=True)


def assert_quiet(page: Page) -> None:
    # The theme notes which mode it takes.
    assert [message for message in page.messages if not message.startswith("console.log: ")] == []
    assert page.requests != []
    assert [request for request in page.requests if not request.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_every_kind_of_page(width: int, dark: bool, site: Path, page: Page) -> None:
    for name in KINDS:
        visit(page, site / name, width, dark)
        assert_quiet(page)
        state = page.evaluate(STATE)
        assert state["window"] == width, name
        assert state["width"] <= width, name
        assert state["broken"] == [], name
        assert state["heading"], name
        assert state["theme"] == ("dark" if dark else "light"), name
        red, green, blue = map(int, re.findall(r"\d+", state["background"]))
        assert (red + green + blue < 150) if dark else (red + green + blue > 650), name


@pytest.mark.parametrize("folder", [FOLDER, FOLDER_IN_CHINESE], ids=["English", "Chinese"])
def test_every_formula_is_drawn(folder: Path, site: Path, page: Page) -> None:
    for name in (each.name for each in PAGES):
        source = folder / name
        visit(page, site / source.relative_to(DOCS).with_suffix(".html"))
        assert_quiet(page)
        words = re.sub(r"^(```|\$\$\n).*?^(```|\$\$)$|`[^`]+`", "", source.read_text("utf-8"), flags=re.M | re.S)
        assert page.evaluate(FORMULAS) == {
            "displayed": sum(part.kind == "formula" for part in parts_of(source)),
            "inline": len(re.findall(r"\$[^$]+\$", words)),
            "errors": 0,
            "empty": 0,
        }, source


def copied(page: Page, block: str) -> str:
    """What is in the clipboard after a click on the button of a block, a selector of CSS."""
    listener = "window.copied = null; document.addEventListener('copy', () => { copied = getSelection().toString() })"
    page.evaluate(listener)
    click(page, f"{block} + button.copybtn")
    for _ in range(100):
        text = page.evaluate("window.copied")
        if text is not None:
            return str(text)
        time.sleep(0.05)
    raise AssertionError("nothing was copied")


def test_a_block_with_prompts_is_copied_and_run(site: Path, page: Page) -> None:
    visit(page, site / "reference" / "names" / "softgrad" / "cross_entropy.html")
    text = copied(page, "[id='softgrad.cross_entropy.grad'] + dd .highlight pre")
    (example,) = doctest.DocTestParser().get_examples(sg.cross_entropy.grad.__doc__.partition("as sg\n")[2])
    names: dict[str, object] = {}
    *lines, last = text.splitlines()
    exec("\n".join(lines), names)
    assert last == example.source.strip()
    np.testing.assert_array_equal(eval(last, names), [0.5, -0.5])


def test_a_block_of_a_page_is_copied_and_run(site: Path, page: Page) -> None:
    visit(page, site / "derivations" / "01-softmax.html")
    text = copied(page, ".highlight-python .highlight pre")
    first = next(part for part in parts_of(FOLDER / "01-softmax.md") if part.kind == "block")
    assert text.strip() == first.text.strip()
    names: dict[str, object] = {}
    exec(text, names)
    assert "numbers" in names


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("hessian_diagonal", "reference/names/softgrad/cross_entropy.html"),
        ("SoftmaxRegression", "guide/softmax-regression.html"),
        ("temperature", "derivations/01-softmax.html"),
    ],
)
def test_search(words: str, found: str, site: Path, page: Page) -> None:
    visit(page, site / "search.html")
    page.evaluate(f"location.search = '?q={words}'")
    for _ in range(200):
        links = page.evaluate("[...document.querySelectorAll('#search-results li a')].map(link => link.href)")
        if any(found in link for link in links or ()):
            break
        time.sleep(0.05)
    else:
        raise AssertionError(f"{words}: {found} is not among {links}")
    assert_quiet(page)
