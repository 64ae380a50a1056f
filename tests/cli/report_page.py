"""A report read back by the standard library's parser: elements in a tree, and what every page must hold to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

SECTIONS = ("data", "gradient", "training", "confusion", "reliability", "classes", "mistakes", "weights")
VOID = {"img", "link", "meta"}
HTML = (
    "html head meta link title style body header h1 h2 dl div dt dd nav ul li a main section p table caption thead "
    "tbody tr th td span figure figcaption img strong details summary footer"
)
OURS = {*HTML.split(), "svg", "text", "line", "rect", "circle", "polyline"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, name: str, class_: str | None = None) -> list[Element]:
        found = [each for each in self.walk() if each.name == name]
        return (
            found if class_ is None else [each for each in found if class_ in each.attributes.get("class", "").split()]
        )

    def one(self, name: str, class_: str | None = None) -> Element:
        (found,) = self.all(name, class_)
        return found

    def section(self, key: str) -> Element:
        (found,) = [each for each in self.all("section") if each.attributes["id"] == key]
        return found

    def facts(self) -> dict[str, str]:
        return {each.one("dt").text: each.one("dd").text for each in self.one("dl").all("div")}

    def table(self, beginning: str) -> list[list[str]]:
        """The cells of the table whose caption begins so, the heading first."""
        (found,) = [each for each in self.all("table") if each.one("caption").text.startswith(beginning)]
        return [[cell.text for cell in row.walk() if cell.name in ("th", "td")] for row in found.all("tr")]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.path = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({key for key, _ in attrs}) == len(attrs), (tag, attrs)
        element = Element(tag, {key: value or "" for key, value in attrs})
        self.path[-1].children.append(element)
        if tag not in VOID:
            self.path.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop().name == tag

    def handle_data(self, data: str) -> None:
        self.path[-1].children.append(data)


def read(path: Path) -> Element:
    """The page as a tree; every element that was opened must have been closed in its turn."""
    reader = _Reader()
    text = path.read_text(encoding="utf-8")
    assert text.startswith('<!doctype html>\n<html lang="en">')
    reader.feed(text)
    reader.close()
    assert reader.path == [reader.root]
    check(reader.root)
    return reader.root


def check(page: Element) -> None:
    """What holds for every report, whatever the data."""
    assert {each.name for each in page.walk()} - {""} <= OURS
    for each in page.walk():
        assert not any(key.startswith("on") for key in each.attributes), each.attributes
        for key in ("src", "href"):
            assert each.attributes.get(key, "#").startswith(("#", "data:")), each.attributes
    style = page.one("style").text
    assert not any(word in style for word in ("url(", "@import", "</"))
    assert "prefers-color-scheme: dark" in style
    policy = [each.attributes["content"] for each in page.all("meta") if "http-equiv" in each.attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]

    assert tuple(each.attributes["id"] for each in page.all("section")) == SECTIONS
    identifiers = [each.attributes["id"] for each in page.walk() if "id" in each.attributes]
    assert len(set(identifiers)) == len(identifiers)
    for section in page.all("section"):
        heading = section.one("h2")
        assert section.attributes["aria-labelledby"] == heading.attributes["id"]
        assert heading.text
        assert len(section.text) > len(heading.text) + 20
    linked = [each.attributes["href"] for each in page.one("nav").all("a")]
    assert linked == [f"#{key}" for key in SECTIONS]
    page.one("h1")
    for table in page.all("table"):
        assert table.one("caption").text
        columns = [cell.attributes.get("scope") for cell in table.one("thead").walk() if cell.name in ("th", "td")]
        assert set(columns[1:]) == {"col"}
        for row in table.one("tbody").all("tr"):
            cells = [cell for cell in row.walk() if cell.name in ("th", "td")]
            assert cells[0].attributes.get("scope") == "row"
            assert len(cells) == len(columns)
    for drawing in page.all("svg"):
        assert drawing.attributes["role"] == "img"
        assert len(drawing.attributes["aria-label"]) > 20
    for image in page.all("img"):
        assert len(image.attributes["alt"]) > 10
        assert image.attributes["src"].startswith("data:image/png;base64,")
