"""Columns with the probabilities of the classes, in place of one with labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from softgrad.cli.errors import UserError
from softgrad.cli.tables import Float64Array, IntArray, Part
from softgrad.linear_model._data._distributions import distributions


class Targets(NamedTuple):
    """What rows are fitted to and scored against: class numbers, or probabilities of the classes, (rows, classes).

    `codes` are these numbers, or of each row that of the most probable class.
    """

    codes: IntArray
    values: IntArray | Float64Array

    @classmethod
    def of_labels(cls, codes: IntArray) -> Targets:
        return cls(codes, codes)

    @classmethod
    def of_probabilities(cls, probabilities: Float64Array) -> Targets:
        return cls(probabilities.argmax(axis=1), probabilities)

    def of(self, rows: IntArray | slice) -> Targets:
        """The targets of some rows."""
        return Targets(self.codes[rows], self.values[rows])


def probabilities_of(part: Part, names: Sequence[str]) -> Float64Array:
    """The probabilities that columns hold, each row scaled to add up to 1.

    Raises
    ------
    UserError
        A value is missing, no number or negative, or those of a row do not add up to 1.
    """
    found = part.matrix(names, [None] * len(names))
    for name, column in zip(names, found.T, strict=True):
        part.require_complete(name, np.isnan(column), "--missing drop of train leaves such rows out")

    def place(row: int, column: int | None) -> str:
        if column is None:
            return f"{part.row(row)}: the row of {names[0]!r} to {names[-1]!r}"
        return part.at(names[column], row)

    try:
        return distributions(found, place)
    except ValueError as error:
        raise UserError(str(error)) from None
