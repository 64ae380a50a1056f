"""Files that appear whole or not at all, written under a temporary name and then renamed; what is one, what is full."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends without an exception.

    A reader sees the old file or the new one, never half of it, also after a crash. What cannot be written is an
    OSError that names `path`.
    """
    # Through a symbolic link, so that the link survives. Path.resolve fails where links lead in a circle.
    place = Path(os.path.realpath(path))
    # Short, as that of the place may be as long as a name can be.
    temporary = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
        _sync_folder(place.parent)
    except OSError as error:
        # One of a write has no name, others have that of the temporary file.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def is_full(error: OSError) -> bool:
    """Whether nothing more can be written there: to the disk, of the quota or to the file."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def same_file(first: Path, second: Path) -> bool:
    """Whether two names lead to one file, through links too, or would if it were there."""
    if os.path.exists(first) and os.path.exists(second):
        return os.path.samefile(first, second)
    return os.path.realpath(first) == os.path.realpath(second)


def _sync_folder(folder: Path) -> None:
    # Windows opens no folders; there the rename itself is all one can do.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
