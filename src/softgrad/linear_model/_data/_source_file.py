"""Files that are read many times, whatever was named: a pipe, or what only unpacked can be read."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path, PurePath
from typing import Any

from softgrad._files import is_full
from softgrad.linear_model._data._compression import ENDINGS, compression_of, unpacked
from softgrad.linear_model._data._file_systems import LOCAL, FileSystem
from softgrad.linear_model._data._locations import STDIN, Location

_HEAD_BYTES = 10


class SourceFile:
    """A file that must not change between two passes over it.

    What can be read once only, standard input or a pipe, is copied to a temporary file, which is removed with this
    object.

    Attributes
    ----------
    name : str
        What messages call it.
    far : bool
        Whether every request takes its time.
    compression : str or None
        As the first bytes say.
    found : dict
        The compression, as a word, where the ending of the name does not say it.

    Raises
    ------
    ValueError
        It is not as it was found.
    """

    def __init__(self, location: Location) -> None:
        self.name = location.name
        self._location = location
        self._files: FileSystem = location.files
        self._path = location.path
        self._size = location.size
        self._opened: Any = None
        if location.signature is None:
            # Standard input stays open.
            with nullcontext(sys.stdin.buffer) if self._path == STDIN else self._stream() as content:
                self._copy(content)
        self.check_unchanged()
        self.compression = compression_of(self._files.head(self._path, _HEAD_BYTES))
        told = ENDINGS.get(PurePath(self.name).suffix.lower())
        self.found = {} if self.compression == told else {"compression": self.compression or "none"}

    @property
    def far(self) -> bool:
        return self._files.far

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """The content, unpacked, as a binary file."""
        with self._stream() as file, unpacked(file, self.compression, self.name) as content:
            self._opened = file
            yield content

    def share_read(self) -> float:
        """How much was read by whoever opened it last, while it is open."""
        return float(self._opened.tell()) / max(self._size or 0, 1)

    def at_random(self) -> Any:
        """What is there, not unpacked, as a file of pyarrow's that is read in any order."""
        self._opened = self._files.file(self._path)
        return self._opened

    def unpack(self) -> None:
        """Put a temporary file with the content in the place of a compressed one."""
        if self.compression is not None:
            with self.opened() as content:
                self._copy(content)
            self.compression = None

    def check_unchanged(self) -> None:
        self._location.check_unchanged()

    def _stream(self) -> AbstractContextManager[Any]:
        return self._files.stream(self._path)

    def _copy(self, content: Any) -> None:
        """Read a temporary file with this content from then on."""
        with temporary_file() as (path, file):
            shutil.copyfileobj(content, file, 1 << 20)
        weakref.finalize(self, path.unlink, missing_ok=True)
        self._files, self._path, self._size = LOCAL, str(path), path.stat().st_size


@contextmanager
def temporary_file() -> Iterator[tuple[Path, Any]]:
    """A file to write, which stays; on an error it is removed, and where the disk is full the error names it."""
    number, name = _made()
    path = Path(name)
    try:
        with open(number, "wb") as file:
            yield path, file
    except BaseException as error:
        path.unlink()
        # Any other may be of what is read.
        if isinstance(error, OSError) and error.filename is None and is_full(error):
            raise OSError(error.errno, error.strerror, name) from None
        raise


def _made() -> tuple[int, str]:
    """A new file, as `tempfile.mkstemp` gives it."""
    try:
        return tempfile.mkstemp(prefix="softgrad-")
    except FileNotFoundError:
        # No folder can be written to, which is all that tempfile says of a full disk; the first one says why.
        return tempfile.mkstemp(prefix="softgrad-", dir=os.environ.get("TMPDIR", "/tmp"))
