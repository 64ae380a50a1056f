"""The rows of an svmlight file, read block by block anew for every pass."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softgrad.linear_model._data._local_file import LocalFile
from softgrad.linear_model._data._read_options import ReadOptions

_BLOCK_BYTES = 1 << 20
# Of a feature, for scikit-learn's parser.
_LARGEST_INDEX = 2**31 - 1


class SvmlightFile:
    """The rows of an svmlight file as pairs of a sparse matrix and its labels, the same at every iteration.

    Indices start from 1, or from 0 if any is 0; all of the file decides, as with scikit-learn's loader. Whole labels
    are integers.
    """

    def __init__(self, path: str | os.PathLike[str], options: ReadOptions | Mapping[str, Any] | None = None) -> None:
        ReadOptions.of(options).check_for("svmlight", path)
        self._file = LocalFile(path)
        self.found = self._file.found
        self.path = Path(path)
        indices = [
            (int(X.indices.min()), int(X.indices.max()))
            for X, _ in self._parsed(zero_based=True, features=None)
            if X.nnz
        ]
        if not indices:
            raise ValueError(f"{path} has no rows with a feature")
        self.first_index = min(1, *(least for least, _ in indices))
        self.n_features = max(most for _, most in indices) - self.first_index + 1

    def __iter__(self) -> Iterator[tuple[Any, NDArray[Any]]]:
        self._file.check_unchanged()
        return self._parsed(zero_based=self.first_index == 0, features=self.n_features)

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
            except (ValueError, OverflowError):
                self._name_bad_line(block, lines, parsed)
                raise
            lines += block.count(b"\n")
            if len(y):
                yield X, y.astype(np.int64) if are_whole(y).all() else y

    def _name_bad_line(self, block: bytes, lines_before: int, parsed: Callable[[bytes], object]) -> None:
        for number, line in enumerate(block.split(b"\n"), start=lines_before + 1):
            try:
                parsed(line + b"\n")
            except ValueError as error:
                raise ValueError(f"cannot read {self.path}, line {number}: {error}") from None
            except OverflowError:
                index = max(map(int, re.findall(rb"\s(\d+):", line.partition(b"#")[0])))
                raise ValueError(
                    f"cannot read {self.path}, line {number}: feature index {index}; the largest is {_LARGEST_INDEX}"
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


def are_whole(labels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the labels are integers, of those that float64 tells apart."""
    whole: NDArray[np.bool_] = (labels == np.rint(labels)) & (np.abs(labels) < 2**53)
    return whole
