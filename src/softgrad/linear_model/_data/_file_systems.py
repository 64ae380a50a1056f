"""The file systems that rows are read from: this machine's, and those that pyarrow or fsspec reach."""

from __future__ import annotations

import importlib.util
import io
import os
import re
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Kind = Literal["file", "folder", "none"]

# Asked for at a time of a file that is far away, where every request takes its time.
_FAR_BYTES = 1 << 22
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]+)://")


class Signature(NamedTuple):
    """Equal as long as a file is the same: its size in bytes, and what its file system knows it by."""

    size: int
    state: object


class Entry(NamedTuple):
    """What is in a folder."""

    name: str
    is_folder: bool


class FileSystem(ABC):
    """Folders and files by their paths; it can be pickled.

    `far` says that every request takes its time.
    """

    far: bool

    @abstractmethod
    def shown(self, path: str) -> str:
        """What messages call a file or a folder."""

    @abstractmethod
    def join(self, folder: str, name: str) -> str: ...

    @abstractmethod
    def kind(self, path: str) -> Kind: ...

    @abstractmethod
    def entries(self, folder: str) -> list[Entry]: ...

    @abstractmethod
    def signature(self, path: str) -> Signature | None:
        """None of what can be read once only. Raises OSError where there is no such file."""

    @abstractmethod
    def head(self, path: str, length: int) -> bytes:
        """The first bytes."""

    @abstractmethod
    def stream(self, path: str) -> AbstractContextManager[Any]:
        """The bytes from front to back."""

    @abstractmethod
    def file(self, path: str) -> Any:
        """The bytes in any order, as pyarrow reads them."""


@dataclass(frozen=True)
class LocalFileSystem(FileSystem):
    """The files of this machine."""

    far = False

    def shown(self, path: str) -> str:
        return path

    def join(self, folder: str, name: str) -> str:
        return os.path.join(folder, name)

    def kind(self, path: str) -> Kind:
        return "folder" if os.path.isdir(path) else "file" if os.path.exists(path) else "none"

    def entries(self, folder: str) -> list[Entry]:
        with os.scandir(folder or ".") as entries:
            return [Entry(entry.name, entry.is_dir()) for entry in entries]

    def signature(self, path: str) -> Signature | None:
        if not os.path.exists(path):
            raise FileNotFoundError(f"no such file: {path}")
        status = os.stat(path)
        return Signature(status.st_size, status.st_mtime_ns) if os.path.isfile(path) else None

    def head(self, path: str, length: int) -> bytes:
        with open(path, "rb") as file:
            return file.read(length)

    def stream(self, path: str) -> AbstractContextManager[Any]:
        return open(path, "rb")

    def file(self, path: str) -> Any:
        import pyarrow as pa

        return pa.OSFile(path)


@dataclass(frozen=True)
class ArrowFileSystem(FileSystem):
    """A file system of pyarrow's.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
    prefix : str
        What stands before a path when messages name it.
    """

    filesystem: Any
    prefix: str

    far = True

    def shown(self, path: str) -> str:
        return self.prefix + (path.lstrip("/") if self.prefix else path)

    def join(self, folder: str, name: str) -> str:
        return f"{folder.rstrip('/')}/{name}" if folder else name

    def kind(self, path: str) -> Kind:
        from pyarrow.fs import FileType

        found = self.filesystem.get_file_info(path).type
        return "folder" if found == FileType.Directory else "none" if found == FileType.NotFound else "file"

    def entries(self, folder: str) -> list[Entry]:
        from pyarrow.fs import FileSelector, FileType

        if self.filesystem.type_name == "gcs":
            return self._entries_by_paths(folder)
        return [
            Entry(info.base_name, info.type == FileType.Directory)
            for info in self.filesystem.get_file_info(FileSelector(folder))
        ]

    def _entries_by_paths(self, folder: str) -> list[Entry]:
        """By all that is below: pyarrow leaves out the folders of Google's storage that are no objects of their own."""
        from pyarrow.fs import FileSelector, FileType

        entries = set()
        for info in self.filesystem.get_file_info(FileSelector(folder, recursive=True)):
            name, inner, _ = info.path.removeprefix(f"{folder}/").partition("/")
            entries.add(Entry(name, bool(inner) or info.type == FileType.Directory))
        return list(entries)

    def signature(self, path: str) -> Signature | None:
        from pyarrow.fs import FileType

        by_fsspec = _of_fsspec(self.filesystem)
        if by_fsspec is not None:
            # It may have kept what it was told before.
            by_fsspec.invalidate_cache(path)
        info = self.filesystem.get_file_info(path)
        if info.type == FileType.NotFound:
            raise FileNotFoundError(f"no such file: {self.shown(path)}")
        if by_fsspec is not None:
            return Signature(info.size, by_fsspec.ukey(path))
        # The time of an object store has seconds, in which a file may be replaced by another of its size.
        with self.filesystem.open_input_stream(path, compression=None) as stream:
            tags = {name.lower(): value for name, value in stream.metadata().items()}
        return Signature(info.size, (info.mtime_ns, tags.get("etag")))

    def head(self, path: str, length: int) -> bytes:
        with self.filesystem.open_input_file(path) as file:
            head: bytes = file.read(length)
            return head

    def stream(self, path: str) -> AbstractContextManager[Any]:
        return io.BufferedReader(self.filesystem.open_input_file(path), _FAR_BYTES)

    def file(self, path: str) -> Any:
        return self.filesystem.open_input_file(path)


