"""Writes the reference: a page for each room and each public name, with all its members and derivatives."""

from __future__ import annotations

import inspect
from pathlib import Path

from docutils import nodes
from generated_pages import page, table_of_links, write_pages
from public_names import Name, members, public_names, rooms, summary
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from softgrad._differentiable import Differentiable

# Of each function that has derivatives.
ATTRIBUTES = ("name", "derivatives")


def write_reference(app: Sphinx) -> None:
    names = public_names()
    pages = {}
    for name in names:
        others = [other.place for other in names if other.value is name.value and other.room != name.home]
        if name.home == name.room:
            pages[f"{name.page}.rst"] = page_of_name(name, others)
    for room in (module.__name__ for module in rooms()):
        rows = [
            (name.name, f"/reference/names/{name.page}", summary(name.value)) for name in names if name.room == room
        ]
        pages[f"{room}/index.rst"] = page(room, f".. automodule:: {room}", *([table_of_links(rows)] if rows else []))
    write_pages(Path(app.srcdir) / "reference" / "names", pages)


def page_of_name(name: Name, others: list[str]) -> str:
    """The page of a name, which can be linked to by its names in other rooms as well."""
    parts = [f".. currentmodule:: {name.room}"]
    below: list[str] = []
    if inspect.isclass(name.value):
        below = [member.name for member in members(name.value)]
        parts.append(f".. autoclass:: {name.name}")
        parts += [
            indented("   ", f".. {each.directive}:: {each.name}", *each.description) for each in members(name.value)
        ]
    else:
        parts.append(f".. autofunction:: {name.name}")
        if isinstance(name.value, Differentiable):
            below = [*name.value.derivatives]
            parts += [f".. automethod:: {name.name}.{verb}" for verb in below]
            parts += [
                f".. attribute:: {name.name}.{each}\n   :value: {getattr(name.value, each)!r}" for each in ATTRIBUTES
            ]
    anchors = [f"{other}{member}" for other in others for member in ("", *(f".{each}" for each in below))]
    if anchors:
        parts.insert(0, indented("", ".. raw:: html", *(f'<span id="{anchor}"></span>' for anchor in anchors)))
    return page(name.place, *parts)


def indented(margin: str, directive: str, *content: str) -> str:
    """A directive with its content."""
    return "\n".join([f"{margin}{directive}", "", *(f"{margin}   {line}" for line in content)])


class Rooms(SphinxDirective):
    """A table of the rooms and of the command."""

    def run(self) -> list[nodes.Node]:
        rows = [f"| [{room.__name__}](names/{room.__name__}/index.rst) | {summary(room)} |" for room in rooms()]
        command = "| [The command](commands/index.rst) | The subcommands of `softgrad`, with their options. |"
        return self.parse_text_to_nodes("\n".join(["| Room | What it has |", "|---|---|", *rows, command]))


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("rooms", Rooms)
    app.connect("builder-inited", write_reference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
