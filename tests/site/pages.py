"""What the pages of the site are made of, read as a browser would: the tests of the site look at these."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).parents[2] / "docs"


@dataclass
class Parts(HTMLParser):
    """The anchors of a page, the links and pictures on it, and its text."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is not None and name in ("id", "name"):
                self.anchors.add(value)
            elif value is not None and name in ("href", "src"):
                self.links.append(value)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parts_of(page: Path) -> Parts:
    parts = Parts()
    parts.feed(page.read_text(encoding="utf-8"))
    return parts


def broken_links(site: Path) -> tuple[int, list[str]]:
    """How many links the pages of a site have, and those that lead nowhere."""
    pages = {page.resolve(): parts_of(page) for page in site.rglob("*.html") if "_static" not in page.parts}
    count, found = 0, []
    for page, parts in pages.items():
        for link in parts.links:
            target = urlsplit(link)
            if target.scheme in ("http", "https", "mailto", "data"):
                continue
            count += 1
            file = (page.parent / unquote(target.path)).resolve() if target.path else page
            anchor = unquote(target.fragment)
            there = file.is_file() and (not anchor or file not in pages or anchor in pages[file].anchors)
            if target.scheme or target.netloc or not there:
                found.append(f"{page.relative_to(site.resolve())}: {link}")
    return count, found
