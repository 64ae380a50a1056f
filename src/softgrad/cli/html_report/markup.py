"""Markup from names, attributes and text. Text is escaped in one place, here, so that no section can forget it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from softgrad.cli.errors import printable

_VOID = frozenset({"img", "link", "meta"})


class Html(str):
    """Text that is markup already; every other text is escaped."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: object) -> Html:
    """An element of HTML or SVG; `class_` stands for class, an underscore for a hyphen, None for no such attribute."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(content)}</{name}>")


def joined(content: Iterable[str]) -> Html:
    return Html("".join(text if isinstance(text, Html) else _escaped(text) for text in content))


def _escaped(text: str) -> str:
    return html.escape(printable(text))


def paragraph(*content: str) -> Html:
    return element("p", *content)


def note(*content: str) -> Html:
    return element("p", *content, class_="note")


def numbers(name: str) -> Html:
    """The heading of a column of numbers."""
    return element("th", name, scope="col", class_="number")


def number_cell(text: str) -> Html:
    return element("td", text, class_="number")


def cell(*content: str) -> Html:
    return element("td", *content)


def table(caption: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[Html]]], class_: str = "") -> Html:
    """A table whose rows are a header and their cells; it scrolls by itself where the window is too narrow.

    The caption is what a screen reader says of the part that scrolls, too.
    """
    head = element("tr", *(name if isinstance(name, Html) else element("th", name, scope="col") for name in columns))
    body = [element("tr", element("th", header, scope="row"), *cells) for header, cells in rows]
    whole = element(
        "table", element("caption", caption), element("thead", head), element("tbody", *body), class_=class_ or None
    )
    return element("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def facts(entries: Iterable[tuple[str, str]]) -> Html:
    """Names with their values, side by side where there is room."""
    return element(
        "dl", *(element("div", element("dt", name), element("dd", value)) for name, value in entries), class_="facts"
    )


def figure(drawing: Html, *caption: str) -> Html:
    return element("figure", drawing, element("figcaption", *caption))
