"""Calls of what the caller brought, with copies of the arguments: it may write into them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from softgrad.gradcheck._arrays import Array, as_array

# Bytes that are compared at a time.
IN_CACHE = 2**17


class Guarded:
    """A callable that is given copies of its arguments, and the record of those it wrote into.

    What is copied are arrays of any framework and lists, tuples and dictionaries of them; the rest is passed as it is.
    A result may be a view of an argument or the callable's own buffer: it is to be used up before the next call.

    Parameters
    ----------
    function : callable
    name : str
        What the record calls it.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._function = function
        self._name = name
        # A dictionary for its order.
        self._written: dict[str, None] = {}

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        copies = [_copy(value) for value in arguments]
        named = {keyword: _copy(value) for keyword, value in options.items()}
        result = self._function(*copies, **named)
        for position, (copied, value) in enumerate(zip(copies, arguments, strict=True)):
            self._compare(copied, value, f"argument {position}")
        for keyword, value in options.items():
            self._compare(named[keyword], value, keyword)
        return result

    def _compare(self, copied: Any, value: Any, label: str) -> None:
        place = f"{label} of {self._name}"
        if place not in self._written and not _same(copied, value, label):
            self._written[place] = None

    @property
    def wrote_into(self) -> tuple[str, ...]:
        """The arguments it wrote into, by position ("argument 0 of ...") or keyword."""
        return tuple(self._written)


def wrote_into(calls: Iterable[Guarded]) -> tuple[str, ...]:
    """The arguments that any of them wrote into, each once."""
    return tuple(dict.fromkeys(place for each in calls for place in each.wrote_into))


def _copy(value: Any) -> Any:
    if isinstance(value, list | dict):
        copied = copy.copy(value)
        for key in value if isinstance(value, dict) else range(len(value)):
            copied[key] = _copy(value[key])
        return copied
    if isinstance(value, tuple):
        parts = [_copy(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    # Each framework's arrays have a shape, the sparse ones of SciPy too.
    return copy.deepcopy(value) if hasattr(value, "shape") else value


def _same(one: Any, other: Any, name: str) -> bool:
    """Whether a copy still is what it was made of, to the last bit; NaN is the same as NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key], name) for key in other)
    if isinstance(other, list | tuple):
        return len(one) == len(other) and all(_same(a, b, name) for a, b in zip(one, other, strict=True))
    if not hasattr(other, "shape"):
        return one is other
    a, b = as_array(one, name), as_array(other, name)
    if not b.dtype.hasobject:
        return a.dtype == b.dtype and a.shape == b.shape and _same_bytes(a, b)
    # NumPy does not read a sparse array, which is several arrays.
    parts = [key for key, part in getattr(other, "__dict__", {}).items() if isinstance(part, np.ndarray)]
    return all(_same(getattr(one, key), getattr(other, key), name) for key in parts)


def _same_bytes(one: Array, other: Array) -> bool:
    a, b = (np.ascontiguousarray(array).reshape(-1) for array in (one, other))
    step = IN_CACHE // max(1, a.itemsize)
    return all(a[i : i + step].tobytes() == b[i : i + step].tobytes() for i in range(0, a.size, step))
