"""The distance between a floating-point result and the exact value, in units in the last place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LongArray = NDArray[np.longdouble]


def unit(value: ArrayLike, dtype: np.dtype) -> LongArray:
    """The spacing of `dtype` at |value|: that of its binade, and the smallest subnormal for all below."""
    info = np.finfo(dtype)
    magnitude = np.abs(np.asarray(value, dtype=np.longdouble))
    within = np.minimum(np.maximum(magnitude, np.longdouble(info.smallest_normal)), np.longdouble(info.max))
    _, exponent = np.frexp(within)
    return np.ldexp(np.longdouble(1.0), exponent - 1 - info.nmant)


def ulp_error(actual: ArrayLike, exact: ArrayLike, *, scale: ArrayLike | None = None) -> LongArray:
    """Elementwise error of `actual`, in ulp of its own dtype.

    By name:
    - NaN agrees with NaN only, an infinity only with the infinity of the same sign (else the error is inf);
    - an exact value that rounds to an infinity of the dtype asks for that infinity;
    - an exact 0 asks for a 0 of either sign (else the error is inf);
    - a subnormal result is measured in units of the smallest subnormal;
    - everything else in the spacing of the dtype at the exact value, or at `scale` where that is given.
    """
    actual = np.asarray(actual)
    if actual.dtype.kind != "f":
        raise TypeError(f"actual has dtype {actual.dtype}; its own precision decides what an ulp is")
    exact = np.asarray(exact, dtype=np.longdouble)
    if actual.shape != exact.shape:
        raise ValueError(f"actual has shape {actual.shape}, exact {exact.shape}")
    with np.errstate(over="ignore", under="ignore"):
        rounded = exact.astype(actual.dtype)
    finite = np.isfinite(rounded) & np.isfinite(actual)
    at = exact if scale is None else np.broadcast_to(np.asarray(scale, dtype=np.longdouble), exact.shape)
    if np.all(finite):
        return _finite_error(actual, exact, at, exact_zeros=scale is None)
    agrees = (np.isnan(actual) & np.isnan(rounded)) | (actual == rounded)
    error = np.where(agrees, np.longdouble(0.0), np.longdouble(np.inf))
    error[finite] = _finite_error(actual[finite], exact[finite], at[finite], exact_zeros=scale is None)
    return error


def _finite_error(actual: NDArray, exact: LongArray, at: LongArray, *, exact_zeros: bool) -> LongArray:
    error = np.abs(actual.astype(np.longdouble) - exact) / unit(at, actual.dtype)
    return np.where((exact == 0.0) & (actual != 0.0), np.inf, error) if exact_zeros else error


def assert_within(
    bound: float, actual: ArrayLike, exact: ArrayLike, *, scale: ArrayLike | None = None, what: str
) -> None:
    """Fail with the worst component unless every error is at most `bound` ulp."""
    error = ulp_error(actual, exact, scale=scale)
    if error.size == 0 or np.all(error <= bound):
        return
    place = np.unravel_index(np.argmax(error), error.shape)
    where = tuple(int(index) for index in place)
    raise AssertionError(
        f"{what}: {float(error[place]):.4g} ulp at {where}, allowed {bound}; "
        f"got {np.asarray(actual)[place]!r}, exact {np.asarray(exact, dtype=np.longdouble)[place]!r}; "
        f"{np.count_nonzero(error > bound)} of {error.size} are beyond the bound"
    )
