"""The public names of softgrad, room by room: what the reference has a page for."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from numpydoc.docscrape import NumpyDocString

import softgrad

# The command has pages of its own, the scripts are in the gallery.
NOT_ROOMS = {"cli", "examples"}


@dataclass(frozen=True)
class Name:
    """A name of a room: the value, and the room that has its page, the first where there are several."""

    room: str
    name: str
    value: Any
    home: str

    @property
    def place(self) -> str:
        return f"{self.room}.{self.name}"

    @property
    def page(self) -> str:
        return f"{self.home}/{self.name}"


def rooms() -> list[ModuleType]:
    """The package and its public modules."""
    folder = str(Path(softgrad.__file__).parent)
    found = sorted(module.name for module in pkgutil.iter_modules([folder]) if not module.name.startswith("_"))
    return [softgrad, *(importlib.import_module(f"softgrad.{name}") for name in found if name not in NOT_ROOMS)]


def public_names() -> list[Name]:
    """All of them, in the order of the rooms."""
    homes: dict[int, str] = {}
    return [
        Name(room.__name__, name, value := getattr(room, name), homes.setdefault(id(value), room.__name__))
        for room in rooms()
        for name in sorted(getattr(room, "__all__", ()))
    ]


def summary(value: Any) -> str:
    """The first paragraph of a docstring."""
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


@dataclass(frozen=True)
class Member:
    """What a class has: how autodoc calls it, its name, and its description where a base has that in its docstring."""

    directive: str
    name: str
    description: tuple[str, ...] = ()


def members(cls: type) -> Iterator[Member]:
    """What softgrad defines of a class and its docstring does not describe."""
    own = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "softgrad"]
    found: dict[str, Member] = {}
    for base in reversed(own):
        for name in inspect.get_annotations(base):
            found[name] = Member("autoattribute", name)
        for name, description in described_attributes(base).items():
            found[name] = Member("attribute", name, description)
        for name, value in vars(base).items():
            if isinstance(value, property | cached_property):
                found[name] = Member("autoproperty", name)
            elif callable(method := getattr(base, name)) and inspect.unwrap(method).__module__ == base.__module__:
                found[name] = Member("automethod", name)
    shown = described_attributes(cls)
    for name, member in sorted(found.items()):
        public = not name.startswith("_") or name == "__matmul__"
        if public and not (member.directive.endswith("attribute") and name in shown):
            yield member


def described_attributes(cls: type) -> dict[str, tuple[str, ...]]:
    """The names in the sections of its docstring, where several may stand in one line, and the lines below them."""
    docstring = NumpyDocString(inspect.getdoc(cls) or "")
    described = [each for section in ("Parameters", "Attributes") for each in docstring[section]]
    return {name: tuple(each.desc) for each in described for name in each.name.split(", ")}
