"""Arrays read element by element in float64, a chunk at a time, so that temporaries stay in cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Elements in a chunk: 512 KiB in float64. Half as many cost quadratic 10 to 30% of time; twice as many save nothing.
CHUNK = 2**16


def chunks(array: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """The elements in C order, flat. A chunk holds until the next one is asked for."""
    yield from np.nditer(
        array,
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=["readonly"],
        op_dtypes=np.float64,
        order="C",
        casting="same_kind",
        buffersize=CHUNK,
    )


def elementwise(
    function: Callable[..., NDArray[np.float64]], x: NDArray[Any], *others: NDArray[Any]
) -> NDArray[np.floating[Any]]:
    """A function of each element of arrays of one shape, in float64, rounded once to the dtype of `x`."""
    result = np.empty(x.shape, x.dtype)
    operands = (x, *others, result)
    flags: list[list[Literal["readonly", "writeonly"]]] = [["readonly"]] * (len(operands) - 1)
    with (
        # Beyond the range of the dtype is inf, as for any rounding of an exact result.
        np.errstate(over="ignore"),
        np.nditer(
            operands,
            flags=["external_loop", "buffered", "zerosize_ok"],
            op_flags=[*flags, ["writeonly"]],
            op_dtypes=[np.float64] * len(operands),
            casting="same_kind",
            buffersize=CHUNK,
        ) as parts,
    ):
        for *inputs, output in parts:
            output[...] = function(*inputs)
    value: NDArray[np.floating[Any]] = result[()]
    return value
