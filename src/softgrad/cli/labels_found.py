"""The labels of a target, numbered as they are found part by part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from softgrad.cli.classes import MOST_CLASSES, Classes
from softgrad.cli.errors import UserError
from softgrad.cli.tables import IntArray, LabelKind, Labels, Words


class FoundLabels:
    """Labels in the order in which they are found; `source` and `target` are what messages call file and column.

    Attributes
    ----------
    labels : list
        Those that were found before, then those that are added.
    counts : dict
        How many rows of each were added.
    """

    def __init__(self, source: str, target: str, before: Iterable[object]) -> None:
        self.labels = list(before)
        self.counts: dict[object, int] = {}
        self._name = f"{source}: target {target!r}"
        self._number = {label: number for number, label in enumerate(self.labels)}

    def add(self, labels: Labels) -> IntArray:
        """The number of each label of the next rows, none missing.

        Raises
        ------
        UserError
            There are too many different ones.
        """
        present: Sequence[object]
        if isinstance(labels, Words):
            codes, present = labels.codes, labels.vocabulary
        else:
            distinct, codes = np.unique(labels, return_inverse=True)
            present = distinct.tolist()
        # In the order of the rows, which does not depend on where the parts end.
        places, first, counts = np.unique(codes, return_index=True, return_counts=True)
        for place in np.argsort(first):
            label = present[places[place]]
            self.counts[label] = self.counts.get(label, 0) + int(counts[place])
            if label not in self._number:
                self._number[label] = len(self.labels)
                self.labels.append(label)
        if len(self.labels) > MOST_CLASSES:
            raise UserError(
                f"{self._name} has more than {MOST_CLASSES} different values; so many classes cannot be told apart, "
                f"and regression targets are not supported"
            )
        return np.array([self._number[label] for label in present], np.int64)[codes]

    def classes(self, kind: LabelKind) -> Classes:
        """All of them, which are of this kind.

        Raises
        ------
        UserError
            There is a single one.
        """
        if len(self.labels) == 1:
            raise UserError(f"{self._name} has a single class, {self.labels[0]!r}; two are needed")
        return Classes(kind, tuple(sorted(self.labels)))  # type: ignore[type-var, arg-type]
