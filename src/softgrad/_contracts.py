"""What the functions ask of their arguments: every check and every error message.

Checks come before the first write: after an error, nothing that the caller gave has changed.
"""

from __future__ import annotations

import sys
from math import inf, prod
from typing import Any, Literal, SupportsFloat

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.typing import ArrayLike, NDArray

from softgrad import _native
from softgrad._chunks import chunks

Floating = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
# A number for each row, or one in all.
RowValues = np.floating[Any] | Floating
Axis = int | tuple[int, ...] | None
Reduction = Literal["mean", "sum", "none"]
Normalizer = Literal["weights", "count"] | float

# The dtypes of the native core by name (bfloat16 is that of the package ml_dtypes), and that of the losses of each: a
# loss in two bytes would be printed on a grid of 0.06 to 0.25. What else is real becomes float64.
LOSS_DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float32, "bfloat16": np.float32}

# The dtypes that NumPy has itself, and those of their losses: looking up a name may take longer than a small call.
_BUILT_IN = {np.dtype(name): np.dtype(loss) for name, loss in LOSS_DTYPES.items() if name != "bfloat16"}
_INT64 = np.dtype(np.int64)


def as_array(value: ArrayLike, name: str) -> NDArray[Any]:
    """`value` as an array; a mask of its own would be lost."""
    if type(value) is np.ndarray:
        return value
    # Where the module was never imported, there is no such array.
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(value, masked.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would not be looked at; give its data")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from None


def floating_array(value: ArrayLike, name: str) -> Floating:
    """`value` as an array of a dtype the core has: floating dtypes as they are, integers as float64."""
    array = as_array(value, name)
    dtype = array.dtype
    if dtype in _BUILT_IN and array.flags.aligned:
        return array
    if dtype.name in LOSS_DTYPES:
        return array if dtype.isnative and array.flags.aligned else array.astype(dtype.newbyteorder("="))
    if dtype.kind in "iub":
        return array.astype(np.float64)
    raise TypeError(f"{name} has dtype {dtype}; it must be {', '.join(LOSS_DTYPES)} or an integer dtype")


def loss_dtype(x: Floating) -> np.dtype[Any]:
    """The dtype of the losses of logits `x`."""
    return _BUILT_IN.get(x.dtype) or np.dtype(LOSS_DTYPES[x.dtype.name])


def round_to(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values in the dtype of the result; beyond its range is inf, as for any rounding of an exact result."""
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(dtype, copy=False)


def is_floating(array: NDArray[Any]) -> bool:
    return array.dtype.kind == "f" or array.dtype.name in LOSS_DTYPES


def axes_tuple(axis: Axis, ndim: int) -> tuple[int, ...]:
    """The class axes in ascending order; None is all of them."""
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, tuple):
        return tuple(sorted(normalize_axis_tuple(axis, ndim, "axis")))
    return normalize_axis_tuple(axis, ndim, "axis")


def shape_without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    if axes == (len(shape) - 1,):
        return shape[:-1]
    return tuple(size for d, size in enumerate(shape) if d not in axes)


def row_size(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    if len(axes) == 1:
        return shape[axes[0]]
    return prod(shape[d] for d in axes)


def class_count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """The classes of a row of logits; a loss asks for one at least."""
    classes = row_size(shape, axes)
    if classes == 0:
        raise ValueError(f"logits has shape {shape}: a row of no classes has no loss")
    return classes


def output_for(x: Floating, out: Floating | None) -> Floating:
    """`out` if it can take a result of the shape and dtype of `x`, a new array if it is None."""
    if out is None:
        return np.empty(x.shape, x.dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
    if out.dtype != x.dtype:
        raise TypeError(f"out has dtype {out.dtype}; the result has dtype {x.dtype}")
    if out.shape != x.shape:
        raise ValueError(f"out has shape {out.shape}; the result has shape {x.shape}")
    flags = out.flags
    if not flags.writeable:
        raise ValueError("out is read-only")
    if not flags.aligned:
        raise ValueError("out is not aligned to its elements")
    if not flags.c_contiguous and _may_overlap_itself(out):
        raise ValueError(f"out has several elements at one place in memory: shape {out.shape}, strides {out.strides}")
    if out is not x and np.may_share_memory(out, x) and not _same_elements(out, x) and np.shares_memory(out, x):
        raise ValueError(
            "out overlaps the input without being the same elements; give the input itself or a separate array"
        )
    return out


def _may_overlap_itself(array: Floating) -> bool:
    """False where each dimension, by growing stride, steps over all that the smaller ones reach, as in any slice."""
    if array.size == 0:
        return False
    reach = array.itemsize
    for stride, size in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride < reach:
            return True
        reach += stride * (size - 1)
    return False


def _same_elements(a: Floating, b: Floating) -> bool:
    return a.ctypes.data == b.ctypes.data and a.strides == b.strides and a.shape == b.shape


def same_shape(value: ArrayLike, name: str, x: Floating, x_name: str) -> Floating:
    """A cotangent, tangent or target: real, of the shape of `x`."""
    array = floating_array(value, name)
    if array.shape != x.shape:
        raise ValueError(f"{name} has shape {array.shape}; {x_name} has shape {x.shape}")
    # float16 and bfloat16 have no dtype in common that NumPy would find.
    return array.astype(np.float32) if array.itemsize == 2 and array.dtype != x.dtype else array


def require_alike(array: Floating, name: str, x: Floating, x_name: str) -> None:
    """Refuses an array of another shape or dtype than `x`."""
    if array.shape != x.shape:
        raise ValueError(f"{name} has shape {array.shape}; {x_name} has shape {x.shape}")
    if array.dtype != x.dtype:
        raise TypeError(f"{name} has dtype {array.dtype}; {x_name} has dtype {x.dtype}")


def separate(out: Floating | None, **inputs: object) -> None:
    """Refuses an `out` that shares memory with an input that is read while it is written."""
    if out is None:
        return
    for name, value in inputs.items():
        if isinstance(value, np.ndarray) and np.may_share_memory(out, value) and np.shares_memory(out, value):
            raise ValueError(f"out overlaps {name}")


def class_labels(
    labels: NDArray[Any], shape: tuple[int, ...], classes: int, ignore_index: int | None
) -> tuple[Int64, NDArray[np.bool_] | None]:
    """Class indices as contiguous int64, each in range, 0 where they are ignored; and where that is."""
    indices, ignored = label_indices(labels, shape, ignore_index)
    require_classes(labels, indices, shape, classes)
    return indices, ignored


def label_indices(
    labels: NDArray[Any], shape: tuple[int, ...], ignore_index: int | None
) -> tuple[Int64, NDArray[np.bool_] | None]:
    """Labels as contiguous int64, the array itself if it is that, 0 where they are ignored; and where that is.

    Whether each is a class is left to `require_classes` or to the core.
    """
    if labels.shape != shape:
        raise ValueError(
            f"labels has shape {labels.shape}; for class indices it must be {shape}, the logits without the class axis"
        )
    ignored = None if ignore_index is None else labels == ignore_index
    if ignored is not None and not ignored.any():
        ignored = None
    indices = labels if ignored is None else np.where(ignored, 0, labels)
    flags = indices.flags
    # What int64 cannot hold becomes negative, and is outside as it was.
    if not (indices.dtype == _INT64 and flags.c_contiguous and flags.aligned):
        indices = indices.astype(_INT64, order="C")
    return indices, ignored


def require_classes(labels: NDArray[Any], indices: Int64, shape: tuple[int, ...], classes: int) -> None:
    """Refuses a label that is no class, which the error names as it was given; `shape` is that of the labels."""
    outside = _native.first_outside(indices, classes)
    if outside >= 0:
        index = np.unravel_index(outside, shape) if shape else ()
        where = f"labels[{', '.join(str(i) for i in index)}]" if shape else "labels"
        raise ValueError(f"{where} is {labels.flat[outside]}; logits have {classes} classes (0 to {classes - 1})")


def ignored_label(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    raise TypeError(f"ignore_index must be an integer or None, got {type(value).__name__}")


def nonnegative_weights(value: ArrayLike, name: str, shape: tuple[int, ...]) -> Float64:
    """Weights as contiguous float64 of the given shape, finite and not negative."""
    return np.asarray(nonnegative_numbers(value, name, shape), np.float64, order="C")


def nonnegative_numbers(value: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Weights as an array of the given shape, in their own dtype, finite and not negative."""
    array = as_array(value, name)
    if array.dtype.kind not in "iubf":
        raise TypeError(f"{name} has dtype {array.dtype}; it must be real")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    _each_within(array, name, 0.0, np.finfo(np.float64).max, "weights must be finite and not negative")
    return array


def broadcast_numbers(value: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Weights broadcast to the given shape, in their own dtype, finite and not negative."""
    array = as_array(value, name)
    numbers = nonnegative_numbers(array, name, array.shape)
    try:
        return np.broadcast_to(numbers, shape)
    except ValueError:
        raise ValueError(f"{name} has shape {numbers.shape}; it must broadcast to {shape}") from None


def probabilities_within(value: ArrayLike, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Numbers from 0 to 1, or truth values, of the given shape, as they are given."""
    array = as_array(value, name)
    if array.dtype.kind not in "iub" and not is_floating(array):
        raise TypeError(f"{name} has dtype {array.dtype}; it must be real or boolean")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    _each_within(array, name, 0.0, 1.0, "it must be in [0, 1]")
    return array


def target_probabilities(labels: Floating, counts: NDArray[np.bool_] | np.bool_) -> None:
    """Refuses a negative or not finite target probability where `counts`, which broadcasts to the labels, is True."""
    relevant = np.where(counts, labels, labels.dtype.type(0))
    _each_within(relevant, "labels", 0.0, np.finfo(np.float64).max, "a target probability is finite and not negative")


def _each_within(array: NDArray[Any], name: str, least: float, most: float, what: str) -> None:
    start = 0
    for chunk in chunks(array):
        outside = ~((chunk >= least) & (chunk <= most))
        if outside.any():
            at = int(outside.argmax())
            index = np.unravel_index(start + at, array.shape) if array.shape else ()
            raise ValueError(f"{name}[{', '.join(str(i) for i in index)}] is {chunk[at]}; {what}")
        start += chunk.size


def positive_number(value: SupportsFloat, name: str) -> float:
    number = value if type(value) is float else _as_float(value, name)
    if not 0.0 < number < inf:
        raise ValueError(f"{name} is {number}; it must be positive and finite")
    return number


def nonnegative_number(value: SupportsFloat, name: str) -> float:
    number = value if type(value) is float else _as_float(value, name)
    if not 0.0 <= number < inf:
        raise ValueError(f"{name} is {number}; it must be finite and not negative")
    return number


def smoothing(value: SupportsFloat) -> float:
    number = value if type(value) is float else _as_float(value, "label_smoothing")
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"label_smoothing is {number}; it must be in [0, 1]")
    return number


def _as_float(value: SupportsFloat, name: str) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}") from None


def class_mask(where: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """`where` of the shape of the logits, without a copy."""
    if where is None:
        return None
    mask = as_array(where, "where")
    if mask.dtype != np.bool_:
        raise TypeError(f"where has dtype {mask.dtype}; it must be bool")
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(f"where has shape {mask.shape}; it must broadcast to {shape}") from None


def reduction_name(value: str) -> str:
    if value not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {value!r}; it must be 'mean', 'sum' or 'none'")
    return value


def normalizer_value(value: object) -> str | float:
    if isinstance(value, str):
        if value not in ("weights", "count"):
            raise ValueError(f"normalizer is {value!r}; it must be 'weights', 'count' or a number")
        return value
    return positive_number(value, "normalizer")  # type: ignore[arg-type]


def upstream_for(value: ArrayLike, reduction: str, shape: tuple[int, ...]) -> tuple[float, NDArray[Any] | None]:
    """The gradient that arrives from above: a number for one loss, an array of the shape of the losses for "none"."""
    array = as_array(value, "upstream")
    if array.dtype.kind not in "iubf":
        raise TypeError(f"upstream has dtype {array.dtype}; it must be real")
    if reduction == "none":
        if array.shape != shape:
            raise ValueError(
                f"upstream has shape {array.shape}; with reduction='none' it must be {shape}, the shape of the losses"
            )
        return 1.0, array
    if array.ndim != 0:
        raise ValueError(f"upstream has shape {array.shape}; with reduction={reduction!r} it must be a number")
    return float(array), None
