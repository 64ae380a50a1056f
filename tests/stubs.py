"""The stub of softgrad.losses: what editors and type checkers see of verbs that a family has once.

`python -m tests.stubs | ruff format --stdin-filename x.pyi - > src/softgrad/losses/__init__.pyi` writes it.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from inspect import Parameter, Signature

import softgrad as sg
from softgrad import losses
from tests.signatures import written

HEAD = '''"""The losses, each with its gradient. Written by tests/stubs.py."""

# ruff: noqa: E501
from collections.abc import Iterable
from typing import Any, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike

from softgrad._contracts import Axis, Floating, Int64, Normalizer, Reduction
from softgrad._diagonal_plus_rank_one import DiagonalPlusRankOne
from softgrad._differentiable import Arguments, Differentiable
from softgrad.losses._linear_cross_entropy import LinearGradients
from softgrad.losses._linear_cross_entropy._gradients import Out
from softgrad.losses._linear_cross_entropy._head import ComputeDtype, Progress
from softgrad.losses._linear_cross_entropy._operands import Tangents
from softgrad.losses._token_logprobs import TokenDerivatives, TokenStatistics, token_logprobs
'''
# By the reduction, what is returned for `RowValues`: one loss, those of the rows.
REDUCTIONS = {'Literal["mean", "sum"]': "np.floating[Any]", 'Literal["none"]': "Floating"}


def stub() -> str:
    members = [member for name, member in sg.registry().items() if name in losses.__all__ and type(member).options]
    classes = [line for member in members for line in _class(type(member))]
    instances = [f"{member.name}: {type(member).__name__}" for member in members]
    return "\n".join([HEAD, f"__all__ = {losses.__all__!r}", *classes, *instances, ""])


def _class(cls: type) -> Iterator[str]:
    yield f"class {cls.__name__}(Differentiable):"
    yield from _docstring(cls.__doc__, " " * 4)
    for verb in ("__call__", *(name for name in cls.__dict__ if name in sg.registry()[cls.name].derivatives)):
        yield from _verb(cls, verb)
    yield from _definition("sample_arguments", inspect.signature(cls.sample_arguments), None)


def _verb(cls: type, verb: str) -> Iterator[str]:
    function = cls.__dict__[verb]
    signature = inspect.signature(function)
    documentation = None if verb == "__call__" else function.__doc__
    if "RowValues" not in signature.return_annotation:
        yield from _definition(verb, signature, documentation)
        return
    for reduction, value in REDUCTIONS.items():
        yield "    @overload"
        yield from _definition(verb, _for(signature, reduction, value), documentation)
        documentation = None


def _for(signature: Signature, reduction: str, value: str) -> Signature:
    """The overload for some reductions, which must be given where "mean" is none of them."""
    parameters = [
        parameter
        if parameter.name != "reduction"
        else parameter.replace(annotation=reduction, default="mean" if "mean" in reduction else Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    result = signature.return_annotation.replace("RowValues", value)
    return signature.replace(parameters=parameters, return_annotation=result)


def _definition(verb: str, signature: Signature, documentation: str | None) -> Iterator[str]:
    body = "" if documentation else " ..."
    yield f"    def {verb}{written(signature)}:{body}"
    if documentation:
        yield from _docstring(documentation, " " * 8)


def _docstring(text: str | None, indent: str) -> Iterator[str]:
    assert text is not None
    escaped = inspect.cleandoc(text).replace("\\", "\\\\")
    yield textwrap.indent(f'"""{escaped}\n"""', indent)


if __name__ == "__main__":
    print(stub(), end="")
