"""The files of a command: what could not be written, or would replace another of them, is refused before any work."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, combinations, product
from pathlib import Path
from typing import BinaryIO

from softgrad import _files
from softgrad._files import is_full
from softgrad.cli.errors import UserError


def check_files(*, inputs: Mapping[str, Sequence[Path]], outputs: Mapping[str, Path | None]) -> None:
    """Refuse outputs that could not be written, or that are one of the inputs or another output.

    Parameters
    ----------
    inputs : mapping of str to sequence of Path
        By the argument that names the files.
    outputs : mapping of str to Path or None
        By the argument or option that names the file; None where none was given.

    Raises
    ------
    UserError
    """
    written = [(name, path) for name, path in outputs.items() if path is not None]
    for _, path in written:
        _check_destination(path)
    read = [(name, path) for name, paths in inputs.items() for path in paths]
    for (first, path), (second, other) in chain(product(read, written), combinations(written, 2)):
        if _files.same_file(path, other):
            raise UserError(f"{second} {other} and {first} {path} are the same file: {second} needs another one")


def _check_destination(path: Path) -> None:
    """Refuse early what `replacing` could not write, before hours of work end in an error.

    Raises
    ------
    UserError
        If the folder does not exist or cannot be written to, or the path is no possible name, or taken by something
        that is not a plain file.
    """
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise UserError(f"cannot write {path}: no permission to write in the folder {folder}")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise UserError(f"cannot write {path}: it is there already and is not a plain file")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that replaces `path` when the block ends; where it cannot be written, that is the user's error."""
    _check_destination(path)
    with write_errors(path), _files.replacing(path) as file:
        yield file


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """What cannot be written is the user's error, a full disk excepted."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder that is called `path` when the block ends; it is another one until then, that all processes can name.

    Raises
    ------
    UserError
        There is a folder with something in it, or something else; or it cannot be made.
    """
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        raise UserError(f"cannot write {path}: the folder {place.parent} does not exist")
    with write_errors(path):
        if os.path.lexists(place) and (not place.is_dir() or any(place.iterdir())):
            what = "has something in it" if place.is_dir() else "is there already and is no folder"
            raise UserError(f"cannot write to {path}: it {what}")
        temporary = place.with_name(f".{secrets.token_hex(8)}.part")
        temporary.mkdir()
    try:
        yield temporary
        with write_errors(path):
            temporary.replace(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
