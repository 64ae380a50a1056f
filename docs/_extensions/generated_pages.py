"""Pages that are made when the site is built, below a folder that holds nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_pages(folder: Path, pages: Mapping[str, str]) -> None:
    """Write what differs, since Sphinx reads again what is newer than before, and remove what is no longer made."""
    for path, text in pages.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    for file in set(folder.rglob("*.rst")) - {folder / path for path in pages}:
        file.unlink()


def page(title: str, *parts: str) -> str:
    """A page in reStructuredText."""
    return "\n\n".join([f"{title}\n{'=' * len(title)}", *parts]) + "\n"


def plain(text: str) -> str:
    """Text in which reStructuredText sees no markup, no dash of a list either."""
    return re.sub(r"([*`_|\\]|^-)", r"\\\1", text)


def table_of_links(rows: Iterable[tuple[str, str, str]]) -> str:
    """A table of (what it is called, where its page is, what it is)."""
    lines = [f"   * - :doc:`{name} <{place}>`\n     - {words}" for name, place, words in rows]
    return "\n".join([".. list-table::", "   :widths: 35 65", "   :class: names", "", *lines])
