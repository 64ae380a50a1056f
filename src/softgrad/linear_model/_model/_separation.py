"""Whether a direction separates the classes: no row loses by it, and some gain, so that the loss falls without end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array, Rows
from softgrad.linear_model._data._terms import ArrayTerm
from softgrad.linear_model._model._affine import Affine

# How many roundings of its largest terms a difference of logits may be from 0 and count as 0. A direction comes from
# factors of the Hessian, whose condition costs some of its digits.
_ROUNDINGS = 2.0**16


@dataclass
class Separation(ArrayTerm[Rows]):
    """How many rows lose, and how many gain: beyond rounding, in float64; (2,).

    A row loses where a class rises above one that has a part of its target, and gains where one falls below all that
    have. Both are as weight and bias of the rows as they are.

    Parameters
    ----------
    direction, magnitude : Affine
        In float64; the sums of the magnitudes of what the direction was made of.
    smoothed : bool
        Whether every class has a part of each target.
    """

    direction: Affine
    magnitude: Affine
    smoothed: bool

    def start(self) -> NDArray[Any]:
        return np.zeros(2, np.int64)

    def part(self, block: Rows) -> NDArray[Any]:
        rows = block._replace(X=block.X.astype(np.float64))
        changes = rows.logits(*self.direction)
        largest = rows._replace(X=abs(rows.X)).logits(*self.magnitude).max(axis=1)
        rounding = _ROUNDINGS * np.finfo(np.float64).eps * largest
        of_target = self._of_target(rows, changes)
        loses = changes.max(axis=1) - of_target > rounding
        gains = of_target - changes.min(axis=1) > rounding
        return np.array([loses.sum(), gains.sum()])

    def _of_target(self, rows: Rows, changes: Array) -> Array:
        """The least change of a class with a part of the target."""
        least: Array
        if self.smoothed:
            least = changes.min(axis=1)
        elif rows.labels.ndim == 2:
            least = np.where(rows.labels > 0.0, changes, np.inf).min(axis=1)
        else:
            least = changes[np.arange(len(changes)), rows.labels]
        return least
