"""A trained model: the encoding of the columns, the classes and the weights, and what it says of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import softgrad
from softgrad._float_mode import in_ieee_mode
from softgrad.cli.classes import Classes
from softgrad.cli.columns import Column, Features
from softgrad.cli.errors import UserError
from softgrad.cli.learning import Missing
from softgrad.cli.origin import Origin
from softgrad.cli.probabilities import Targets
from softgrad.cli.reading import Unseen
from softgrad.cli.tables import Float64Array, IntArray
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._rows import Rows


@dataclass(frozen=True)
class Scores:
    """How a model does on rows whose class is known; `confusion[i, j]` counts class i taken for class j."""

    loss: float
    confusion: IntArray

    @classmethod
    def total(cls, parts: Sequence[Scores]) -> Scores:
        """The scores of all rows together, from those of parts of the rows."""
        rows = np.array([part.rows for part in parts])
        loss = float(rows @ [part.loss for part in parts]) / int(rows.sum())
        return cls(loss, np.sum([part.confusion for part in parts], axis=0))

    @property
    def rows(self) -> int:
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        return int(self.confusion.trace()) / self.rows


@dataclass(frozen=True)
class Model:
    """Everything that prediction needs; `training` is a record of how it came about.

    coef has shape (classes, features), intercept (classes,), both float64 and finite. `options`, `missing` and `unseen`
    are how the training read its file, and what became of missing cells and becomes of texts that it did not have.
    `probability_columns` are those of the training with the probabilities of the classes, where it had no labels.
    """

    target: str
    columns: Sequence[Column]
    classes: Classes
    coef: Float64Array
    intercept: Float64Array
    training: Mapping[str, object]
    options: ReadOptions = field(default_factory=ReadOptions)
    missing: Missing = "error"
    unseen: Unseen = "zero"
    probability_columns: Sequence[str] = ()

    @in_ieee_mode
    def probabilities(self, features: Features, origin: Origin, row_numbers: IntArray) -> Float64Array:
        """The probability of each class for each row, shape (rows, classes).

        `row_numbers` are those of the rows in their table.
        """
        if not features.shape[0]:
            return np.empty((0, len(self.classes.labels)))
        # An overflow shows in the result.
        with np.errstate(over="ignore", invalid="ignore"):
            probabilities: Float64Array = Rows(features, np.empty(0), np.empty(0)).logits(self.coef, self.intercept)
            softgrad.softmax(probabilities, out=probabilities)
        finite = np.isfinite(probabilities).all(axis=1)
        if not finite.all():
            row = row_numbers[finite.argmin()]
            raise UserError(f"{origin.row(row)}: too far from the training data to be scored")
        return probabilities

    def score(self, features: Features, targets: Targets, origin: Origin, row_numbers: IntArray) -> Scores:
        """Compare with the true classes; the loss is the mean cross-entropy, without the penalty."""
        codes, values = targets
        predicted = self.probabilities(features, origin, row_numbers).argmax(axis=1)
        classes = len(self.classes.labels)
        confusion = np.bincount(codes * classes + predicted, minlength=classes**2).reshape(classes, classes)
        with np.errstate(over="ignore", invalid="ignore"):
            loss = float(softgrad.linear_cross_entropy(features, self.coef, values, self.intercept))
        if not math.isfinite(loss):
            raise UserError(f"{origin}: the loss is infinite, since a row is too far from the training data")
        return Scores(loss, confusion)
