"""Where viewcode finds the source of the derivatives, which are methods of the class of a function or of its family."""

from __future__ import annotations

import inspect
from typing import Any

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.typing import ExtensionMetadata

import softgrad
from softgrad._differentiable import Differentiable

Tag = tuple[str, int, int]


def definition(name: str) -> tuple[str, str] | None:
    """The module and the qualified name of what is written for "softmax" or "softmax.vjp"."""
    function, _, verb = name.partition(".")
    value: Differentiable | None = softgrad.registry().get(function)
    if value is None or (verb and verb not in value.derivatives):
        return None
    written = inspect.unwrap(getattr(type(value), verb)) if verb else type(value)
    return written.__module__, written.__qualname__


def follow(_app: Sphinx, module: str, name: str) -> str | None:
    """The module with the source of a name that is documented in `module`."""
    if module in ("softgrad", "softgrad.functional", "softgrad.losses") and (found := definition(name)):
        return found[0]
    # What the core defines has no source in Python; viewcode would list a page for it that it does not write.
    if module == "softgrad" and getattr(getattr(softgrad, name, None), "__module__", None) == "softgrad._core":
        return module
    return None


def find(_app: Sphinx, module: str) -> tuple[str, dict[str, Tag]] | None:
    """The source of a module and the lines of each name: those of the derivatives too."""
    places: dict[str, str] = {}
    for name, value in softgrad.registry().items():
        for shown in (name, *(f"{name}.{verb}" for verb in value.derivatives)):
            found = definition(shown)
            if found is not None and found[0] == module:
                places[shown] = found[1]
    if not places:
        return None
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.find_tags()
    tags: dict[str, Any] = dict(analyzer.tags)
    return analyzer.code, tags | {shown: tags[place] for shown, place in places.items()}


def setup(app: Sphinx) -> ExtensionMetadata:
    app.connect("viewcode-follow-imported", follow)
    app.connect("viewcode-find-source", find)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
