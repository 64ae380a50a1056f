"""Links of the pages to the files of the repository that have a page of the site for a counterpart."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

COUNTERPARTS = {"CHANGELOG.md": "changelog.md", "README.md": "index.md"}


def lead_to_pages(app: Sphinx, docname: str, content: list[str]) -> None:
    folder, docs = (Path(app.srcdir) / docname).parent, Path(app.srcdir)

    def counterpart(link: re.Match[str]) -> str:
        target = (folder / link[1]).resolve()
        if target.parent == docs.parent and target.name in COUNTERPARTS:
            return f"]({os.path.relpath(docs / COUNTERPARTS[target.name], folder)})"
        return link[0]

    content[0] = re.sub(r"\]\(((?:\.\./)+[A-Z]+\.md)\)", counterpart, content[0])


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("source-read", lead_to_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
