"""The interactive page in Chromium: its numbers are those of softgrad.reference, whatever the hands set."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from softgrad import reference
from tests.cli.browser import Page, browser
from tests.cli.test_cli_report_browser import READABILITY
from tests.oracles.inputs import fresh_rng
from tests.site.hands import click, press, type_into

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
ASSETS = DOCS / "_static" / "interactive"
ALONE = ASSETS / "softmax.html"
CLASSES = range(4)
EPS = np.finfo(np.float64).eps
SUBNORMAL = np.finfo(np.float64).smallest_subnormal

# Everything that is shown: all digits, and the text.
SHOWN = """(() => {
  const read = selector => [...document.querySelectorAll(selector)].map(cell => [cell.dataset.value, cell.textContent]);
  return {
    loss: read('output.loss'), p: read('td.probability'), log_p: read('td.log-probability'),
    gradient: read('td.gradient'), jacobian: read('td.derivative'), sums: read('td.sum'),
  };
})()"""

# The width that the page takes, and which boxes are beside which.
LAYOUT = """({
  width: document.documentElement.scrollWidth,
  window: innerWidth,
  sections: [...document.querySelectorAll('#softmax-view section')].map(section => {
    const box = section.getBoundingClientRect();
    return [box.left, box.right, box.height, section.scrollWidth - section.clientWidth];
  }),
  field: getComputedStyle(document.querySelector('#softmax-view input[type=number]')).backgroundColor,
})"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(opened: Page) -> Iterator[Page]:
    """The page as it is before anything is touched; none may write to the console or ask for more than its files."""
    opened.messages.clear()
    opened.requests.clear()
    opened.open(ALONE, 1280, dark=False)
    yield opened
    assert opened.messages == []
    files = {(ASSETS / name).as_uri() for name in ("softmax.html", "softmax.js", "view.js", "style.css")}
    assert {request for request in opened.requests if not request.startswith("data:")} == files


def put(page: Page, x: ArrayLike, target: int, temperature: float) -> None:
    """Type the logits and the temperature, and click at the target."""
    for j, logit in enumerate(np.asarray(x, dtype=np.float64).tolist()):
        type_into(page, f"[name=logit-{j}]", repr(logit))
    type_into(page, "[name=temperature]", repr(temperature))
    click(page, f"[name=target][value='{target}']")


def shown(page: Page) -> dict[str, NDArray[np.float64]]:
    """The numbers of the page with all their digits; what a reader sees of them is the same to its last digit."""
    found = {}
    for name, cells in page.evaluate(SHOWN).items():
        values = np.array([float(value) for value, _ in cells])
        for value, (_, text) in zip(values, cells, strict=True):
            read = Decimal(text.replace("\u2212", "-"))
            # Without a point it is 0 itself, or of a sum 0 to the decimals of the cells.
            unit = Decimal("1e-4") if name == "sums" else Decimal(1).scaleb(read.as_tuple().exponent) * ("." in text)
            assert abs(read - Decimal(value)) <= unit / 2, (name, text, value)
        found[name] = values
    return found


def assert_agrees(page: Page, x: ArrayLike, target: int, temperature: float) -> None:
    """All numbers are those of the reference, to a few roundings of each: the exponentials of both may differ by some.

    What is subnormal has roundings of its own; a temperature below 1 enlarges them.
    """
    x = np.asarray(x, dtype=np.float64)
    options = {"temperature": temperature}
    found = shown(page)
    expected: dict[str, Any] = {
        "loss": reference.cross_entropy(x, target, **options),
        "p": reference.softmax(x, **options),
        "log_p": reference.log_softmax(x, **options),
        "gradient": reference.cross_entropy_grad(x, target, **options),
        "jacobian": reference.softmax_jacobian(x, **options),
    }
    assert found.keys() == {*expected, "sums"}
    for name, value in expected.items():
        value = np.ravel(value)
        assert found[name].shape == value.shape
        bound = 16.0 * EPS * abs(value) + 8.0 * SUBNORMAL / min(temperature, 1.0)
        assert np.all(abs(found[name] - value) <= bound), (name, x.tolist(), target, temperature, found[name], value)
    largest = abs(expected["jacobian"]).max(axis=1)
    assert np.all(abs(found["sums"]) <= 8.0 * EPS * largest + 8.0 * SUBNORMAL / min(temperature, 1.0))


def test_random_rows(page: Page) -> None:
    rng = fresh_rng()
    for _ in range(40):
        scale = 10.0 ** rng.uniform(-1.0, 3.0)
        x = scale * rng.standard_normal(4)
        target, temperature = int(rng.integers(4)), float(10.0 ** rng.uniform(-2.0, 2.0))
        put(page, x, target, temperature)
        assert_agrees(page, x, target, temperature)


