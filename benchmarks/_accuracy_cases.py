"""The inputs on which accuracy is measured, the exact results for them, and the error of a result.

Each process draws the same inputs: a case has a generator of its own, seeded by the seed of the run and its name.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray
from tests.oracles import exact
from tests.oracles.half import HALF_DTYPES, every_value, half_error, long
from tests.oracles.inputs import BLOCK, FAMILIES, LONG, elementwise_inputs
from tests.oracles.ulp import ulp_error

LongArray = NDArray[np.longdouble]

DTYPES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
ROW_QUANTITIES = ("softmax", "log_softmax", "logsumexp")
ELEMENT_QUANTITIES = ("sigmoid", "log_sigmoid")
LOSS_QUANTITIES = ("loss", "gradient at target", "gradient elsewhere")
QUANTITIES = ROW_QUANTITIES + ELEMENT_QUANTITIES + LOSS_QUANTITIES

SHAPES = ((3000, 2), (1000, 3), (64, 10), (16, 130), (6, 1000), (2, BLOCK + 1), (1, LONG))


def _cancelling(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray[Any]:
    """Logits about -log(V) / 2: m and log1p(R) are of one size and opposite sign."""
    return (rng.uniform(-0.15, 0.15, shape) - 0.5 * np.log(shape[1])).astype(dtype)


ALL_FAMILIES = FAMILIES | {"cancelling": _cancelling}
# The columns of the page: families of one kind together.
GROUPS: dict[str, tuple[str, ...]] = {
    "normal": ("normal 1", "normal 5", "normal 30"),
    "offset 50": ("offset 50", "offset -50"),
    "offset 1e4, 1e6": ("offset 1e4", "offset -1e4", "offset 1e6", "offset -1e6"),
    "gap 10-20": ("confident 10", "confident 17", "confident 20"),
    "gap 40, 80": ("confident 40", "confident 80"),
    "dominant": ("dominant 12", "dominant 17"),
    "equal, ties": ("equal", "ties"),
    "masked": ("masked",),
    "subnormal, wide": ("underflow", "wide"),
    "halfway": ("halfway",),
    "cancelling": ("cancelling",),
}
EVERY_MAGNITUDE = "every magnitude"
COLUMNS = (*GROUPS, EVERY_MAGNITUDE)
assert sorted(ALL_FAMILIES) == sorted(family for group in GROUPS.values() for family in group)


@dataclass(frozen=True)
class Case:
    """One array of logits (rows along the last axis) or of arguments of the elementwise functions."""

    column: str
    dtype: np.dtype
    x: NDArray[Any]
    labels: tuple[NDArray[np.int64], ...]

    @cached_property
    def exact_input(self) -> LongArray:
        return long(self.x) if self.dtype in HALF_DTYPES else self.x.astype(np.longdouble)

    @cached_property
    def _exact_gradients(self) -> list[LongArray]:
        return [exact.gradient(self.exact_input, labels) for labels in self.labels]

    def expected(self, quantity: str) -> LongArray:
        """The exact result; of the losses and gradients those for each of the labels, in one array."""
        x = self.exact_input
        if quantity in ROW_QUANTITIES + ELEMENT_QUANTITIES:
            with np.errstate(invalid="ignore"):
                return getattr(exact, quantity)(x)
        if quantity == "loss":
            return np.stack([exact.loss(x, labels) for labels in self.labels])
        return self.part(quantity, self._exact_gradients)

    def part(self, quantity: str, gradients: list[NDArray[Any]]) -> NDArray[Any]:
        """The components at the target, or all others, of the gradients for each of the labels."""
        parts = []
        for labels, gradient in zip(self.labels, gradients, strict=True):
            hot = labels[:, None] == np.arange(gradient.shape[1])
            parts.append(gradient[hot] if quantity == "gradient at target" else gradient[~hot])
        return np.stack(parts)

    def scale(self, quantity: str, expected: LongArray) -> LongArray | None:
        """What the unit is taken at, where that is not the exact result."""
        if quantity != "logsumexp":
            return None
        x = self.exact_input
        largest = np.max(np.abs(x), axis=-1, where=np.isfinite(x), initial=0.0)
        return np.maximum(np.abs(expected), largest)

    def result_dtype(self, quantity: str) -> np.dtype:
        """The dtype in which a result is measured; the losses of two-byte logits are float32."""
        return np.dtype(np.float32) if quantity == "loss" and self.dtype.itemsize == 2 else self.dtype


def error_in_ulp(actual: NDArray[Any], expected: LongArray, scale: LongArray | None) -> float:
    """The worst; inf where a zero, an infinity or a NaN stands for something else or something else for it."""
    measure = half_error if actual.dtype in HALF_DTYPES else ulp_error
    return float(np.max(measure(actual, expected, scale=scale), initial=0.0))


def lost_digits(actual: NDArray[Any], expected: LongArray) -> bool:
    """Whether a nonzero result that the dtype holds to full precision is off by all of its size."""
    info = ml_dtypes.finfo(actual.dtype)
    with np.errstate(invalid="ignore"):
        normal = np.isfinite(expected) & (np.abs(expected) >= float(info.smallest_normal))
        got = actual.astype(np.longdouble) if actual.dtype not in HALF_DTYPES else long(actual)
        return bool(np.any(normal & (np.abs(got - expected) >= np.abs(expected))))


def _draw(family: str, rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray[Any]:
    if dtype not in HALF_DTYPES:
        return ALL_FAMILIES[family](rng, shape, dtype)
    x = ALL_FAMILIES[family](rng, shape, np.dtype(np.float32))
    limit = float(ml_dtypes.finfo(dtype).max)
    return np.where(np.isinf(x), x, np.clip(x, -limit, limit)).astype(dtype)


def cases(dtype: np.dtype, seed: int) -> Iterator[Case]:
    """Every family at every shape, then the arguments of the elementwise functions."""
    for column, families in GROUPS.items():
        for family in families:
            if dtype == np.float16 and family.endswith("1e6"):
                continue  # it has no such number
            for shape in SHAPES:
                rng = np.random.default_rng([seed, zlib.crc32(f"{dtype} {family} {shape}".encode())])
                x = _draw(family, rng, shape, dtype)
                values = long(x)
                largest, any_class = np.argmax(values, axis=1), rng.integers(shape[1], size=shape[0])
                # The smallest logit of a long row is no other regime than most of its classes.
                labels = (largest, any_class) if shape[1] == LONG else (largest, any_class, np.argmin(values, axis=1))
                yield Case(column, dtype, x, labels)
    if dtype in HALF_DTYPES:
        x = every_value(dtype)
        x = x[~np.isnan(long(x))]
    else:
        x = elementwise_inputs(np.random.default_rng([seed, dtype.itemsize]), dtype)
    yield Case(EVERY_MAGNITUDE, dtype, x, ())
