"""Class labels: from the target column to class numbers and back to their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from softgrad.cli.errors import UserError, listing
from softgrad.cli.kinds import Kind
from softgrad.cli.tables import Float64Array, IntArray, LabelKind, Labels, Part, Table, Words

# More distinct values than this are a measurement or an identifier, not classes.
MOST_CLASSES = 1000

ClassLabels = tuple[str, ...] | tuple[int, ...] | tuple[bool, ...]


@dataclass(frozen=True)
class Classes:
    """The labels in ascending order; class k is `labels[k]`."""

    kind: LabelKind
    labels: ClassLabels

    @property
    def names(self) -> list[str]:
        """The labels as they are written in text."""
        return [str(label).lower() if self.kind == "boolean" else str(label) for label in self.labels]


def label_kind(table: Table, target: str) -> LabelKind:
    """What the labels of a column are.

    Raises
    ------
    UserError
        It holds no labels.
    """
    found: dict[Kind, LabelKind] = {"integer": "integer", "number": "integer", "truth value": "boolean", "text": "text"}
    kind = table.kind(target)
    if kind not in found:
        holds = {
            "date": f"dates{table.shown(target)}, which --label-as text takes as text",
            "nothing": "no value in any row",
            "other": f"what is neither text nor whole numbers{table.shown(target)}",
        }
        raise UserError(f"{table.name}: target {target!r} holds {holds[kind]}")
    return found[kind]


def numbers(part: Part, target: str, classes: Classes) -> IntArray:
    """The class number of each row, for classes that are known already.

    Raises
    ------
    UserError
        A label is missing, or not among the classes.
    """
    try:
        labels = part.labels(target, classes.kind)
    except UserError as error:
        raise UserError(f"{error}; the classes of the model are {listing(classes.names)}") from None
    return class_numbers(labels, classes, lambda row: part.at(target, row))


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
    unknown = codes < 0
    if unknown.any():
        row = int(unknown.argmax())
        label = labels.vocabulary[labels.codes[row]] if isinstance(labels, Words) else labels[row].item()
        raise UserError(f"{place(row)}: {label!r} is not a class of the model ({listing(classes.names)})")
    return codes
