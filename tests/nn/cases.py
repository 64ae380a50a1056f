"""Layers and losses to try, by name, and the gradients that are checked of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from softgrad import nn

ROWS, FEATURES = 6, 4


def batch_norm(dtype: type, training: bool) -> nn.BatchNorm:
    """One whose scale, shift and running statistics are not those it begins with."""
    layer = nn.BatchNorm(FEATURES, dtype=dtype)
    rng = np.random.default_rng(5)
    layer.parameters["weight"][...] = rng.uniform(0.5, 2.0, FEATURES)
    layer.parameters["bias"][...] = rng.normal(size=FEATURES)
    layer.statistics["running_mean"][...] = rng.normal(size=FEATURES)
    layer.statistics["running_var"][...] = rng.uniform(0.5, 2.0, FEATURES)
    layer.training = training
    return layer


def dropout(training: bool) -> nn.Dropout:
    layer = nn.Dropout(0.4, seed=3)
    layer.training = training
    return layer


# Made anew for every evaluation, so that a dropout chooses the same elements each time.
LAYERS: dict[str, Callable[[type], nn.Layer]] = {
    "Linear": lambda dtype: nn.Linear(FEATURES, 3, seed=1, dtype=dtype),
    "Linear, no bias": lambda dtype: nn.Linear(FEATURES, 3, seed=1, bias=False, dtype=dtype),
    "Sigmoid": lambda _: nn.Sigmoid(),
    "Tanh": lambda _: nn.Tanh(),
    "ReLU": lambda _: nn.ReLU(),
    "Softmax": lambda _: nn.Softmax(),
    "Dropout, training": lambda _: dropout(training=True),
    "Dropout": lambda _: dropout(training=False),
    "BatchNorm, training": lambda dtype: batch_norm(dtype, training=True),
    "BatchNorm": lambda dtype: batch_norm(dtype, training=False),
}


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of both signs at some distance from the kink of the ReLU."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.1, 2.0, shape)
