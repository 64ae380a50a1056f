"""The gradients of linear_cross_entropy: the arrays they are written to, and how they are added up."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from softgrad._contracts import Floating, Int64, output_for, round_to, separate
from softgrad.losses._linear_cross_entropy._operands import NAMES, Operands
from softgrad.losses._linear_cross_entropy._products import Products


class LinearGradients(NamedTuple):
    """Gradients by the arguments of `linear_cross_entropy`; None for one that was not asked for or not given."""

    hidden: Floating | None
    weight: Floating | None
    bias: Floating | None


Out = tuple[Floating | None, Floating | None, Floating | None]


def outputs(
    operands: Operands,
    wanted: frozenset[str],
    out: Out | None,
    accumulate: bool,
    **inputs: object,
) -> LinearGradients:
    """Where the gradients go: what the caller gave, checked, and new arrays for the rest. Nothing is written.

    `inputs`: what else is read while they are written.
    """
    given = _given(out)
    read = {name: operands.get(name) for name in NAMES} | inputs
    results: dict[str, Floating | None] = {}
    for name in NAMES:
        argument, place = operands.get(name), getattr(given, name)
        if name not in wanted or argument is None:
            if place is not None:
                why = f"there is no {name}" if argument is None else f"wrt does not name {name}"
                raise ValueError(f"out.{name} is given, and {why}")
            results[name] = None
            continue
        if place is None and accumulate:
            raise ValueError(f"accumulate=True adds to what is there: out.{name} is not given")
        others = {f"out.{other}": array for other, array in results.items()}
        try:
            results[name] = np.zeros(argument.shape, argument.dtype) if place is None else output_for(argument, place)
            separate(place, **read, **others)
        except (TypeError, ValueError) as error:
            raise type(error)(f"out.{name}: {error}") from None
    return LinearGradients(**results)


def _given(out: Out | None) -> LinearGradients:
    if out is None:
        return LinearGradients(None, None, None)
    if not isinstance(out, tuple) or len(out) != 3:
        raise TypeError("out must be a tuple of three: for hidden, weight and bias, None for a new array")
    return LinearGradients(*out)


class Sums:
    """Gradients of losses, added up block by block.

    That of weight is added up where it is returned if it has the dtype of the products, else beside it in float32; that
    of bias in float64; a row of that of hidden is one block's.
    """

    def __init__(self, operands: Operands, products: Products, results: LinearGradients, accumulate: bool) -> None:
        self.results = results
        self._products = products
        self._accumulate = accumulate
        self._work = operands.work
        self._rows: Floating | None = None
        """The gradient of the rows of this block, from the classes so far."""
        self._weight = results.weight
        self._weight_is_there = accumulate
        if results.weight is not None and results.weight.dtype != self._work:
            self._weight = (
                results.weight.astype(self._work) if accumulate else np.empty(operands.weight.shape, self._work)
            )
        self._bias = None if results.bias is None else np.zeros(results.bias.shape)
        if results.hidden is not None and not accumulate:
            results.hidden[...] = 0.0

    def add(self, gradient: Floating, rows: Any, weight: Floating, start: int = 0) -> None:
        """What a gradient by the logits of a block adds: its classes are those from `start` on, its rows these."""
        classes = slice(start, start + gradient.shape[1])
        self._add_by_hidden(gradient, weight[classes])
        if self._weight is not None:
            self._products.by_weight(gradient, rows, self._weight[classes], add=self._weight_is_there)
        if self._bias is not None:
            self._bias[classes] += gradient.sum(axis=0, dtype=np.float64)

    def add_products(self, gradient: Floating, rows: Floating | None, weight: Floating | None) -> None:
        """What it adds by way of other rows of hidden and other weights, to a block that is there already."""
        if weight is not None:
            self._add_by_hidden(gradient, weight)
        if rows is not None and self._weight is not None:
            self._products.by_weight(gradient, rows, self._weight, add=True)

    def end_block(self, part: slice | Int64) -> None:
        """The rows of a block are complete."""
        self._weight_is_there = True
        hidden = self.results.hidden
        if hidden is not None and self._rows is not None:
            rows = self._rows + hidden[part] if self._accumulate else self._rows
            hidden[part] = round_to(rows, hidden.dtype)
        self._rows = None

    def end(self) -> LinearGradients:
        """All blocks are there."""
        weight, bias = self.results.weight, self.results.bias
        if weight is not None and self._weight is not None:
            if not self._weight_is_there:
                weight[...] = 0.0
            elif weight is not self._weight:
                # Beyond the range of the dtype is inf, as for any rounding of an exact result.
                with np.errstate(over="ignore", under="ignore"):
                    np.copyto(weight, self._weight, casting="unsafe")
        if bias is not None and self._bias is not None:
            bias[...] = round_to(self._bias + bias if self._accumulate else self._bias, bias.dtype)
        return self.results

    def _add_by_hidden(self, gradient: Floating, weight: Floating) -> None:
        if self.results.hidden is None:
            return
        if self._rows is None:
            self._rows = np.empty((len(gradient), weight.shape[1]), self._work)
            self._products.by_hidden(gradient, weight, self._rows, add=False)
        else:
            self._products.by_hidden(gradient, weight, self._rows, add=True)
