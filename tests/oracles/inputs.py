"""The input families on which the accuracies are promised, and the lengths at which kernels change path."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Family = Callable[[np.random.Generator, tuple[int, int], np.dtype], NDArray]

# The native core works in logical lanes, reads groups of four times as many, and takes up sums after a stretch.
LANES = {np.dtype(np.float32): 64, np.dtype(np.float64): 32}
GROUP = {dtype: 4 * lanes for dtype, lanes in LANES.items()}
STRETCH = 4096
LONG = 2**17 + 1


def around(*sizes: int) -> list[int]:
    """Each size with its two neighbours."""
    return [size + step for size in sizes for step in (-1, 0, 1)]


def lengths(dtype: np.dtype) -> list[int]:
    """Row lengths: the shortest, every border of a lane, a group and a stretch, and two inside all of them."""
    return [1, 2, 3, 10, *around(LANES[dtype], GROUP[dtype], STRETCH), 101, 1000]


_asked_by_test: Counter[str] = Counter()


def fresh_rng() -> np.random.Generator:
    """A generator of its own for each call of a test, by the SOFTGRAD_TEST_SEED of the run.

    The seed is printed: with it in the environment a failure comes again, the test alone or among others.
    """
    seed = os.environ["SOFTGRAD_TEST_SEED"]
    print(f"SOFTGRAD_TEST_SEED={seed}")
    test, _, phase = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
    if phase == "(call)":
        place = f"{test} {_asked_by_test[test]}"
        _asked_by_test[test] += 1
    else:
        # Which test it is that sets up what several share depends on the others of the run.
        caller = sys._getframe(1)
        place = f"{Path(caller.f_code.co_filename).name} {caller.f_lineno}"
    return np.random.default_rng([int(seed), crc32(place.encode())])


def random_place(rng: np.random.Generator, rows: NDArray) -> tuple[NDArray, NDArray]:
    """An index that picks one random entry of each row."""
    return np.arange(rows.shape[0]), rng.integers(rows.shape[1], size=rows.shape[0])


def _normal(scale: float, offset: float = 0.0) -> Family:
    def draw(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
        return (scale * rng.standard_normal(shape) + offset).astype(dtype)

    return draw


def _confident(gap: float) -> Family:
    """One logit `gap` above the highest of the others."""

    def draw(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
        x = rng.standard_normal(shape)
        place = random_place(rng, x)
        x[place] = x.min(axis=1)
        x -= x.max(axis=1, keepdims=True) + gap
        x[place] = 0.0
        return x.astype(dtype)

    return draw


def _dominant(gap: float) -> Family:
    """One logit far above many small ones, whose sum counts only because they are many."""

    def draw(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
        x = rng.uniform(-gap - 0.5, -gap, shape)
        x[random_place(rng, x)] = 0.0
        return (x + rng.uniform(-20.0, 20.0, (shape[0], 1))).astype(dtype)

    return draw


def _equal(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
    return np.broadcast_to(30.0 * rng.standard_normal((shape[0], 1)), shape).astype(dtype)


def _ties(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
    """Small integers: several maxima in nearly every row."""
    return rng.integers(-4, 5, shape).astype(dtype)


def _masked(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
    """A third of the logits is -inf, never all of a row."""
    x = 5.0 * rng.standard_normal(shape)
    kept = x[random_place(rng, x)]
    place = random_place(rng, x)
    x[rng.random(shape) < 1.0 / 3.0] = -np.inf
    x[place] = kept
    return x.astype(dtype)


def _underflow(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
    """Gaps from where probabilities turn subnormal to where they vanish."""
    info = np.finfo(dtype)
    first = -np.log(np.longdouble(info.smallest_normal)) - 2.0
    last = -np.log(np.longdouble(info.smallest_subnormal)) + 2.0
    x = -rng.uniform(float(first), float(last), shape)
    x[random_place(rng, x)] = 0.0
    return (x + rng.uniform(-20.0, 20.0, (shape[0], 1))).astype(dtype)


def _wide(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
    """Both signs, far beyond where the exponential itself overflows and vanishes."""
    limit = 2.5 * float(np.log(np.longdouble(np.finfo(dtype).max)))
    return rng.uniform(-limit, limit, shape).astype(dtype)


def _halfway(rng: np.random.Generator, shape: tuple[int, int], dtype: np.dtype) -> NDArray:
    """Logits next to odd multiples of log(2) / 2, where rint(x log2 e) changes."""
    odd = 2 * rng.integers(-30, 30, shape) + 1
    return (odd * (0.5 * np.log(2.0)) * (1.0 + 1e-7 * rng.standard_normal(shape))).astype(dtype)


FAMILIES: dict[str, Family] = {
    "normal 1": _normal(1.0),
    "normal 5": _normal(5.0),
    "normal 30": _normal(30.0),
    "offset 50": _normal(5.0, 50.0),
    "offset -50": _normal(5.0, -50.0),
    "offset 1e4": _normal(5.0, 1e4),
    "offset -1e4": _normal(5.0, -1e4),
    "offset 1e6": _normal(5.0, 1e6),
    "offset -1e6": _normal(5.0, -1e6),
    "confident 10": _confident(10.0),
    "confident 17": _confident(17.0),
    "confident 20": _confident(20.0),
    "confident 40": _confident(40.0),
    "confident 80": _confident(80.0),
    "dominant 12": _dominant(12.0),
    "dominant 17": _dominant(17.0),
    "equal": _equal,
    "ties": _ties,
    "masked": _masked,
    "underflow": _underflow,
    "wide": _wide,
    "halfway": _halfway,
}


def elementwise_inputs(rng: np.random.Generator, dtype: np.dtype) -> NDArray:
    """Arguments of sigmoid: every magnitude of the dtype and every regime of the exponential."""
    info = np.finfo(dtype)
    overflow = float(np.log(np.longdouble(info.max)))
    exponents = rng.uniform(info.minexp - info.nmant, info.maxexp - 1, 4000)
    tiny_to_huge = np.ldexp(rng.uniform(1.0, 2.0, 4000).astype(np.longdouble), exponents.astype(int))
    regimes = [
        rng.uniform(-1.2 * overflow, 1.2 * overflow, 8000),
        rng.uniform(-40.0, 40.0, 8000),
        30.0 * rng.standard_normal(4000),
        0.1 * rng.standard_normal(2000),
        tiny_to_huge * rng.choice([-1.0, 1.0], 4000),
        np.array([0.0, -0.0, 88.0, -88.0, 104.0, -104.0, 709.0, -709.0, 746.0, -746.0, np.inf, -np.inf]),
    ]
    return np.concatenate([regime.astype(dtype) for regime in regimes])
