"""Random problems for the losses: logits, labels and one value at which each option matters."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Problem(NamedTuple):
    logits: NDArray
    indices: NDArray[np.int64]
    probabilities: NDArray

    def labels(self, kind: str) -> NDArray:
        return self.indices if kind == "indices" else self.probabilities


LABEL_KINDS = ("indices", "probabilities")


def one_hot(labels: ArrayLike, classes: int, dtype: np.dtype) -> NDArray:
    """Rows of zeros with a one at each label; without the identity matrix, which is large for many classes."""
    return (np.asarray(labels)[..., None] == np.arange(classes)).astype(dtype)


def row_scale(gradient: NDArray) -> NDArray:
    """The size of each row of a gradient Q p - q, to measure errors against; keeps the last axis.

    Where a row happens to have p close to q it cancels as a whole, and the rounding of its terms shows: such a row is
    measured against a sixteenth of the largest.
    """
    largest = np.max(np.abs(gradient), axis=-1, keepdims=True)
    return np.maximum(largest, np.max(largest) / 16)


def draw_problem(rng: np.random.Generator, rows: int, classes: int, dtype: np.dtype) -> Problem:
    """Logits of scale 3, labels of every class, probabilities with zeros that need not sum to 1."""
    logits = (3.0 * rng.standard_normal((rows, classes))).astype(dtype)
    indices = rng.permutation(np.arange(rows) % classes)
    probabilities = rng.uniform(0.0, 1.0, (rows, classes))
    probabilities[rng.random((rows, classes)) < 0.3] = 0.0
    probabilities[np.arange(rows), indices] += 0.25
    return Problem(logits, indices, probabilities.astype(dtype))


def option_values(rng: np.random.Generator, problem: Problem) -> dict[str, Any]:
    """Every option of cross_entropy with a value that changes the result."""
    rows, classes = problem.logits.shape
    class_weight = rng.uniform(0.25, 3.0, classes)
    class_weight[rng.integers(classes)] = 0.0
    sample_weight = rng.uniform(0.25, 3.0, rows)
    sample_weight[rng.integers(rows)] = 0.0
    # Every class with mass, the label's included, takes part: elsewhere the loss would be infinite.
    where = (rng.random((rows, classes)) < 0.7) | (problem.probabilities > 0.0)
    return {
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "ignore_index": int(rng.integers(classes)),
        "label_smoothing": 0.125,
        "temperature": 1.75,
        "softcap": 4.0,
        "z_loss": 0.0625,
        "where": where,
        "reduction": "sum",
        "normalizer": "count",
        "upstream": -1.75,
    }