LOCAL = LocalFileSystem()


def file_system_of(name: str) -> tuple[FileSystem, str]:
    """The file system that a name is of, and the path in it.

    Raises
    ------
    ValueError
        It is a URI that neither pyarrow nor fsspec reads.
    ImportError
        It takes one of them, which is not installed.
    """
    match = _URI.match(name)
    if match is None:
        return LOCAL, name
    check_pyarrow("URIs are")
    import pyarrow as pa
    import pyarrow.fs

    try:
        filesystem, path = pyarrow.fs.FileSystem.from_uri(name)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        if "Unrecognized filesystem type" not in str(error):
            raise ValueError(f"cannot read {without_secrets(name)}: {_told(error, name)}") from None
        filesystem, path = _found_by_fsspec(name)
    return arrow_file_system(filesystem, _prefix(name, path)), path.rstrip("/") or path


def arrow_file_system(filesystem: Any, prefix: str | None = None) -> FileSystem:
    """A file system of pyarrow's; of this machine's files the one that needs no pyarrow."""
    import pyarrow.fs

    if isinstance(filesystem, pyarrow.fs.LocalFileSystem):
        return LOCAL
    by_fsspec = _of_fsspec(filesystem)
    if prefix is None:
        prefix = f"{filesystem.type_name}://" if by_fsspec is None else by_fsspec.unstrip_protocol("")
    return ArrowFileSystem(filesystem, prefix)


def check_pyarrow(what: str) -> None:
    """Raise ImportError where pyarrow is not installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ImportError(f'{what} read with pyarrow, which is not installed: pip install "softgrad[cli]"')


def _found_by_fsspec(name: str) -> tuple[Any, str]:
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        import fsspec
    except ImportError:
        raise ImportError(
            f'{without_secrets(name)} is read with fsspec, which is not installed: pip install "softgrad[fsspec]"'
        ) from None
    try:
        filesystem, path = fsspec.core.url_to_fs(name)
    except ValueError as error:
        raise ValueError(f"cannot read {without_secrets(name)}: {_told(error, name)}") from None
    return PyFileSystem(FSSpecHandler(filesystem)), path


def _of_fsspec(filesystem: Any) -> Any:
    """The file system of fsspec's that one of pyarrow's stands for; None if it does not."""
    from pyarrow.fs import FSSpecHandler

    handler = getattr(filesystem, "handler", None)
    return handler.fs if isinstance(handler, FSSpecHandler) else None


def _prefix(uri: str, path: str) -> str:
    """What of a URI is before the path in its file system."""
    shown, path = without_secrets(uri).rstrip("/"), path.strip("/")
    return shown.removesuffix(path) if shown.endswith(path) else uri.partition("://")[0] + "://"


def without_secrets(name: str) -> str:
    """A name, of a URI without the user and password that may be in it, and without what follows a question mark."""
    return re.sub(r"//[^/@]*@", "//", name.partition("?")[0]) if _URI.match(name) else name


def _told(error: Exception, name: str) -> str:
    return str(error).replace(name, without_secrets(name))
