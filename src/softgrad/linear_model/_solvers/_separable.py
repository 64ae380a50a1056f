"""The error of a fit that has no optimum, which names the direction that it would follow without end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from softgrad.linear_model._data._rows import Array

_MOST_NAMED = 3
# Entries smaller than this part of the largest one are not named.
_LEAST_NAMED = 0.1


class SeparableClasses(ValueError):
    """Without a penalty, separable classes have no optimum.

    Parameters
    ----------
    weight : ndarray, shape (K, d)
        The direction, of the features in units of their spread where that is known.
    bias : ndarray, shape (K,)
    is_certain : bool
        Whether no row loses by the direction, to within rounding; else rounding hides where the optimum may be.
    classes, features : sequence, optional
        Their names; by default their numbers.
    """

    def __init__(
        self,
        weight: Array,
        bias: Array,
        *,
        is_certain: bool,
        classes: Sequence[object] | None = None,
        features: Sequence[object] | None = None,
    ) -> None:
        self._weight, self._bias, self._is_certain = weight, bias, is_certain
        class_names = range(len(weight)) if classes is None else classes
        feature_names = range(weight.shape[1]) if features is None else features
        sizes = np.maximum(np.abs(weight).max(axis=1, initial=0.0), np.abs(bias))
        leading = int(sizes.argmax())
        entries = np.append(weight[leading], bias[leading])
        names = [*(f"feature {name!r}" for name in feature_names), "the intercept"]
        largest = [int(place) for place in np.argsort(-np.abs(entries), kind="stable")[:_MOST_NAMED]]
        shown = [
            f"{names[place]} ({entries[place] / sizes[leading]:+.2g})"
            for place in largest
            if abs(entries[place]) >= _LEAST_NAMED * sizes[leading]
        ]
        known = "" if is_certain else ", as far as rounding lets this be known"
        super().__init__(
            f"the classes are separable{known}: C=inf has no optimum. The loss falls without end in a direction that "
            f"is, for class {class_names[leading]!r}, mostly {', '.join(shown)}; choose a finite C"
        )

    def named(self, classes: Sequence[object], features: Sequence[object] | None) -> SeparableClasses:
        """This error with the names of the classes and, if there are any, of the features."""
        return SeparableClasses(
            self._weight, self._bias, is_certain=self._is_certain, classes=classes, features=features
        )