@pytest.mark.parametrize(
    ("x", "temperature"),
    [
        ([0.0, 0.0, 0.0, 0.0], 1.0),
        ([1000.0, 1000.0, 1000.0, 1000.0], 1.0),
        ([-1000.0, -1000.0, -1001.0, -1000.0], 1.0),
        ([1000.0, -1000.0, 1000.0, 0.0], 1.0),
        ([1000.0, -1000.0, 999.0, 998.0], 0.01),
        ([1000.0, -1000.0, 999.0, 998.0], 100.0),
        ([0.0, 40.0, 1.0, -3.0], 1.0),
        ([0.0, 740.0, 30.0, 3.0], 1.0),
        ([3.0, 3.0, 3.01, 2.99], 0.01),
        ([2.0, 1.0, 0.0, -1.0], 100.0),
        ([1e6, -1e6, 1e6, 999999.99], 0.01),
        ([-0.0, 5e-324, 0.1, 0.30000000000000004], 1.0),
    ],
)
def test_edges(x: list[float], temperature: float, page: Page) -> None:
    for target in CLASSES:
        put(page, x, target, temperature)
        assert_agrees(page, x, target, temperature)


def test_sliders_move_by_the_keyboard(page: Page) -> None:
    """A step is 0.1 of a logit and a hundredth of a power of ten of the temperature."""
    click(page, "input[aria-label='logit of class 0, slider']")
    press(page, "Home")
    for _ in range(3):
        press(page, "ArrowRight")
    click(page, "input[aria-label='logit of class 3, slider']")
    press(page, "End")
    press(page, "ArrowLeft")
    click(page, "input[aria-label='temperature, slider']")
    press(page, "Home")
    for _ in range(50):
        press(page, "ArrowRight")
    fields = page.evaluate("[...document.querySelectorAll('input[type=number]')].map(field => field.value)")
    assert fields == ["-9.7", "1", "0", "9.9", "0.0316"]
    assert page.evaluate("document.activeElement.getAttribute('aria-valuetext')") == "0.0316"
    assert_agrees(page, [-9.7, 1.0, 0.0, 9.9], 0, 0.0316)


def test_a_slider_follows_its_field(page: Page) -> None:
    put(page, [-3.5, 1000.0, 0.0, -1.0], 0, 10.0)
    sliders = page.evaluate("[...document.querySelectorAll('input[type=range]')].map(slider => slider.value)")
    assert sliders == ["-3.5", "10", "0", "-1", "1"]


def test_a_shift_of_all_logits_changes_nothing(page: Page) -> None:
    x = [3.0, -2.0, 7.0, 6.0]
    put(page, x, 3, 0.5)
    before = page.evaluate(SHOWN)
    for shift in (1, 1000, 1000, -1, -1000):
        click(page, f"button[aria-label='add {shift} to all logits']")
        x = [logit + shift for logit in x]
        assert_agrees(page, x, 3, 0.5)
        assert page.evaluate(SHOWN) == before
    assert page.evaluate("document.querySelector('[name=logit-0]').value") == "1003"


def test_start_again(page: Page) -> None:
    before = page.evaluate(SHOWN)
    put(page, [0.5, 0.25, 4.0, 1.0], 2, 3.0)
    assert page.evaluate(SHOWN) != before
    click(page, "button[aria-label='start again']")
    assert page.evaluate(SHOWN) == before
    assert_agrees(page, [2.0, 1.0, 0.0, -1.0], 0, 1.0)


@pytest.mark.parametrize(
    ("name", "typed", "complaint"),
    [
        ("logit-2", "1000001", "The logit of class 2 is 1000001; it must be from -1000000 to 1000000."),
        ("logit-0", "", "The logit of class 0 is not a number; it must be from -1000000 to 1000000."),
        ("logit-1", "-", "The logit of class 1 is not a number; it must be from -1000000 to 1000000."),
        ("logit-3", "1e999", "The logit of class 3 is not a number; it must be from -1000000 to 1000000."),
        ("temperature", "0", "The temperature is 0; it must be from 0.01 to 100."),
        ("temperature", "-1", "The temperature is -1; it must be from 0.01 to 100."),
        ("temperature", "100.5", "The temperature is 100.5; it must be from 0.01 to 100."),
    ],
)
def test_what_is_wrong_is_named_until_it_is_mended(name: str, typed: str, complaint: str, page: Page) -> None:
    state = """[document.querySelector('[role=alert]').textContent,
      [...document.querySelectorAll('[aria-invalid=true]')].map(field => field.name),
      getComputedStyle(document.querySelector('#softmax-view .results')).opacity]"""
    before = page.evaluate(SHOWN)
    assert page.evaluate(state) == ["", [], "1"]
    type_into(page, f"[name={name}]", typed)
    assert page.evaluate(state) == [complaint, [name], "0.4"]
    assert page.evaluate(SHOWN) == before
    put(page, [0.0, 1.0, 2.0, 3.0], 1, 2.0)
    assert page.evaluate(state) == ["", [], "1"]
    assert_agrees(page, [0.0, 1.0, 2.0, 3.0], 1, 2.0)


