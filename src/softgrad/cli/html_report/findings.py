"""What a training leaves for its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import softgrad
from softgrad.cli.html_report.images import Grid, grid_of
from softgrad.cli.html_report.measures import Bin, ClassScores, class_scores, reliability
from softgrad.cli.model import Model, Scores
from softgrad.cli.preprocessing import TextColumn, Values
from softgrad.cli.split import Split
from softgrad.cli.tables import Float64Array, IntArray

# With more, their cards and images would bury what is worth seeing.
MOST_CLASSES_DRAWN = 20


@dataclass(frozen=True)
class Findings:
    """A training from its data to its scores.

    Attributes
    ----------
    source : str
        What the user called the data.
    values : Values
        The feature columns of all rows; `codes` are their classes, `features` their encoding.
    checks : mapping
        The reports of the gradient check at the trained model, by the name of what was differentiated.
    part : str
        "test" or "training": the rows that `scores` and the probabilities are of.
    """

    source: str
    values: Values
    codes: IntArray
    features: Float64Array
    parts: Split
    model: Model
    estimator: softgrad.SoftmaxRegression
    checks: Mapping[str, softgrad.GradientReport]
    rows_checked: int
    seconds: float
    warning: str | None
    part: str
    scores: Scores

    @property
    def shown(self) -> IntArray:
        """The rows of the part, by their place in the data."""
        return self.parts.test if self.part == "test" else self.parts.train

    @property
    def shown_rows(self) -> str:
        return f"{len(self.shown)} {self.part} rows"

    @cached_property
    def probabilities(self) -> Float64Array:
        return self.model.probabilities(self.features[self.shown])

    @cached_property
    def bins(self) -> list[Bin]:
        return reliability(self.probabilities, self.codes[self.shown])

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
        names = []
        for column in self.model.columns:
            texts = column.categories if isinstance(column, TextColumn) else None
            names += [column.name] if texts is None else [f"{column.name} = {text}" for text in texts]
        return names

    @cached_property
    def pixels(self) -> list[Float64Array]:
        """Each feature as it is in the data, where they are pixels: one array over all rows for each."""
        return [self.values.numbers[column.name] for column in self.model.columns]

    @cached_property
    def pixel_range(self) -> tuple[float, float]:
        """The lowest and the highest value of all pixels."""
        return min(float(pixel.min()) for pixel in self.pixels), max(float(pixel.max()) for pixel in self.pixels)

    @cached_property
    def drawn(self) -> list[int]:
        """The classes that are drawn, in their order: all, or those with the most training rows."""
        counts = np.bincount(self.codes[self.parts.train], minlength=len(self.names))
        return sorted(np.argsort(-counts, kind="stable")[:MOST_CLASSES_DRAWN].tolist())

    @property
    def which_drawn(self) -> str:
        """A sentence that says which classes are drawn; empty if all are."""
        if len(self.drawn) == len(self.names):
            return ""
        return f" Shown are the {len(self.drawn)} classes with the most training rows, of {len(self.names)}."
