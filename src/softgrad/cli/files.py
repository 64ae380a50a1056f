"""Files appear whole or not at all: written under a temporary name beside their place, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from softgrad.cli.errors import UserError


def check_destination(path: Path) -> None:
    """Refuse early what `replacing` could not write, before hours of work end in an error.

    Raises
    ------
    UserError
        If the folder does not exist or cannot be written to, or the path is taken by something that is not a
        plain file.
    """
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise UserError(f"cannot write {path}: no permission to write in the folder {folder}")
    if path.exists() and not path.is_file():
        raise UserError(f"cannot write {path}: it is there already and is not a plain file")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends without an exception.

    A reader sees the old file or the new one, never half of it, also after a crash.
    """
    check_destination(path)
    # Through a symbolic link, so that the link survives.
    place = path.resolve()
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(8)}.part")
    try:
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place)
            _sync_folder(place.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def _sync_folder(folder: Path) -> None:
    # Windows opens no folders; there the rename itself is all one can do.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
