"""The report in Chromium, narrow and wide, light and dark: no message, no request, nothing cut off, all readable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.cli.browser import Page, browser
from tests.cli.conftest import animals, succeeds, with_column, write
from tests.cli.report_page import SECTIONS
from tests.cli.test_cli_report import HOSTILE

pytestmark = pytest.mark.slow

# Of each visible text: the worst contrast (WCAG 2) with what lies behind it, and the smallest size in pixels.
READABILITY = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const parse = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = (front, back) => [0, 1, 2].map(i => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);
  const behind = element => {
    if (!element) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(element.parentElement));
  };
  const light = colour => colour.slice(0, 3).map(c => c / 255).map(
    c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  ).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = {texts: 0, contrast: [Infinity, ''], size: [Infinity, '']};
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || !element.getClientRects().length || element.localName === 'title') continue;
    const style = getComputedStyle(element), drawn = element instanceof SVGElement;
    const back = behind(element), front = over(parse(drawn ? style.fill : style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x), contrast = (a + 0.05) / (b + 0.05);
    const scale = drawn ? element.ownerSVGElement.getBoundingClientRect().width / 360 : 1;
    const size = parseFloat(style.fontSize) * scale;
    found.texts += 1;
    if (contrast < found.contrast[0]) found.contrast = [contrast, text];
    if (size < found.size[0]) found.size = [size, text];
  }
  return found;
})()"""

# Sections as they are seen, and the width that the page takes.
LAYOUT = """({
  width: document.documentElement.scrollWidth,
  window: innerWidth,
  sections: [...document.querySelectorAll('section')].map(section => {
    const box = section.getBoundingClientRect(), style = getComputedStyle(section);
    return [section.id, box.width, box.height, box.left, box.right, style.visibility];
  }),
  broken: [...document.images].filter(image => !image.complete || !image.naturalWidth).length,
  page: getComputedStyle(document.body).backgroundColor,
  title: document.title,
})"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports with images, with hostile text, and with more classes than a table holds."""
    folder = tmp_path_factory.mktemp("reports")
    kinds = dict(zip(["cat", "newt", "yak"], HOSTILE, strict=True))
    table = with_column(animals(), "kind", [kinds[kind] for kind in animals().column("kind").to_pylist()])
    write(
        table.rename_columns(["</title><script>document.title='x'</script>", "legs", "w" * 200, "c&c", "y"]),
        folder / "h.parquet",
    )
    y = np.repeat(np.arange(25), 12)
    centres = np.random.default_rng(5).standard_normal((25, 30))
    X = centres[y] + np.random.default_rng(6).standard_normal((len(y), 30))
    write(pa.table({**{f"a column {i}": X[:, i] for i in range(30)}, "y": y}), folder / "many.parquet")
    succeeds("train", "digits", "--report", folder / "digits.html")
    succeeds("train", folder / "h.parquet", "--target", "y", "--report", folder / "hostile.html")
    succeeds("train", folder / "many.parquet", "--target", "y", "--report", folder / "many.html")
    return {name: folder / f"{name}.html" for name in ("digits", "hostile", "many")}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("name", ["digits", "hostile", "many"])
def test_report(name: str, width: int, dark: bool, reports: dict[str, Path], page: Page) -> None:
    page.messages.clear()
    page.requests.clear()
    page.open(reports[name], width, dark)
    layout = page.evaluate(LAYOUT)
    assert page.messages == []
    assert page.requests[0] == reports[name].as_uri()
    assert all(request.startswith("data:") for request in page.requests[1:])
    assert layout["window"] == width
    assert layout["width"] <= width
    assert [section[0] for section in layout["sections"]] == list(SECTIONS)
    for _, across, tall, left, right, visibility in layout["sections"]:
        assert across > 300
        assert tall > 80
        assert 0 <= left < right <= width
        assert visibility == "visible"
    # Beside each other where there is room, one below the other where there is none.
    assert len({section[3] for section in layout["sections"]}) == (1 if width == 375 else 2)
    assert layout["broken"] == 0
    assert layout["title"].startswith("softgrad: ")
    red, green, blue = (int(part) for part in layout["page"].removeprefix("rgb(").removesuffix(")").split(", "))
    assert (red + green + blue < 100) if dark else (red + green + blue > 700)
    readability = page.evaluate(READABILITY)
    assert readability["texts"] > 100
    assert readability["contrast"][0] >= 4.5, readability
    assert readability["size"][0] >= 10.0, readability


def test_the_page_holds_back_what_it_should_not_do(reports: dict[str, Path], page: Page, tmp_path: Path) -> None:
    """The checks above see what they look for; and the policy of the page stops a script even if one came in."""
    inserted = "<script>document.title='x'</script><img src='http://127.0.0.1:1/a.png'><hr style='width:9999px'></main>"
    broken = reports["digits"].read_text().replace("</main>", inserted)
    (tmp_path / "broken.html").write_text(broken)
    page.messages.clear()
    page.open(tmp_path / "broken.html", 375, dark=False)
    layout = page.evaluate(LAYOUT)
    assert layout["title"] == "softgrad: digits"
    assert layout["width"] > 9000
    assert any("script" in message and "Content Security Policy" in message for message in page.messages)
    assert any("127.0.0.1" in message and "Content Security Policy" in message for message in page.messages)
    (tmp_path / "pale.html").write_text(reports["digits"].read_text().replace("--quiet: #57606a", "--quiet: #b0b0b0"))
    page.open(tmp_path / "pale.html", 375, dark=False)
    assert page.evaluate(READABILITY)["contrast"][0] < 3.0
