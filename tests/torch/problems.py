"""Cross-entropies with each of the options, for both kinds of labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.torch.derived import normal, uniform

ROWS, CLASSES = 4, 3
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
    "class weights and smoothing": {"weight": True, "label_smoothing": 0.1},
    "sample weights": {"sample_weight": True, "reduction": "none"},
    "temperature": {"temperature": 0.7},
    "softcap": {"softcap": 2.0},
    "z-loss": {"z_loss": 0.3},
    "a mask": {"where": True, "label_smoothing": 0.2},
    "a number to divide by": {"normalizer": 7.0},
    "all at once": {
        "weight": True,
        "label_smoothing": 0.1,
        "sample_weight": True,
        "temperature": 1.3,
        "softcap": 3.0,
        "z_loss": 0.2,
        "where": True,
        "normalizer": "count",
    },
}


def options_of(name: str, g: torch.Generator, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """The options, with tensors where they are only named."""
    made = {
        "weight": uniform(g, CLASSES, dtype=dtype),
        "sample_weight": uniform(g, ROWS, dtype=dtype),
        "where": torch.tensor([[True, True, True], [True, True, False], [True, True, True], [False, True, True]]),
    }
    return {option: made[option] if value is True else value for option, value in OPTIONS[name].items()}


def logits(g: torch.Generator, dtype: torch.dtype = torch.float64) -> Tensor:
    return normal(g, ROWS, CLASSES, dtype=dtype)


def labels(kind: str, g: torch.Generator, dtype: torch.dtype = torch.float64) -> Tensor:
    """Class indices, one of them ignored, or probabilities, both where the mask has classes."""
    if kind == "indices":
        return torch.tensor([0, 1, -100, 2])
    allowed = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [0, 1, 1]])
    return uniform(g, ROWS, CLASSES, dtype=dtype) * allowed
