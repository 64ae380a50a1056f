"""The public API as text, a line for each name, with its signature.

`python -m tests.public_api` writes it to tests/public_api.txt.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, get_type_hints

from typer.models import ArgumentInfo

import softgrad
from softgrad._differentiable import Differentiable
from softgrad.cli.app import app
from tests.signatures import annotation_text, written

FILE = Path(__file__).with_suffix(".txt")
PACKAGE = str(Path(softgrad.__file__).parent)
# The command is public, the modules that it is made of are not; nor are the scripts that it runs.
NOT_IMPORTED = {"cli", "examples"}
OPERATORS = {"__call__", "__matmul__"}


def text() -> str:
    return "\n".join([*python_names(), *command_names(), ""])


def python_names() -> Iterator[str]:
    """Every name of `__all__` of the package and its rooms, once with all that it has."""
    rooms = [module.name for module in pkgutil.iter_modules([PACKAGE]) if not module.name.startswith("_")]
    shown: dict[int, str] = {}
    for room in ["softgrad", *(f"softgrad.{name}" for name in sorted(set(rooms) - NOT_IMPORTED))]:
        module = importlib.import_module(room)
        yield room
        for name in sorted(getattr(module, "__all__", ())):
            place, value = f"{room}.{name}", getattr(module, name)
            first = shown.setdefault(id(value), place)
            yield from lines_of(place, value) if first == place else [f"{place} is {first}"]


def lines_of(place: str, value: Any) -> Iterator[str]:
    if isinstance(value, Differentiable):
        yield place + written(inspect.signature(value))
        yield f"{place}.derivatives"
        yield f"{place}.name"
        for verb in sorted(value.derivatives):
            yield f"{place}.{verb}{written(inspect.signature(getattr(value, verb)))}"
    elif inspect.isclass(value):
        yield f"class {place}{written(inspect.signature(value).replace(return_annotation=inspect.Signature.empty))}"
        yield from sorted(f"{place}.{line}" for line in _members(value))
    elif hasattr(value, "__nb_signature__"):
        # A function of the core; inspect knows only those of Python.
        yield place + value.__nb_signature__[0][0].removeprefix(f"def {value.__name__}")
    else:
        yield place + written(inspect.signature(value))


def _members(cls: type) -> Iterator[str]:
    """Attributes that are documented or annotated, properties and methods, as far as softgrad defines them."""
    own = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == cls.__module__.partition(".")[0]]
    attributes: dict[str, str] = dict.fromkeys((name for base in own for name in _documented(base)), "")
    methods: dict[str, str] = {}
    for base in reversed(own):
        for name, annotation in inspect.get_annotations(base).items():
            if not annotation_text(annotation).startswith("ClassVar"):
                attributes[name] = f": {annotation_text(annotation)}"
        for name, value in vars(base).items():
            if isinstance(value, property | cached_property):
                getter = value.fget if isinstance(value, property) else value.func
                attributes[name] = f": {annotation_text(inspect.signature(getter).return_annotation)}"
            elif callable(method := getattr(base, name)) and inspect.unwrap(method).__module__ == base.__module__:
                methods[name] = _method(base, name)
    for name, shown in {**attributes, **methods}.items():
        if not name.startswith("_") or name in OPERATORS:
            yield name + shown


def _documented(cls: type) -> list[str]:
    """The names of the section "Attributes" of a numpydoc docstring."""
    section = re.search(r"^Attributes\n-+\n(.*?)(?:^\w[\w ]+\n-+\n|\Z)", inspect.getdoc(cls) or "", re.M | re.S)
    heads = re.findall(r"^(\w[\w, ]*?)(?: :.*)?$", section[1], re.M) if section else []
    return [name for head in heads for name in head.split(", ")]


def _method(cls: type, name: str) -> str:
    signature = inspect.signature(getattr(cls, name))
    if not isinstance(inspect.getattr_static(cls, name), classmethod | staticmethod):
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    return written(signature)


def command_names() -> Iterator[str]:
    """The subcommands with their arguments in order, and the options of each."""
    root = app.registered_callback
    assert root is not None
    for command in [root, *sorted(app.registered_commands, key=lambda each: each.callback.__name__)]:
        function = command.callback
        called = "$ softgrad" if command is root else f"$ softgrad {function.__name__}"
        hints = get_type_hints(function, include_extras=True)
        arguments, options = [], []
        for name, parameter in inspect.signature(function).parameters.items():
            said = hints[name].__metadata__[0]
            kind = annotation_text(hints[name].__origin__)
            if isinstance(said, ArgumentInfo):
                arguments.append(f"{said.metavar}: {kind}")
            else:
                # Typer takes the first name for a default, and knows better later.
                names = [given for given in (said.default, *(said.param_decls or ())) if isinstance(given, str)]
                names = ", ".join(names or [f"--{name.replace('_', '-')}"])
                options.append(f"{names}: {kind} = {parameter.default!r}")
        yield " ".join([called, *arguments])
        yield from (f"{called} {option}" for option in sorted(options))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    print(f"wrote {FILE}")
