"""A trained model: the encoding of the columns, the classes and the weights, and what it says of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

import softgrad
from softgrad.cli.errors import UserError
from softgrad.cli.preprocessing import Column, encode, read_known
from softgrad.cli.tables import Float64Array, IntArray, Table
from softgrad.cli.targets import Classes


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

    coef has shape (classes, features), intercept (classes,), both float64 and finite.
    """

    target: str
    columns: Sequence[Column]
    classes: Classes
    coef: Float64Array
    intercept: Float64Array
    training: Mapping[str, object]

    def features(self, table: Table) -> Float64Array:
        """The feature matrix of a table that has all columns of the training data."""
        return encode(self.columns, read_known(table, self.columns), table.rows)

    def probabilities(self, features: Float64Array | csr_array) -> Float64Array:
        """The probability of each class for each row, shape (rows, classes)."""
        estimator = softgrad.SoftmaxRegression()
        estimator.coef_ = self.coef
        estimator.intercept_ = self.intercept
        estimator.classes_ = np.arange(len(self.classes.labels))
        estimator.n_features_in_ = self.coef.shape[1]
        # An overflow shows in the result.
        with np.errstate(over="ignore", invalid="ignore"):
            probabilities: Float64Array = estimator.predict_proba(features)
        finite = np.isfinite(probabilities).all(axis=1)
        if not finite.all():
            raise UserError(f"row {int(finite.argmin()) + 1} is too far from the training data to be scored")
        return probabilities

    def score(self, features: Float64Array | csr_array, codes: IntArray) -> Scores:
        """Compare with the true classes; the loss is the mean cross-entropy, without the penalty."""
        predicted = self.probabilities(features).argmax(axis=1)
        classes = len(self.classes.labels)
        confusion = np.bincount(codes * classes + predicted, minlength=classes**2).reshape(classes, classes)
        with np.errstate(over="ignore", invalid="ignore"):
            loss = float(softgrad.linear_cross_entropy(features, self.coef, codes, self.intercept))
        if not math.isfinite(loss):
            raise UserError("the loss is infinite: a row is too far from the training data")
        return Scores(loss, confusion)
