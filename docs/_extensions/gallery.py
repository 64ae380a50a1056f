"""Writes the gallery: the scripts of examples/, executed, each with its tables and picture. Directive `examples`."""

from __future__ import annotations

import ast
from pathlib import Path

from docutils import nodes
from generated_pages import page, plain, write_pages
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from softgrad.cli.experiment import load, scripts, summary
from softgrad.examples._experiment import Table, png

# These train for minutes, or start a cluster: their pages have the source alone.
NOT_EXECUTED = {"cluster", "hugging-face", "language-model"}

log = logging.getLogger(__name__)


def write_gallery(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "gallery" / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    write_pages(folder, {f"{name}.rst": page_of_example(name, script, folder) for name, script in scripts().items()})


def title_of(script: Path) -> str:
    return summary(script).rstrip(".")


def page_of_example(name: str, script: Path, folder: Path) -> str:
    text = script.read_text(encoding="utf-8")
    _, _, words = (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")
    parts = [words, f".. code-block:: console\n\n   $ softgrad experiment {name}"]
    if name in NOT_EXECUTED:
        parts.append("It takes too long to be executed for this page, which has its source alone.")
    else:
        log.info("executing the example %s", name)
        result = load(name)()
        (folder / f"{name}.png").write_bytes(png(result))
        parts += [f".. image:: {name}.png\n   :alt: {title_of(script)}", *map(table, result.tables())]
    code = "\n".join(f"   {line}" for line in text.splitlines())
    return page(title_of(script), *parts, f".. code-block:: python\n   :caption: examples/{script.name}\n\n{code}")


def table(shown: Table) -> str:
    lines = [f".. list-table:: {plain(shown.title)}", "   :header-rows: 1", ""]
    rows = [[format(cell, how) for cell, how in zip(row, shown.columns.values(), strict=True)] for row in shown.rows]
    for row in [list(shown.columns), *rows]:
        lines += [f"   {'*' if number == 0 else ' '} - {plain(cell)}" for number, cell in enumerate(row)]
    return "\n".join(lines)


class Examples(SphinxDirective):
    """A link to each example, with its picture where it was executed."""

    def run(self) -> list[nodes.Node]:
        lines = []
        for name, script in scripts().items():
            picture = "" if name in NOT_EXECUTED else f"![](examples/{name}.png) "
            lines.append(f"- [{picture}{title_of(script)}](examples/{name}.rst)")
        return [nodes.container("", *self.parse_text_to_nodes("\n".join(lines)), classes=["examples"])]


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("builder-inited", write_gallery)
    app.add_directive("examples", Examples)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
