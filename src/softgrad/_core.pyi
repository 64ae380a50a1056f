from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floating = NDArray[np.floating[Any]]
_Float64 = NDArray[np.float64]
_Int64 = NDArray[np.int64]

def instruction_set() -> str: ...
def available_instruction_sets() -> list[str]: ...
def get_num_threads() -> int:
    """How many threads the native core works with."""

def set_num_threads(count: int) -> None: ...
def softmax(x: _Floating, out: _Floating, axes: Sequence[int]) -> None: ...
def log_softmax(x: _Floating, out: _Floating, axes: Sequence[int]) -> None: ...
def logsumexp(x: _Floating, out: _Floating, axes: Sequence[int]) -> None: ...
def sigmoid(x: _Floating, out: _Floating) -> None: ...
def log_sigmoid(x: _Floating, out: _Floating) -> None: ...
def sum(values: _Float64) -> float: ...
def cross_entropy(
    logits: _Floating,
    axes: Sequence[int],
    labels: _Int64,
    weight: _Float64 | None,
    upstream: _Float64 | None,
    scale: float,
    losses: _Float64,
    gradient: _Floating | None,
) -> None: ...
def soft_cross_entropy(
    logits: _Floating,
    axes: Sequence[int],
    labels: _Int64 | None,
    probabilities: _Floating | None,
    class_weight: _Float64 | None,
    smoothing: float,
    weight: _Float64 | None,
    upstream: _Float64 | None,
    scale: float,
    losses: _Float64,
    gradient: _Floating | None,
) -> None: ...
def probability_weights(
    probabilities: _Floating, axes: Sequence[int], class_weight: _Float64 | None, out: _Float64
) -> None: ...
