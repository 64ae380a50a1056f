"""Plain NumPy functions and right gradients that the tests of the checker plant errors in."""

from __future__ import annotations

from typing import Any

import numpy as np


def cross_entropy(x: np.ndarray, labels: np.ndarray) -> float:
    top = x.max(axis=1, keepdims=True)
    lse = np.log(np.exp(x - top).sum(axis=1)) + top[:, 0]
    return float(np.mean(lse - x[np.arange(len(labels)), labels]))


def probabilities(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def gradient(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    p = probabilities(x)
    p[np.arange(len(labels)), labels] -= 1
    return p / len(labels)


def problem(
    rng: np.random.Generator, rows: int, classes: int, scale: float = 1.0, dtype: Any = np.float64
) -> tuple[np.ndarray, np.ndarray]:
    """Normal logits and labels."""
    logits = scale * rng.standard_normal((rows, classes))
    return logits.astype(dtype), rng.integers(0, classes, rows)
