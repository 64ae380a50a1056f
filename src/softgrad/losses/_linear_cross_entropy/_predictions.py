"""The class of the largest logit of each row, found while the logits of the loss are there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad._contracts import Floating, Int64, output_for, separate

NONE = -1
"""In the place of a class, for a row that does not count."""


class Predictions:
    """Where the classes go: `place`, an array of the caller's with a number for each row."""

    def __init__(self, place: NDArray[Any], rows: int, **inputs: object) -> None:
        """`inputs`: what is read while it is written."""
        result: NDArray[Any] = np.empty(rows, np.int64)
        try:
            self._classes = output_for(result, place)
            separate(place, **inputs)
        except (TypeError, ValueError) as error:
            raise type(error)(f"predictions: {error}") from None

    def begin(self) -> None:
        """No row has been seen."""
        self._classes[...] = NONE

    def see(self, part: slice | Int64, logits: Floating, mask: NDArray[np.bool_] | None, start: int = 0) -> None:
        """The logits of some rows, for the classes from `start` on; those before have been seen for the same rows."""
        allowed: Any = logits if mask is None else np.where(mask, logits, -np.inf)
        found = allowed.argmax(axis=1)
        largest = np.take_along_axis(allowed, found[:, None], axis=1)[:, 0]
        if start == 0:
            self._largest, self._classes[part] = largest, found
            return
        # Of NaN, as for argmax, the first is the largest.
        better = (largest > self._largest) | (np.isnan(largest) & ~np.isnan(self._largest))
        self._largest = np.where(better, largest, self._largest)
        self._classes[part] = np.where(better, start + found, self._classes[part])
