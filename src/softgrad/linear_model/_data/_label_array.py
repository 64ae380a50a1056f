"""Labels as arrays whose dtype says what they are, whatever container they come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# Beyond this float64 has no longer every integer.
_EXACT_IN_FLOAT = 2**53


def label_array(y: Any, where: Callable[[int], str]) -> Any:
    """Labels in one column as an array of integers, floats, truth values or text; anything else as it is.

    What holds objects is told by these: columns of pandas, polars and Arrow that may have missing values are such. So
    is a list, since NumPy would make text of 1 and "a", and floats of integers beyond int64.

    Parameters
    ----------
    y : array_like
        Of shape (n,) or (n, 1), which the result has, too. Of another shape it is given back unchanged.
    where : callable
        The name of a row in a message.

    Raises
    ------
    TypeError
        y is sparse.
    ValueError
        A label is missing, not finite or nothing of these, or they are of two kinds; the message names its row.
    """
    if sparse.issparse(y):
        raise TypeError(f"y is sparse, of shape {y.shape}; labels and probabilities must be dense: give y.toarray()")
    array = np.asarray(y, object) if isinstance(y, Sequence) else np.asarray(y)
    if array.ndim != 1 and array.shape[1:] != (1,):
        return y
    column = array.ravel()
    if column.dtype.kind in "OT":
        column = _typed(column.astype(object).tolist(), where)
    # Complex numbers scikit-learn refuses, in words of its own that its checks ask for.
    if column.dtype.kind not in "biufUOc" and column.size:
        raise _no_label(where(0), column[0])
    if column.dtype.kind == "f" and not (finite := np.isfinite(column)).all():
        row = int(finite.argmin())
        raise _no_label(where(row), column[row])
    return column.reshape(array.shape)


def _typed(values: list[Any], where: Callable[[int], str]) -> NDArray[Any]:
    kinds = {kind: _name_of(kind) for kind in set(map(type, values))}
    for row, value in enumerate(values):
        # NaN alone is not what it is.
        if kinds[type(value)] is None or value != value:
            raise _no_label(where(row), value)
        if kinds[type(value)] != kinds[type(values[0])]:
            raise ValueError(
                f"{where(row)} is {value!r}, {kinds[type(value)]}; {where(0)} is {values[0]!r}, "
                f"{kinds[type(values[0])]}: labels must be of one kind"
            )
    names = set(kinds.values())
    if names == {"a number"}:
        whole = all(issubclass(kind, (int, np.integer)) for kind in kinds)
        return _integers(values, where) if whole else _floats(values, where)
    # NumPy's own text has the width of the longest for all, and loses NULs at the end.
    return np.array(values, np.bool_ if names == {"a truth value"} else object)


def _name_of(kind: type) -> str | None:
    for name, kinds in [
        ("a truth value", (bool, np.bool_)),
        ("a number", (int, float, np.integer, np.floating)),
        ("text", (str,)),
    ]:
        if issubclass(kind, kinds):
            return name
    return None


def _integers(values: list[Any], where: Callable[[int], str]) -> NDArray[Any]:
    numbers = [int(value) for value in values]
    least, most = min(numbers), max(numbers)
    signed, unsigned = np.iinfo(np.int64), np.iinfo(np.uint64)
    for info in (signed, unsigned):
        if info.min <= least and most <= info.max:
            return np.array(numbers, info.dtype)
    row = numbers.index(least if least < signed.min else most)
    raise ValueError(
        f"{where(row)} is {numbers[row]}; integers must be from -2**63 to 2**63 - 1, or all from 0 to 2**64 - 1"
    )


def _floats(values: list[Any], where: Callable[[int], str]) -> NDArray[Any]:
    for row, value in enumerate(values):
        if isinstance(value, (int, np.integer)) and abs(int(value)) > _EXACT_IN_FLOAT:
            raise ValueError(f"{where(row)} is {value}; among floats integers must be from -2**53 to 2**53")
    return np.array(values, np.float64)


def _no_label(place: str, value: object) -> ValueError:
    return ValueError(f"{place} is {value!s}; a label must be an integer, a finite float, text or a truth value")
