"""What a training leaves for its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

import softgrad
from softgrad.cli.columns import NumberColumn, feature_names
from softgrad.cli.encoder import Piece
from softgrad.cli.html_report.images import Grid, grid_of
from softgrad.cli.html_report.measures import Bin, ClassScores, class_scores, reliability
from softgrad.cli.learning import Numbers, Texts
from softgrad.cli.model import Model, Scores
from softgrad.cli.origin import Origin
from softgrad.cli.tables import Float64Array
from softgrad.linear_model._fit import Fitted

# With more, their cards and images would bury what is worth seeing.
MOST_CLASSES_DRAWN = 20


@dataclass(frozen=True)
class Findings:
    """A training from its data to its scores.

    Attributes
    ----------
    origin : Origin
        What the user called the data.
    learnt : mapping of str to Numbers or Texts
        What is known of each column.
    remarks : sequence of str
        What a user should know of the data, as the command says it.
    training, test : Piece
        All rows of each, encoded.
    checks : mapping
        The reports of the gradient check at the trained model, by the name of what was differentiated.
    rows_checked, features_unchecked : int
        How many rows that was with, and how many of their features were left out.
    scores : Scores
        Those of the rows for the test, or for the training if there are none, as are the probabilities.
    """

    origin: Origin
    learnt: Mapping[str, Numbers | Texts]
    remarks: Sequence[str]
    training: Piece
    test: Piece | None
    model: Model
    fitted: Fitted
    seconds: float
    class_weight: Literal["balanced"] | None
    checks: Mapping[str, softgrad.GradientReport]
    rows_checked: int
    features_unchecked: int
    scores: Scores

    @property
    def shown(self) -> Piece:
        """The rows that the scores are of."""
        return self.training if self.test is None else self.test

    @property
    def part(self) -> str:
        return "training" if self.test is None else "test"

    @property
    def shown_rows(self) -> str:
        return f"{len(self.shown.codes)} {self.part} rows"

    @cached_property
    def probabilities(self) -> Float64Array:
        return self.model.probabilities(self.shown.features, self.origin, self.shown.rows)

    @cached_property
    def bins(self) -> list[Bin]:
        return reliability(self.probabilities, self.shown.codes)

    @cached_property
    def class_scores(self) -> ClassScores:
        return class_scores(self.scores.confusion)

    @cached_property
    def grid(self) -> Grid | None:
        return grid_of(self.model.columns)

    @property
    def names(self) -> list[str]:
        return self.model.classes.names

    @cached_property
    def feature_names(self) -> list[str]:
        """What each feature is: a column of numbers, or one text of a column."""
        return feature_names(self.model.columns)

    def pixels(self, features: Float64Array) -> Float64Array:
        """Rows as they are in the data, where all columns are numbers, but for roundings."""
        columns = [column for column in self.model.columns if isinstance(column, NumberColumn)]
        values: Float64Array = features * [column.scale for column in columns] + [column.mean for column in columns]
        return values

    @cached_property
    def pixel_range(self) -> tuple[float, float]:
        """The lowest and the highest value of all pixels."""
        learnt = [column for column in self.learnt.values() if isinstance(column, Numbers)]
        return min(column.least[0] for column in learnt), max(column.most[0] for column in learnt)

    @cached_property
    def drawn(self) -> list[int]:
        """The classes that are drawn, in their order: all, or those with the most training rows."""
        counts = np.bincount(self.training.codes, minlength=len(self.names))
        return sorted(np.argsort(-counts, kind="stable")[:MOST_CLASSES_DRAWN].tolist())

    @property
    def which_drawn(self) -> str:
        """A sentence that says which classes are drawn; empty if all are."""
        if len(self.drawn) == len(self.names):
            return ""
        return f" Shown are the {len(self.drawn)} classes with the most training rows, of {len(self.names)}."
