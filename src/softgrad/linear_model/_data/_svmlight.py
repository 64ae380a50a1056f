"""The rows of an svmlight file, read block by block anew for every pass."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._locations import Location, Name, location_of
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._source_file import SourceFile

_BLOCK_BYTES = 1 << 20
# Of a feature, for scikit-learn's parser.
_LARGEST_INDEX = 2**31 - 1


class Extent(NamedTuple):
    """The least and the largest index of a feature."""

    least: int
    most: int


# In which every feature is, and its place is its index.
WIDEST = Extent(0, _LARGEST_INDEX)


class SvmlightFile:
    """The rows of an svmlight file as pairs of a sparse matrix and its labels, the same at every iteration.

    Indices start from 1, or from 0 if any is 0; all of the file decides, as with scikit-learn's loader. Whole labels
    are integers.

    Parameters
    ----------
    file : path or Location
    options : ReadOptions or mapping, optional
    extent : Extent, optional
        That of all files, where there are several; by default a pass over this one tells it.
    """

    def __init__(
        self,
        file: Name | Location,
        options: ReadOptions | Mapping[str, Any] | None = None,
        extent: Extent | None = None,
    ) -> None:
        location = file if isinstance(file, Location) else location_of(file)
        self.name = location.name
        ReadOptions.of(options).check_for("svmlight", self.name)
        if location.keys:
            raise ValueError(
                f"{self.name} is an svmlight file, which has no column for {location.keys[0].name!r}, for which its "
                f"folder is named"
            )
        self._file = SourceFile(location)
        self.found = self._file.found
        self.extent = self._own_extent() if extent is None else extent
        self.first_index = min(1, self.extent.least)
        self.n_features = self.extent.most - self.first_index + 1

    def __iter__(self) -> Iterator[tuple[Any, NDArray[Any]]]:
        self._file.check_unchanged()
        return self._parsed(zero_based=self.first_index == 0, features=self.n_features)

    @property
    def share(self) -> float:
        """How much of the file was read when the last rows were given."""
        return self._file.share_read()

    def _own_extent(self) -> Extent:
        extents = [
            Extent(int(X.indices.min()), int(X.indices.max()))
            for X, _ in self._parsed(zero_based=True, features=None)
            if X.nnz
        ]
        if not extents:
            raise ValueError(f"{self.name} has no rows with a feature")
        return common_extent(extents)

    def _parsed(self, *, zero_based: bool, features: int | None) -> Iterator[tuple[Any, NDArray[Any]]]:
        # scikit-learn takes a second to import.
        from sklearn.datasets import load_svmlight_file

        def parsed(text: bytes) -> tuple[Any, NDArray[Any]]:
            X, y = load_svmlight_file(io.BytesIO(text), n_features=features, zero_based=zero_based)
            return X, y

        lines = 0
        for block in self._blocks():
            try:
                X, y = parsed(block)
            except (ValueError, OverflowError) as error:
                self._name_bad_line(block, lines, parsed)
                # Each of the lines is right by itself.
                raise ValueError(f"cannot read {self.name}, from line {lines + 1} on: {error}") from None
            lines += block.count(b"\n")
            if len(y):
                yield X, y.astype(np.int64) if are_whole(y).all() else y

    def _name_bad_line(self, block: bytes, lines_before: int, parsed: Callable[[bytes], object]) -> None:
        for number, line in enumerate(block.split(b"\n"), start=lines_before + 1):
            try:
                parsed(line + b"\n")
            except ValueError as error:
                raise ValueError(f"cannot read {self.name}, line {number}: {error}") from None
            except OverflowError:
                indices = re.findall(r"[+-]?\d+(?=:)", line.decode("latin-1").partition("#")[0])
                index = max(indices, key=len, default="?")
                raise ValueError(
                    f"cannot read {self.name}, line {number}: feature index {index}; the largest is {_LARGEST_INDEX}"
                ) from None

    def _blocks(self) -> Iterator[bytes]:
        """Whole lines; a last one without a newline where it would be with one, since sums are taken in blocks."""
        with self._file.opened() as file:
            block = rest = b""
            while read := file.read(_BLOCK_BYTES):
                lines, newline, rest = (rest + read).rpartition(b"\n")
                if newline:
                    if block:
                        yield block
                    block = lines + newline
            if block or rest:
                yield block + rest


def common_extent(extents: Sequence[Extent]) -> Extent:
    """The extent of the features of all."""
    return Extent(min(extent.least for extent in extents), max(extent.most for extent in extents))


def are_whole(labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the labels are integers, of those that float64 tells apart."""
    whole: NDArray[np.bool_] = (labels == np.rint(labels)) & (np.abs(labels) < 2**53)
    return whole
