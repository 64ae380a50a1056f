"""What the columns of a table are for, and what becomes of rows without a value in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from softgrad.cli.classes import Classes, numbers
from softgrad.cli.columns import Column, Values, read
from softgrad.cli.errors import UserError
from softgrad.cli.learning import Missing
from softgrad.cli.probabilities import Targets, probabilities_of
from softgrad.cli.tables import Float64Array, IntArray, LabelKind, Labels, Part, Words


@dataclass(frozen=True)
class Roles:
    """The features, the target and what its labels are, row weights, and what takes the place of missing values.

    Where there are `probability_columns`, they have the probabilities of the classes, in their order, and `target` is
    what messages call all of them.
    """

    features: Sequence[str]
    target: str
    labels: LabelKind
    sample_weight: str | None
    missing: Missing
    probability_columns: Sequence[str] = ()

    @property
    def of_target(self) -> Sequence[str]:
        """The columns of the target."""
        return self.probability_columns or [self.target]

    @property
    def classes(self) -> Classes | None:
        """They are known where there are probabilities: the names of the columns, or the places in a list."""
        if not self.probability_columns:
            return None
        names = self.probability_columns
        return Classes(self.labels, tuple(names) if self.labels == "text" else tuple(range(len(names))))

    def labels_of(self, part: Part) -> Labels:
        """The labels of rows, or their most probable classes; raises UserError where one has none."""
        if self.classes is None:
            return part.labels(self.target, self.labels)
        most: IntArray = probabilities_of(part, self.probability_columns).argmax(axis=1)
        if self.labels == "integer":
            return most
        present, codes = np.unique(most, return_inverse=True)
        return Words(codes, [self.probability_columns[place] for place in present.tolist()])

    def targets(self, part: Part, classes: Classes) -> Targets:
        """What rows are fitted to; raises UserError where one has none."""
        if self.probability_columns:
            return Targets.of_probabilities(probabilities_of(part, self.probability_columns))
        return Targets.of_labels(numbers(part, self.target, classes))

    def kept(self, part: Part, columns: Sequence[Column]) -> tuple[Part, Values]:
        """The rows of a part that are kept, and their features."""
        values = read(part, columns)
        missing = np.zeros(part.rows, np.bool_)
        for name in self.features:
            of_column = values.missing(name)
            if self.missing == "error":
                part.require_complete(name, of_column, "--missing says what takes its place")
            missing |= of_column
        if self.missing != "drop":
            return part, values
        if self.probability_columns:
            names = self.probability_columns
            missing |= np.isnan(part.matrix(names, [None] * len(names))).any(axis=1)
        else:
            missing |= part.missing(self.target, self.labels)
        if self.sample_weight is not None:
            missing |= np.isnan(part.numbers(self.sample_weight, truths=False))
        return (part.where(~missing), values.of(~missing)) if missing.any() else (part, values)

    def weights(self, part: Part) -> Float64Array:
        name = self.sample_weight
        if name is None:
            return np.ones(part.rows)
        weights = part.numbers(name, truths=False)
        part.require_complete(name, np.isnan(weights), "--missing drop leaves such rows out")
        negative = weights < 0.0
        if negative.any():
            row = int(negative.argmax())
            raise UserError(f"{part.at(name, row)}: the weight {weights[row]:g} is negative")
        return weights
