"""Files that are read many times, whatever was named: a pipe, or what only unpacked can be read."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from softgrad.linear_model._data._compression import ENDINGS, compression_of, opened

STDIN = "-"


class LocalFile:
    """A regular file that must not change between two passes over it.

    What can be read once only, standard input or a pipe, is copied to a temporary file, which is removed with this
    object.

    Attributes
    ----------
    source : str
        What it was called.
    path : Path
        Where the bytes are.
    compression : str or None
        As the first bytes say.
    found : dict
        The compression, as a word, where the ending of the name does not say it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.source = os.fspath(path)
        self.path = self._copied(sys.stdin.buffer) if self.source == STDIN else self._regular(Path(path))
        self._seen = self._signature()
        self.compression = compression_of(self.path)
        told = ENDINGS.get(Path(path).suffix.lower())
        self.found = {} if self.compression == told else {"compression": self.compression or "none"}

    def opened(self) -> AbstractContextManager[Any]:
        """The content, unpacked, as a binary file."""
        return opened(self.path, self.compression, self.source)

    def unpack(self) -> None:
        """Put a temporary file with the content in the place of a compressed one."""
        if self.compression is not None:
            with self.opened() as file:
                self.path = self._copied(file)
            self.compression = None
            self._seen = self._signature()

    def check_unchanged(self) -> None:
        if self._signature() != self._seen:
            raise ValueError(f"{self.source} has changed since the first pass over it")

    def _signature(self) -> tuple[int, int]:
        status = os.stat(self.path)
        return status.st_size, status.st_mtime_ns

    def _regular(self, path: Path) -> Path:
        check_is_file(path)
        if path.is_file():
            return path
        with path.open("rb") as file:
            return self._copied(file)

    def _copied(self, content: Any) -> Path:
        with temporary_file() as (path, file):
            shutil.copyfileobj(content, file, 1 << 20)
        weakref.finalize(self, path.unlink, missing_ok=True)
        return path


def check_is_file(path: str | os.PathLike[str]) -> None:
    """Raise OSError where there is nothing to read."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a directory, not a file")
    if os.fspath(path) != STDIN and not os.path.exists(path):
        raise FileNotFoundError(f"no such file: {path}")


@contextmanager
def temporary_file() -> Iterator[tuple[Path, Any]]:
    """A file to write, which stays; on an error it is removed, and where the disk is full the error names it."""
    number, name = tempfile.mkstemp(prefix="softgrad-")
    path = Path(name)
    try:
        with open(number, "wb") as file:
            yield path, file
    except BaseException as error:
        path.unlink()
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, name) from None
        raise
