"""Arrow's arrays as NumPy's, without pandas, which takes longer to import than most trainings take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def as_numpy(array: pa.Array) -> npt.NDArray[Any]:
    """The numbers of an array, NaN for the nulls of one of floats, which alone may have some; not to be written to."""
    if pa.types.is_boolean(array.type):
        # Eight to a byte in Arrow.
        return as_numpy(array.cast(pa.uint8())).astype(np.bool_)
    numbers: npt.NDArray[Any] = np.from_dlpack(pc.fill_null(array, np.nan) if array.null_count else array)
    return numbers
