"""The numbers of the report, from the true classes and the predicted probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from softgrad.cli.tables import Float64Array, IntArray

BINS = 10
# The quantile of the normal distribution that leaves 95% between it and its negative.
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Bin:
    """The rows whose confidence, the probability of the predicted class, is above `low` and at most `high`."""

    low: float
    high: float
    rows: int
    right: int
    confidence: float

    @property
    def accuracy(self) -> float:
        return self.right / self.rows

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy of more such rows lies, by Wilson's interval of 95%."""
        z2 = _NORMAL_95**2
        centre = (self.right + 0.5 * z2) / (self.rows + z2)
        spread = _NORMAL_95 * math.sqrt(self.right * (self.rows - self.right) / self.rows + 0.25 * z2)
        return max(0.0, centre - spread / (self.rows + z2)), min(1.0, centre + spread / (self.rows + z2))


def reliability(probabilities: Float64Array, codes: IntArray) -> list[Bin]:
    """The bins that hold rows."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == codes
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return [
        Bin(
            index / BINS,
            (index + 1) / BINS,
            int(chosen.sum()),
            int(right[chosen].sum()),
            float(confidence[chosen].mean()),
        )
        for index in np.unique(place).tolist()
        for chosen in [place == index]
    ]


def calibration_error(bins: list[Bin]) -> float:
    """The expected calibration error: how far accuracy and confidence lie apart, on the mean over the rows."""
    rows = sum(entry.rows for entry in bins)
    return sum(entry.rows * abs(entry.accuracy - entry.confidence) for entry in bins) / rows


@dataclass(frozen=True)
class ClassScores:
    """Per class; NaN where there is nothing to take a share of."""

    precision: Float64Array
    recall: Float64Array
    f1: Float64Array
    rows: IntArray
    predicted: IntArray

    @property
    def macro(self) -> tuple[float, float, float]:
        """The means of precision, recall and F1 over the classes for which each is defined."""
        precision, recall, f1 = (float(np.nanmean(each)) for each in (self.precision, self.recall, self.f1))
        return precision, recall, f1


def class_scores(confusion: IntArray) -> ClassScores:
    """From `confusion[i, j]`, the rows of class i taken for class j."""
    right, rows, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassScores(
        _share(right, predicted), _share(right, rows), _share(2 * right, rows + predicted), rows, predicted
    )


def _share(part: IntArray, whole: IntArray) -> Float64Array:
    shares: Float64Array = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return shares


def confident_mistakes(probabilities: Float64Array, codes: IntArray, most: int) -> IntArray:
    """The rows taken for a wrong class, the most probable first; at most `most` of them."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != codes)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return wrong[order[:most]]
