"""The verbs of a family of functions as each member shows them: its names, its options, its formula, its example."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, Signature
from types import FunctionType
from typing import Any

_EXAMPLES = "\n\nExamples\n--------\n>>> import softgrad as sg\n"


def documentation(template: str, names: Mapping[str, str], said: str) -> str:
    """The docstring of a verb: that of the family, with the names of the member and what it says.

    It says its formula in the first line, what there is to add, and an executed example.
    """
    formula, rest = inspect.cleandoc(said).split("\n", 1)
    start = rest.index(">>>")
    added, example = rest[:start].strip(), rest[start:]
    first, others = inspect.cleandoc(template).format(formula=formula, **names).split("\n", 1)
    heading = f"{first}\n\n{added}" if added else first
    return f"{heading}\n{others}{_EXAMPLES}{example}\n"


def signature(verb: Callable[..., Any], names: Mapping[str, str], options: tuple[Parameter, ...]) -> Signature:
    """The signature of a verb, with the options of the member for `**options` and its names for the family's."""
    given = inspect.signature(verb)
    result = names.get(given.return_annotation, given.return_annotation)
    return given.replace(parameters=list(_parameters(given, names, options)), return_annotation=result)


def keyword_only(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    return tuple(p for p in inspect.signature(function).parameters.values() if p.kind is Parameter.KEYWORD_ONLY)


def called_by(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under the name by which Python refuses arguments that do not fit, at no cost to a call."""
    assert isinstance(function, FunctionType)
    closure = function.__closure__
    copy = FunctionType(function.__code__, function.__globals__, None, function.__defaults__, closure)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__doc__, copy.__module__, copy.__qualname__ = function.__doc__, function.__module__, name
    copy.__annotations__ = function.__annotations__
    return copy


def show_signature(verb: Callable[..., Any], shown: Signature) -> None:
    """What `help`, `inspect.signature` and `__annotations__` tell of a function from now on."""
    verb.__signature__ = shown  # type: ignore[attr-defined]
    verb.__annotations__ = {p.name: p.annotation for p in shown.parameters.values() if p.annotation is not p.empty}
    verb.__annotations__["return"] = shown.return_annotation


def _parameters(given: Signature, names: Mapping[str, str], options: tuple[Parameter, ...]) -> Iterator[Parameter]:
    """The options of the member first among those that are given by name."""
    for parameter in given.parameters.values():
        if parameter.kind is Parameter.KEYWORD_ONLY or parameter.kind is Parameter.VAR_KEYWORD:
            yield from options
            options = ()
        if parameter.kind is not Parameter.VAR_KEYWORD:
            yield parameter.replace(name=names.get(parameter.name, parameter.name))
