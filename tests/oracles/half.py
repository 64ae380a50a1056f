"""float16 and bfloat16: rounding to their grids and the distance to an exact value, in long doubles.

NumPy knows nothing of bfloat16, and casts long doubles to float16 through double; here neither is trusted.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

LongArray = NDArray[np.longdouble]

FLOAT16 = np.dtype(np.float16)
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
HALF_DTYPES = (FLOAT16, BFLOAT16)


def every_value(dtype: np.dtype) -> NDArray:
    """All 65,536 bit patterns: zeros, subnormals, infinities and every NaN."""
    return np.arange(2**16, dtype=np.uint16).view(dtype)


def long(values: ArrayLike) -> LongArray:
    """float16 and bfloat16 as long doubles, through float32, which holds both."""
    # Half of the NaN patterns are signalling; that their cast says so is of no interest.
    with np.errstate(invalid="ignore"):
        return np.asarray(values).astype(np.float32).astype(np.longdouble)


def half_unit(value: ArrayLike, dtype: np.dtype) -> LongArray:
    """The spacing at |value|: that of its binade, and the smallest subnormal for all below."""
    info = ml_dtypes.finfo(dtype)
    magnitude = np.abs(np.asarray(value, dtype=np.longdouble))
    smallest, largest = np.longdouble(float(info.smallest_normal)), np.longdouble(float(info.max))
    _, exponent = np.frexp(np.clip(magnitude, smallest, largest))
    return np.ldexp(np.longdouble(1.0), exponent - 1 - info.nmant)


def nearest(exact: ArrayLike, dtype: np.dtype) -> LongArray:
    """The value of `dtype` nearest to `exact`, ties to even; half a unit beyond the largest is infinity."""
    exact = np.asarray(exact, dtype=np.longdouble)
    unit = half_unit(exact, dtype)
    finite = np.isfinite(exact)
    rounded = np.where(finite, np.rint(np.where(finite, exact, 0.0) / unit) * unit, exact)
    return np.where(np.abs(rounded) > float(ml_dtypes.finfo(dtype).max), np.copysign(np.inf, rounded), rounded)


def half_error(actual: ArrayLike, exact: ArrayLike, *, scale: ArrayLike | None = None) -> LongArray:
    """Elementwise error in units of the dtype of `actual`, by the rules of `ulp.ulp_error`."""
    actual = np.asarray(actual)
    if actual.dtype not in HALF_DTYPES:
        raise TypeError(f"actual has dtype {actual.dtype}; it must be float16 or bfloat16")
    got, exact = long(actual), np.asarray(exact, dtype=np.longdouble)
    if got.shape != exact.shape:
        raise ValueError(f"actual has shape {got.shape}, exact {exact.shape}")
    rounded = nearest(exact, actual.dtype)
    special = ~np.isfinite(rounded) | ~np.isfinite(got)
    agrees = (np.isnan(got) & np.isnan(rounded)) | (got == rounded)
    at = np.where(special, 0.0, exact if scale is None else np.asarray(scale, dtype=np.longdouble))
    error = np.abs(np.where(special, 0.0, got) - np.where(special, 0.0, exact)) / half_unit(at, actual.dtype)
    if scale is None:
        error = np.where((exact == 0.0) & (got != 0.0), np.inf, error)
    return np.where(special, np.where(agrees, 0.0, np.inf), error)


def assert_half_within(
    bound: float, actual: ArrayLike, exact: ArrayLike, *, scale: ArrayLike | None = None, what: str
) -> None:
    """Fail with the worst component unless every error is at most `bound` units."""
    error = half_error(actual, exact, scale=scale)
    if error.size == 0 or np.all(error <= bound):
        return
    place = np.unravel_index(np.argmax(error), error.shape)
    where = tuple(int(index) for index in place)
    raise AssertionError(
        f"{what}: {float(error[place]):.6g} ulp at {where}, allowed {bound}; "
        f"got {float(long(actual)[place])!r}, exact {np.asarray(exact, dtype=np.longdouble)[place]!r}; "
        f"{np.count_nonzero(error > bound)} of {error.size} are beyond the bound"
    )
