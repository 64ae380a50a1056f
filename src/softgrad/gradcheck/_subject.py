"""What is checked: a function of one array that returns a scalar, and the gradient that is claimed for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from softgrad.gradcheck._arrays import Array, Float64Array, as_array, is_floating, real_values
from softgrad.gradcheck._guarded import Guarded, wrote_into


@dataclass(frozen=True)
class Subject:
    """One check.

    x : ndarray
        Where, in the dtype that the gradient is taken in.
    value : callable
        The function at a point in float64 or complex128, as it comes.
    claim : callable
        The claimed gradient at a point in the dtype of `x`, as it comes.
    name : str
        What messages call the argument.
    calls : tuple of Guarded
        The caller's function and gradient.
    """

    x: Array
    value: Callable[[Array], Any]
    claim: Callable[[Array], Any]
    name: str
    calls: tuple[Guarded, Guarded]

    def evaluate(self, point: Float64Array) -> float:
        """The function in float64."""
        # The ladder reaches out on its own account; leaving the function's domain is no news to the caller.
        with np.errstate(all="ignore"):
            return scalar(self.value(point))

    def gradient(self, point: Array) -> Float64Array:
        """The claimed gradient, its values in float64."""
        gradient = real_values(self.claim(point), "the gradient")
        if gradient.shape != self.x.shape:
            raise ValueError(f"the gradient has shape {gradient.shape}; {self.name} has shape {self.x.shape}")
        return gradient

    def wrong_dtype(self) -> str | None:
        """What is wrong with the dtype of the claimed gradient, if anything is."""
        dtype = as_array(self.claim(self.x), "the gradient").dtype
        if dtype == self.x.dtype:
            return None
        return f"wrong dtype: the gradient has dtype {dtype}, {self.name} has dtype {self.x.dtype}"

    def wrote_into(self) -> tuple[str, ...]:
        """The arguments that the caller's function and gradient have written into until now."""
        return wrote_into(self.calls)


class Cotangent:
    """Random weights for the results of a function: with them it becomes a scalar.

    Normal numbers, rounded to the dtype of the results; for each floating result of a tuple, where there are several.
    """

    def __init__(self, results: Any, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.weights = [rng.standard_normal(part.shape).astype(part.dtype) for part in floating_parts(results)]
        if not self.weights:
            raise ValueError(f"the function returned {results!r}: there is nothing to differentiate")
        self.given: Any = self.weights[0]
        if isinstance(results, tuple):
            weights = iter(self.weights)
            # None stands for a result that there is not; integers are results without a derivative.
            self.given = tuple(
                None if part is None else next(weights) for part in results if part is None or _is_float(part)
            )

    def of(self, results: Any) -> Any:
        """The weighted sum of the results, in float64 or complex128."""
        pairs = zip(self.weights, floating_parts(results), strict=True)
        return sum(np.sum(weight.astype(np.float64) * part) for weight, part in pairs)


def floating_parts(results: Any) -> list[Array]:
    """The results that have a derivative: not the integers, not the None among them."""
    parts = results if isinstance(results, tuple) else (results,)
    return [as_array(part, "a result") for part in parts if _is_float(part)]


def _is_float(part: Any) -> bool:
    return part is not None and (is_floating(array := as_array(part, "a result")) or array.dtype.kind == "c")


def subject_of(
    function: Any, arrays: tuple[Any, ...], grad: Callable[..., Any] | None, wrt: int, options: dict[str, Any]
) -> Subject:
    """The check of `check_gradient`, whose arguments these are."""
    if not 0 <= wrt < len(arrays):
        raise ValueError(f"wrt is {wrt}; there are {len(arrays)} arguments (0 to {len(arrays) - 1})")
    name = f"argument {wrt}"
    given = [_given(array, f"argument {position}") for position, array in enumerate(arrays)]
    x = as_array(given[wrt], name)
    if not is_floating(x):
        x = real_values(x, name)
    if x.size == 0:
        raise ValueError(f"{name} has shape {x.shape}: there is nothing to check")
    x = np.array(x, order="C")
    wide = [array.astype(np.float64) if _is_floating_array(array) else array for array in given]

    def at(point: Array) -> list[Any]:
        # Complex numbers take the place of float64.
        others = given if point.dtype == x.dtype else wide
        # NumPy makes a scalar of an array of no dimension plus a step, and a scalar takes no writes.
        return [*others[:wrt], np.asarray(point), *others[wrt + 1 :]]

    called = Guarded(function, "the function")

    def value(point: Array) -> Any:
        return called(*at(point), **options)

    with np.errstate(all="ignore"):
        result = _first_value(value, x)
    weights = None
    component = _own
    cotangent: tuple[Any, ...] = ()
    upstream: dict[str, Any] = {}
    if grad is not None:
        scalar(result)
        component = _component_of
    elif hasattr(function, "value_and_grad") or hasattr(function, "grad"):
        grad = gradient_of(function)
        if np.size(result) != 1:
            weights = Cotangent(value(x))
            upstream = {"upstream": weights.given}
    elif hasattr(function, "vjp"):
        grad = function.vjp
        weights = Cotangent(value(x))
        cotangent = (weights.given,)
    else:
        raise TypeError(f"{function!r} has no value_and_grad, no grad and no vjp; give the gradient as grad=")
    claimed = Guarded(grad, "the gradient")
    return Subject(
        x,
        value if weights is None else lambda point: weights.of(value(point)),
        lambda point: component(claimed(*at(point), *cotangent, **upstream, **options), function, wrt),
        name,
        (called, claimed),
    )


def scalar(value: Any) -> float:
    """The one real value that a function returned."""
    value = as_array(value, "the result of the function")
    if value.size != 1 or value.dtype.kind not in "fiuV":
        raise ValueError(f"the function returned {value.dtype} of shape {value.shape}; one real value is needed")
    return float(value.reshape(()))


def gradient_of(function: Any) -> Callable[..., Any]:
    """The function's own gradient."""
    if hasattr(function, "grad"):
        own: Callable[..., Any] = function.grad
        return own
    return lambda *arguments, **options: function.value_and_grad(*arguments, **options)[1]


def _given(value: Any, name: str) -> Any:
    """Floating arguments as arrays, others (labels, None) as they are."""
    if value is None:
        return None
    array = as_array(value, name)
    return array if is_floating(array) else value


def _is_floating_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and is_floating(value)


def _first_value(value: Callable[[Array], Any], x: Array) -> Any:
    try:
        return value(x.astype(np.float64))
    except Exception as error:
        if x.dtype != np.float64:
            error.add_note(
                f"check_gradient evaluates functions of {x.dtype} in float64; a function that takes {x.dtype} alone "
                "must convert its argument itself."
            )
        raise


def _own(result: Any, function: Any, wrt: int) -> Any:
    if wrt != 0 and not hasattr(result, "_fields"):
        raise ValueError(f"wrt is {wrt}; {function!r} brings its gradient by argument 0, give another as grad=")
    return _component_of(result, function, wrt)


def _component_of(result: Any, function: Any, wrt: int) -> Any:
    if not hasattr(result, "_fields"):
        return result
    name = list(inspect.signature(function).parameters)[wrt]
    if name not in result._fields:
        raise ValueError(f"argument {wrt} ({name}) has no gradient; those with one are {', '.join(result._fields)}")
    return getattr(result, name)
