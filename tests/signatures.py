"""Signatures as they are written in the source, the same text from every Python."""

from __future__ import annotations

import re
from inspect import Parameter, Signature
from typing import ForwardRef


class _Written:
    """Text that `inspect` shows as it is, without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def written(signature: Signature) -> str:
    """The signature in parentheses, with what is returned."""
    parameters = [
        parameter.replace(annotation=_annotation(parameter.annotation)) for parameter in signature.parameters.values()
    ]
    result = _annotation(signature.return_annotation)
    return str(signature.replace(parameters=parameters, return_annotation=result))


def annotation_text(annotation: object) -> str:
    """An annotation as it is written; one that was evaluated names its classes without their modules."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    if type(annotation) is type:
        return annotation.__name__
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(annotation))


def _annotation(annotation: object) -> object:
    return annotation if annotation is Parameter.empty else _Written(annotation_text(annotation))
