"""Writes the reference of the command: a page for each subcommand, with its options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from generated_pages import page, plain, table_of_links, write_pages
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from softgrad.cli.app import app as command_line


def write_commands(app: Sphinx) -> None:
    root = typer.main.get_command(command_line)
    commands = dict(sorted(root.commands.items()))
    pages = {f"{name}.rst": page_of_command(f"softgrad {name}", command) for name, command in commands.items()}
    rows = [
        (f"softgrad {name}", f"/reference/commands/{name}", plain(each.help).split("\n")[0])
        for name, each in commands.items()
    ]
    pages["index.rst"] = page_of_command("softgrad", root, table_of_links(rows))
    write_pages(Path(app.srcdir) / "reference" / "commands", pages)


def page_of_command(called: str, command: Any, *more: str) -> str:
    arguments = [each.metavar for each in command.params if each.param_type_name == "argument"]
    usage = f".. code-block:: text\n\n   {' '.join([called, '[OPTIONS]', *arguments])}"
    return page(called, usage, plain(command.help), *more, f".. program:: {called}", *options(command))


def options(command: Any) -> Iterator[str]:
    for each in command.params:
        if each.param_type_name == "argument":
            yield f".. option:: {each.metavar}\n\n   {plain(each.help)}"
        else:
            value = "" if each.is_flag else f" {each.metavar or each.name.upper()}"
            default = "" if each.default in (None, False) else f" Default: {each.default}."
            yield f".. option:: {', '.join(name + value for name in each.opts)}\n\n   {plain(each.help)}{default}"


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("builder-inited", write_commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
