"""Compressed files: which they are, and their content."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

ENDINGS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
_MAGIC = {
    b"\x1f\x8b\x08": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
# After the magic and the digit of the level: a block, or the end.
_BZ2_NEXT = (b"1AY&SY", b"\x17rE8P\x90")


def compression_of(head: bytes) -> str | None:
    """By the first ten bytes: endings are lost and misapplied."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic) and (name != "bz2" or head[4:10] in _BZ2_NEXT):
            return name
    return None


def without_ending(path: PurePath) -> PurePath:
    """The name without the ending of a compression."""
    return path.with_suffix("") if path.suffix.lower() in ENDINGS else path


@contextmanager
def unpacked(file: Any, compression: str | None, source: str) -> Iterator[Any]:
    """The content of a binary file, which the user calls `source`, as a binary file.

    Raises
    ------
    ValueError
        It is damaged or cut short.
    """
    if compression is None:
        yield file
        return
    openers: dict[str, Any] = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zstd": _zstd}
    try:
        with openers[compression](file) as content:
            yield content
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise ValueError(f"cannot read {source}: the {compression} data are damaged: {error}") from None
    except OSError as error:
        # Those of the system have a number.
        if error.errno is not None:
            raise
        raise ValueError(f"cannot read {source}: the {compression} data are damaged: {error}") from None


def _zstd(file: Any) -> Any:
    # Python itself unpacks it from 3.14 on.
    import pyarrow as pa

    return pa.CompressedInputStream(file, "zstd")
