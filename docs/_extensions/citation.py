"""The directive `citation`: what CITATION.cff says, as an entry of BibTeX."""

from __future__ import annotations

from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

FIELDS = ("title", "version", "license")


class Citation(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        file = Path(self.env.srcdir).parent / "CITATION.cff"
        self.env.note_dependency(str(file))
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        authors = " and ".join(f"{{{author['name']}}}" for author in said["authors"])
        lines = [f"  author = {{{authors}}},", *(f"  {field} = {{{said[field]}}}," for field in FIELDS)]
        text = "\n".join([f"@software{{{said['title']},", *lines, "}"])
        return [nodes.literal_block(text, text, language="bibtex")]


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("citation", Citation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
