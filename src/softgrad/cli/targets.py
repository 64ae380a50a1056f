"""Class labels: from the target column to class numbers and back to their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from softgrad.cli.errors import UserError, listing
from softgrad.cli.tables import IntArray, Table, Words

# More distinct values than this are a measurement or an identifier, not classes.
MOST_CLASSES = 1000

Kind = Literal["text", "integer", "boolean"]


@dataclass(frozen=True)
class Classes:
    """The labels in ascending order; class k is `labels[k]`."""

    kind: Kind
    labels: tuple[str, ...] | tuple[int, ...] | tuple[bool, ...]

    @property
    def names(self) -> list[str]:
        """The labels as they are written in text."""
        return [str(label).lower() if self.kind == "boolean" else str(label) for label in self.labels]


def learn(table: Table, target: str) -> tuple[Classes, IntArray]:
    """The classes that occur in a column, and the class number of each row.

    Raises
    ------
    UserError
        If there is only one class, or more than there can be.
    """
    values = table.labels(target)
    if isinstance(values, Words):
        classes, codes = Classes("text", tuple(values.vocabulary)), values.codes
    else:
        present, codes = np.unique(values, return_inverse=True)
        classes = Classes("boolean" if values.dtype == np.bool_ else "integer", tuple(present.tolist()))
    if len(classes.labels) == 1:
        raise UserError(f"target {target!r} has a single class, {classes.labels[0]!r}; two are needed")
    if len(classes.labels) > MOST_CLASSES:
        raise UserError(
            f"target {target!r} has {len(classes.labels)} different values; at most {MOST_CLASSES} classes "
            f"can be told apart, and regression targets are not supported"
        )
    return classes, codes.astype(np.int64)


def number(table: Table, target: str, classes: Classes) -> IntArray:
    """The class number of each row, for classes that are known already.

    Raises
    ------
    UserError
        If the column holds another kind of label, or a label that is not among the classes.
    """
    if classes.kind == "text":
        words = table.words(target)
        values, found = words.codes, list[object](words.vocabulary)
    else:
        labels = table.labels(target)
        kind = "text" if isinstance(labels, Words) else "boolean" if labels.dtype == np.bool_ else "integer"
        if isinstance(labels, Words) or kind != classes.kind:
            raise UserError(
                f"target {target!r} holds {kind} labels; the classes of the model are {classes.kind}: "
                f"{listing(classes.names)}"
            )
        present, values = np.unique(labels, return_inverse=True)
        found = present.tolist()
    return class_numbers(found, values, classes, lambda row: f"target {target!r}, row {row + 1}")


def class_numbers(found: Sequence[object], values: IntArray, classes: Classes, place: Callable[[int], str]) -> IntArray:
    """The class number of each row, which holds `found[values[row]]`.

    Raises
    ------
    UserError
        If a row's label is not among the classes; `place` says in words where the row is, counted from 0.
    """
    numbers = {label: number for number, label in enumerate(classes.labels)}
    codes = np.array([numbers.get(label, -1) for label in found], dtype=np.int64)[values]
    if (codes < 0).any():
        row = int((codes < 0).argmax())
        raise UserError(f"{place(row)}: {found[values[row]]!r} is not a class of the model ({listing(classes.names)})")
    return codes
