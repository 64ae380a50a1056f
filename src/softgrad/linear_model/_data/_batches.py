"""The batches of a source, checked and as arrays, whatever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._rows import Array


class Batch(NamedTuple):
    """A batch, or where it has more rows than a piece a part of it.

    X : shape (n, d), features, finite, float32 or float64, dense or sparse as `canonical` makes it. labels : distinct,
    each that of some row of the source; or the classes, in the same order in every batch, where rows have probabilities
    of them. codes : the place of each row's label among these, shape (n,); or the probabilities as `distributions`
    makes them, shape (n, K). weights : of the rows, finite, none negative.
    """

    X: Any
    labels: list[Any]
    codes: NDArray[Any]
    weights: Array


class Batches(ABC):
    """All rows, checked, anew and the same at each iteration; a fit takes them as they are.

    `names` are those of the features, None where they have none, and `order` is the memory order of dense ones; both
    are known once the first batch is. `untyped` says that labels are strings, whatever they stand for. `ahead` says
    that a thread may make them, and that it is worth one. `file` is what messages call the file, or the part of one,
    that they come from; None if they come from none.
    """

    names: list[str] | None = None
    untyped: bool = False
    order: Literal["C", "F"] = "C"
    ahead: bool = False
    file: str | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Batch]: ...


def check_labels(labels: NDArray[Any], where: Callable[[int], str]) -> None:
    """Raises ValueError where they are no classes; `where` is the name of a row in a message."""
    if labels.dtype.kind == "f":
        fine = (labels == np.rint(labels)) & (np.abs(labels) < 2.0**63)
        if not fine.all():
            row = int(fine.argmin())
            raise ValueError(
                f"{where(row)} is {labels[row]}; a label that is a number must be whole, from -2**63 to 2**63 - 1: "
                f"regression targets are not supported"
            )
    # For the others there is nothing to find, and it takes its time.
    if labels.dtype.kind not in "iubUO":
        # scikit-learn takes a second to import.
        from sklearn.utils.multiclass import check_classification_targets

        check_classification_targets(labels)


def check_weights(weights: Array, name: str, first_row: int) -> None:
    usable = (weights >= 0) & np.isfinite(weights)
    if not usable.all():
        row = int(usable.argmin())
        raise ValueError(
            f"{name}, row {first_row + row + 1} is {weights[row]}; weights must be finite and not negative"
        )
