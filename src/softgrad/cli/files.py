"""The files that commands write: refused early where they could not be written, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from softgrad import _files
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
    """As `softgrad._files.replacing`; what cannot be written is the user's error."""
    check_destination(path)
    try:
        with _files.replacing(path) as file:
            yield file
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None
