"""The files that users name: one by one, by a folder or by a pattern, here or wherever a URI leads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from softgrad.linear_model._data._file_systems import LOCAL, FileSystem, Signature, file_system_of
from softgrad.linear_model._data._folder_keys import Key, keys_of, with_types
from softgrad.linear_model._data._formats import READABLE, format_of
from softgrad.linear_model._data._read_options import ReadOptions
from softgrad.linear_model._data._reading_errors import reading

STDIN = "-"

Name = str | os.PathLike[str]
# One name, or several.
Names = Name | Sequence[Name]

_HIDDEN = (".", "_")
_WILD = re.compile(r"[*?\[]")
_SHOWN = 5


@dataclass(frozen=True)
class Location:
    """Where a file is, and what was seen of it when it was found; it can be pickled.

    `keys` are the columns that its folders are named for. Without a `signature` it can be read once only. `called` is
    what messages call it; None: as its path.
    """

    files: FileSystem
    path: str
    keys: tuple[Key, ...] = ()
    signature: Signature | None = None
    called: str | None = field(default=None, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        # Where it arrives a process is in another folder.
        path = os.path.abspath(self.path) if self.files == LOCAL else self.path
        return Location, (self.files, path, self.keys, self.signature, self.name)

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.files.shown(self.path) if self.called is None else self.called

    @property
    def size(self) -> int | None:
        """In bytes, as it is stored."""
        return None if self.signature is None else self.signature.size

    def check_unchanged(self) -> None:
        """Raises ValueError where it is not as it was found, and OSError where it is not there."""
        if self.signature is not None and self.files.signature(self.path) != self.signature:
            raise ValueError(f"{self.name} has changed since the first pass over it")


class _Found(NamedTuple):
    """A file, and the names of its folders that were left open."""

    path: str
    folders: tuple[str, ...]


def location_of(name: Name) -> Location:
    """Where one file is; "-" is standard input.

    Raises
    ------
    OSError
        There is none, or a folder.
    ValueError, ImportError
        As `file_system_of`.
    """
    return _file(*file_system_of(os.fspath(name)))


def _file(files: FileSystem, path: str) -> Location:
    if files == LOCAL and path == STDIN:
        return Location(files, path)
    if files.kind(path) == "folder":
        raise IsADirectoryError(f"{files.shown(path)} is a directory, not a file")
    return Location(files, path, signature=files.signature(path))


def locations_of(names: Names, options: ReadOptions) -> list[Location]:
    """Where the files are that one or several names stand for.

    Of a folder that is all files below it, of a pattern all that match it, sorted by their paths; names that begin with
    "." or "_" are left out, as pyarrow.dataset does. Folders that are called KEY=VALUE, below the one that was named
    or from the first wildcard on, are columns.

    Raises
    ------
    ValueError
        A folder holds files of an unknown format, or one of several is named twice or can be read once only.
    OSError
        There is no such file, or none.
    ImportError
        A URI is of a file system that takes a package which is not installed.
    """
    several = [names] if isinstance(names, (str, os.PathLike)) else names
    found = [location for name in several for location in _found(os.fspath(name), options)]
    seen: set[str] = set()
    for location in found:
        place = os.path.realpath(location.path) if location.files == LOCAL else location.name
        if place in seen:
            raise ValueError(f"{location.name} is named twice")
        seen.add(place)
        if location.signature is None and len(found) > 1:
            raise ValueError(f"{location.name} can be read once only, so that it cannot be one of several files")
    keys = with_types([location.keys for location in found])
    return [replace(location, keys=of_file) for location, of_file in zip(found, keys, strict=True)]


def _found(name: str, options: ReadOptions) -> list[Location]:
    files, path = file_system_of(name)
    # Those of this machine name the file themselves.
    with reading(files.shown(path)) if files.far else nullcontext():
        return list(_files_of(files, path, options))


def _files_of(files: FileSystem, path: str, options: ReadOptions) -> Iterator[Location]:
    kind = "file" if files == LOCAL and path == STDIN else files.kind(path)
    if kind == "file":
        yield _file(files, path)
        return
    if kind == "folder":
        found = _sorted(_of_known_formats(files, path, options))
        nothing = f"there is no file in {files.shown(path)}"
    elif _WILD.search(path):
        found = _sorted(_matching(files, *_base(path), ()))
        nothing = f"no file matches {files.shown(path)}"
    else:
        raise FileNotFoundError(f"no such file: {files.shown(path)}")
    if not found:
        raise FileNotFoundError(f"{nothing}; names that begin with . or _ are left out")
    for path, folders in found:
        yield Location(files, path, keys_of(folders), files.signature(path))


def _of_known_formats(files: FileSystem, folder: str, options: ReadOptions) -> Iterator[_Found]:
    """All files below a folder; raises ValueError when some of an unknown format are found."""
    unknown = []
    for found in _below(files, folder, ()):
        if format_of(found.path, options) is None:
            unknown.append(files.shown(found.path))
            # The folder may be of anything.
            if len(unknown) > _SHOWN:
                break
        yield found
    if unknown:
        shown = files.shown(folder)
        more = ", ..." if len(unknown) > _SHOWN else ""
        raise ValueError(
            f"{shown} has files of an unknown format: {', '.join(unknown[:_SHOWN])}{more}; {READABLE}; a pattern, as "
            f"{files.join(shown, '*.csv')}, leaves others out"
        )


def _sorted(found: Iterable[_Found]) -> list[_Found]:
    return sorted(set(found), key=lambda file: file.path)


def _below(files: FileSystem, folder: str, folders: tuple[str, ...]) -> Iterator[_Found]:
    """All files below a folder."""
    for entry in sorted(files.entries(folder)):
        if entry.name.startswith(_HIDDEN):
            continue
        path = files.join(folder, entry.name)
        if entry.is_folder:
            yield from _below(files, path, (*folders, entry.name))
        else:
            yield _Found(path, folders)


def _base(pattern: str) -> tuple[str, list[str]]:
    """The folder that a pattern begins with, and the names from the first wildcard on."""
    names = pattern.split("/")
    first = next(place for place, name in enumerate(names) if _WILD.search(name))
    folder = "/".join(names[:first])
    return folder or ("/" if first else ""), names[first:]


def _matching(files: FileSystem, folder: str, patterns: Sequence[str], folders: tuple[str, ...]) -> Iterator[_Found]:
    """The files below a folder that match a pattern, which may stand for a folder of them."""
    pattern, *rest = patterns
    if pattern == "**":
        if not rest:
            yield from _below(files, folder, folders)
            return
        yield from _matching(files, folder, rest, folders)
    for entry in files.entries(folder):
        if not _matches(entry.name, pattern):
            continue
        path = files.join(folder, entry.name)
        if entry.is_folder:
            inside = (*folders, entry.name)
            left = patterns if pattern == "**" else rest
            yield from _matching(files, path, left, inside) if left else _below(files, path, inside)
        elif not rest:
            yield _Found(path, folders)


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and (not name.startswith(_HIDDEN) or pattern.startswith(name[0]))
