"""The passes over blocks of rows: all logits of some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from softgrad._contracts import Float64, Floating, Int64
from softgrad._negligible import clear_negligible
from softgrad.losses._linear_cross_entropy._gradients import Sums
from softgrad.losses._linear_cross_entropy._head import Head
from softgrad.losses._linear_cross_entropy._operands import Along
from softgrad.losses._linear_cross_entropy._sizes import count

Rows = slice | Int64


def losses(head: Head, sums: Sums | None) -> Float64:
    """The loss of each row; the gradients of the reduced loss are added to `sums`."""
    found = np.zeros(head.problem.batch)
    for part, rows, logits in _blocks(head):
        problem = head.problem.rows(part)
        found[part] = problem.row_losses(logits, None if sums is None else logits)
        if sums is not None:
            clear_negligible(logits, problem.row_factors(), logits.dtype)
            sums.add(logits, rows, head.operands.weight)
            sums.end_block(part)
    return found


def changes(head: Head, along: Along) -> Float64:
    """The derivative of the loss of each row along tangents."""
    found = np.zeros(head.problem.batch)
    moved = head.buffer()
    for part, rows, logits in _blocks(head):
        found[part] = head.problem.rows(part).row_losses(logits, None, _change(head, along, part, rows, moved))
    return found


def add_changes_of_gradients(head: Head, along: Along, sums: Sums, gauss_newton: bool) -> None:
    """The changes of the gradients along tangents are added to `sums`."""
    moved = head.buffer()
    for part, rows, logits in _blocks(head):
        problem = head.problem.rows(part)
        change_of_logits = _change(head, along, part, rows, moved)
        change = problem.hvp(logits, change_of_logits)
        clear_negligible(change, problem.row_factors(), change.dtype, change_of_logits)
        sums.add(change, rows, head.operands.weight)
        moving = along.hidden_rows(part, head.operands.work)
        if not gauss_newton and (moving is not None or along.weight is not None):
            problem.row_losses(logits, logits)
            clear_negligible(logits, problem.row_factors(), logits.dtype)
            sums.add_products(logits, moving, along.weight)
        sums.end_block(part)


def _blocks(head: Head) -> Iterator[tuple[Rows, Any, Floating]]:
    """Which rows, those of hidden, and their logits, in one buffer for all blocks."""
    buffer = head.buffer()
    for part in head.counting_blocks():
        rows, logits = head.operands.rows(part), buffer[: count(part)]
        head.logits(rows, slice(None), logits)
        if head.predictions is not None:
            mask = head.problem.mask
            head.predictions.see(part, logits, None if mask is None else mask[part])
        yield part, rows, logits


def _change(head: Head, along: Along, part: Rows, rows: Any, buffer: Floating) -> Floating:
    """The change of the logits of some rows."""
    change = buffer[: count(part)]
    change[...] = 0.0
    moving = along.hidden_rows(part, head.operands.work)
    if moving is not None:
        head.products.logits(moving, head.operands.weight, change, add=True)
    if along.weight is not None:
        head.products.logits(rows, along.weight, change, add=True)
    if along.bias is not None:
        np.add(change, along.bias, out=change)
    return change
