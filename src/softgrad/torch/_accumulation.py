"""Gradients that are added to `.grad` where they are made: no array of their own is needed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from softgrad.torch._registration import accumulates, has_hooks


def require_leaf(operand: Tensor, name: str) -> None:
    """Refuse what has no `.grad` of its own, and hooks, which would not be called."""
    if not operand.is_leaf:
        raise ValueError(f"accumulate_grad adds to the .grad of {name}, which is no leaf")
    if has_hooks(operand):
        raise ValueError(f"accumulate_grad adds to the .grad of {name} past its hooks; remove them")


def places_of_gradients(operands: Sequence[Tensor | None], wrt: Sequence[bool]) -> list[Tensor | None]:
    """Where the gradients are added in the backward that runs: `.grad` of leaves that have one, zeros for others.

    None for those that are not wanted.
    """
    places: list[Tensor | None] = []
    for operand, wanted in zip(operands, wrt, strict=True):
        if operand is None or not wanted:
            places.append(None)
        elif not operand.is_leaf:
            places.append(torch.zeros_like(operand))
        elif not accumulates(operand):
            places.append(None)
        else:
            places.append(torch.zeros_like(operand) if operand.grad is None else operand.grad)
    return places


def returned(operands: Sequence[Tensor | None], places: Sequence[Tensor | None]) -> list[Tensor | None]:
    """What is left for torch to add, once the gradients stand in their places."""
    left: list[Tensor | None] = []
    for operand, place in zip(operands, places, strict=True):
        if operand is not None and operand.is_leaf and place is not None and place is operand.grad:
            torch.autograd.graph.increment_version(place)
            left.append(None)
        else:
            left.append(place)
    return left
