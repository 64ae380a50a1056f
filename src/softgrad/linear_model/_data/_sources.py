"""What users give as the rows of a stream."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from softgrad.linear_model._data._arrow_batches import ArrowBatches
from softgrad.linear_model._data._batches import Batches
from softgrad.linear_model._data._datasets import is_dataset
from softgrad.linear_model._data._file_shards import file_shards, located
from softgrad.linear_model._data._file_systems import LOCAL, check_pyarrow
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._streams import LocalStream, Stream
from softgrad.linear_model._data._target import checked_target
from softgrad.linear_model._data._tuple_batches import TupleBatches

Source = str | os.PathLike[str] | Iterable[object] | Callable[[], Iterable[object]] | Stream


def stream_of(
    source: Source,
    target: str | Sequence[str] | None,
    sample_weight: str | None,
    read_options: ReadOptions | Mapping[str, Any] | None,
    indices: str | None = None,
) -> Stream:
    """The rows of files, or of an iterable of record batches or of tuples of arrays; of a `Stream` as they are.

    Raises
    ------
    TypeError, ValueError, OSError
        If the source is no such thing.
    ImportError
        If it takes pyarrow, which is not installed.
    """
    if _is_of_files(source):
        options = ReadOptions.of(read_options)
        return LocalStream([shard.open() for shard in file_shards(source, target, sample_weight, options, indices)])
    if read_options is not None:
        raise ValueError(f"read_options say how a file is read; source is {type(source).__name__}, not a path")
    if isinstance(source, Stream):
        if target is not None or sample_weight is not None or indices is not None:
            raise ValueError(
                f"source is {type(source).__name__}, which has its target; target, sample_weight and indices are None"
            )
        return source
    return LocalStream([_iterated(source, target, sample_weight, indices)])


def local_files(source: Source, read_options: ReadOptions | Mapping[str, Any] | None) -> list[Path]:
    """The files of this machine that a source is read from; raises as `stream_of`."""
    if not _is_of_files(source):
        return []
    locations = located(source, ReadOptions.of(read_options)).locations
    return [Path(location.path) for location in locations if location.files == LOCAL]


def _is_of_files(source: Source) -> bool:
    """Whether it names files, one or several in a list, or is a dataset of some."""
    if isinstance(source, (list, tuple)):
        return bool(source) and all(isinstance(name, (str, os.PathLike)) for name in source)
    return isinstance(source, (str, os.PathLike)) or is_dataset(source)


class _Made:
    """What a function gives, made anew at each iteration."""

    def __init__(self, function: Callable[[], Iterable[object]]) -> None:
        self._function = function

    def __iter__(self) -> Iterator[object]:
        return iter(self._function())


def _iterated(
    source: Any, target: str | Sequence[str] | None, sample_weight: str | None, indices: str | None
) -> Batches:
    target = checked_target(target, sample_weight, indices)
    if callable(source) and not hasattr(source, "__iter__"):
        source = _Made(source)
    if iter(source) is source:
        raise TypeError(
            f"source is an iterator, {type(source).__name__}, which gives its batches once; many passes are made: give "
            f"a path, a list, the function that makes it, or an object whose __iter__ starts again"
        )
    if target is not None:
        check_pyarrow("columns are")
        return ArrowBatches(source, target, sample_weight, text=None, ahead=False, indices=indices)
    if sample_weight is not None:
        raise ValueError("sample_weight names a column, so target must name one; or give (X, y, sample_weight)")
    if indices is not None:
        raise ValueError("indices names a column, so target must name one; or give (X, y) with sparse X")
    return source if isinstance(source, Batches) else TupleBatches(source)