def test_the_same_in_python(page: Page) -> None:
    """The lines that the page shows, executed, give its numbers."""
    put(page, [0.1, -2.5, 3.0, 1e-7], 3, 0.7)
    found = shown(page)
    names: dict[str, Any] = {}
    exec(page.evaluate("document.querySelector('#softmax-view pre').textContent"), names)
    assert names["x"] == [0.1, -2.5, 3.0, 1e-7]
    for name in ("loss", "p", "log_p", "gradient", "jacobian"):
        value = np.ravel(names[name])
        assert np.all(abs(found[name] - value) <= 16.0 * EPS * abs(value))


def test_every_control_has_a_name_of_its_own(page: Page) -> None:
    """A screen reader is told nothing else."""
    controls = [
        (node["role"]["value"], node["name"]["value"])
        for node in page.ask("Accessibility.getFullAXTree")["nodes"]
        if not node["ignored"] and node["role"]["value"] in ("slider", "spinbutton", "radio", "button")
    ]
    assert len(controls) == 4 * 3 + 2 + 5
    assert len(set(controls)) == len(controls)
    assert all(name for _, name in controls)


def test_bars_and_colours_are_as_long_and_strong_as_their_numbers(page: Page) -> None:
    put(page, [2.0, 1.0, 0.0, -1.0], 1, 0.5)
    numbers = shown(page)
    lengths = """[...document.querySelectorAll('.bar')].map(bar => {
      const box = bar.getBoundingClientRect(), scale = bar.parentElement.getBoundingClientRect();
      return [(box.left - scale.left) / scale.width, (box.right - scale.left) / scale.width];
    })"""
    ends = np.array(page.evaluate(lengths)).reshape(4, 2, 2)
    # An edge stands at a sixty-fourth of a pixel, of at least a hundred.
    assert abs(ends[:, 0, 0]).max() < 0.001
    assert abs(ends[:, 0, 1] - numbers["p"]).max() < 0.001
    middle_to_end = 0.5 + 0.5 * 0.5 * numbers["gradient"]
    assert abs(ends[:, 1, 0] - np.minimum(middle_to_end, 0.5)).max() < 0.001
    assert abs(ends[:, 1, 1] - np.maximum(middle_to_end, 0.5)).max() < 0.001
    colours = page.evaluate(
        "[...document.querySelectorAll('td.derivative')].map(cell => getComputedStyle(cell).backgroundColor)"
    )
    opacities = np.array([float(re.search(r"/ ([\d.e-]+)\)$", colour)[1]) for colour in colours])
    share = abs(numbers["jacobian"]) / abs(numbers["jacobian"]).max()
    assert abs(opacities - 0.55 * share).max() < 0.01
    assert len({colour.partition(" /")[0] for colour in colours}) == 2


def assert_looks(page: Page, width: int, dark: bool) -> None:
    layout = page.evaluate(LAYOUT)
    assert layout["window"] == width
    assert layout["width"] <= width
    for left, right, height, hidden in layout["sections"]:
        assert 0 <= left < right <= width
        assert height > 200
        assert hidden == 0
    assert len({left for left, *_ in layout["sections"]}) == (1 if width == 375 else 2)
    readability = page.evaluate(READABILITY)
    assert readability["texts"] > 70
    assert readability["contrast"][0] >= 4.5, readability
    assert readability["size"][0] >= 10.0, readability
    light = sum(int(part) for part in re.findall(r"\d+", layout["field"])[:3])
    assert (light < 200) if dark else (light > 700)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_looks(width: int, dark: bool, page: Page) -> None:
    page.open(ALONE, width, dark)
    assert_looks(page, width, dark)
    # The longest numbers.
    put(page, [-1000.0, 1000.0, 993.2512345678901, 998.1234567890123], 0, 0.123)
    assert_looks(page, width, dark)


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_the_block_of_the_documentation(theme: str, opened: Page, tmp_path: Path) -> None:
    """What index.md has, as a page of a site whose reader chose a theme, against that of the system or as it."""
    (block,) = re.findall(r"^```\{raw\} html\n(.*?)^```$", (DOCS / "interactive" / "index.md").read_text(), re.M | re.S)
    shutil.copytree(ASSETS, tmp_path / "_static" / "interactive")
    (tmp_path / "interactive").mkdir()
    body = f"<!doctype html><html lang=en data-theme={theme}><link rel=icon href=data:,><body>{block}"
    (tmp_path / "interactive" / "index.html").write_text(body)
    opened.messages.clear()
    for system_is_dark in (False, True):
        opened.open(tmp_path / "interactive" / "index.html", 1280, system_is_dark)
        field = opened.evaluate(LAYOUT)["field"]
        light = sum(int(part) for part in re.findall(r"\d+", field)[:3])
        assert (light < 200) if theme == "dark" or (theme == "auto" and system_is_dark) else (light > 700)
        put(opened, [1.0, 2.0, 3.0, 4.0], 2, 1.0)
        assert_agrees(opened, [1.0, 2.0, 3.0, 4.0], 2, 1.0)
    assert opened.messages == []
