"""Class labels: from the target column to class numbers and back to their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from softgrad.cli.errors import UserError, listing
from softgrad.cli.tables import Float64Array, IntArray, Labels, Table, Words

# More distinct values than this are a measurement or an identifier, not classes.
MOST_CLASSES = 1000

Kind = Literal["text", "integer", "boolean"]
ClassLabels = tuple[str, ...] | tuple[int, ...] | tuple[bool, ...]


@dataclass(frozen=True)
class Classes:
    """The labels in ascending order; class k is `labels[k]`."""

    kind: Kind
    labels: ClassLabels

    @property
    def names(self) -> list[str]:
        """The labels as they are written in text."""
        return [str(label).lower() if self.kind == "boolean" else str(label) for label in self.labels]


def kind_of(labels: Labels) -> Kind:
    if isinstance(labels, Words):
        return "text"
    return "boolean" if labels.dtype == np.bool_ else "integer"


def learn(table: Table, target: str) -> tuple[Classes, IntArray]:
    """The classes that occur in a column, and the class number of each row.

    Raises
    ------
    UserError
        If there is only one class, or more than there can be.
    """
    labels = table.labels(target)
    if isinstance(labels, Words):
        codes, present = labels.codes, labels.vocabulary
    else:
        distinct, codes = np.unique(labels, return_inverse=True)
        present = distinct.tolist()
    if len(present) > MOST_CLASSES:
        raise UserError(
            f"target {target!r} has {len(present)} different values; at most {MOST_CLASSES} classes can be told apart, "
            f"and regression targets are not supported"
        )
    return found_classes(target, kind_of(labels), tuple(present)), codes.astype(np.int64)


def found_classes(target: str, kind: Kind, labels: ClassLabels) -> Classes:
    """Labels of one kind as classes; they are in ascending order.

    Raises
    ------
    UserError
        If there is a single one.
    """
    if len(labels) == 1:
        raise UserError(f"target {target!r} has a single class, {labels[0]!r}; two are needed")
    return Classes(kind, labels)


def number(table: Table, target: str, classes: Classes) -> IntArray:
    """The class number of each row, for classes that are known already.

    Raises
    ------
    UserError
        If the column holds another kind of label, or a label that is not among the classes.
    """
    labels = table.words(target) if classes.kind == "text" else table.labels(target)
    kind = kind_of(labels)
    if kind != classes.kind:
        raise UserError(
            f"target {target!r} holds {kind} labels; the classes of the model are {classes.kind}: "
            f"{listing(classes.names)}"
        )
    return class_numbers(labels, classes, lambda row: f"target {target!r}, row {table.row_number(row)}")


def class_numbers(labels: Labels | Float64Array, classes: Classes, place: Callable[[int], str]) -> IntArray:
    """The class number of each row.

    Raises
    ------
    UserError
        If a row's label is not among the classes; `place` says in words where the row is, counted from 0.
    """
    if isinstance(labels, Words):
        numbers = {label: number for number, label in enumerate(classes.labels)}
        codes = np.array([numbers.get(word, -1) for word in labels.vocabulary], np.int64)[labels.codes]
    elif classes.kind == "text":
        codes = np.full(len(labels), -1)
    else:
        known = np.array(classes.labels)
        codes = np.minimum(np.searchsorted(known, labels), len(known) - 1)
        codes[known[codes] != labels] = -1
    if codes.min() < 0:
        row = int(codes.argmin())
        label = labels.vocabulary[labels.codes[row]] if isinstance(labels, Words) else labels[row].item()
        raise UserError(f"{place(row)}: {label!r} is not a class of the model ({listing(classes.names)})")
    return codes
