"""The encoding of a text file: what its first bytes show, and its content as UTF-8."""

from __future__ import annotations

import codecs
from typing import Any

# A byte order mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
UTF8 = "utf-8"


class UndecodableError(Exception):
    """A byte that the encoding does not have, and what was decoded before it, as UTF-8."""

    def __init__(self, byte: int, before: bytes) -> None:
        super().__init__(byte, before)
        self.byte, self.before = byte, before


def found_encoding(head: bytes) -> str:
    """UTF-8, unless a byte order mark or NULs between the letters show that it is another of Unicode's."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    # Between Latin letters every other byte is one, or three of four; a cell may hold some.
    if 3 * head.count(b"\0") >= len(head) > 0:
        for encoding in _MARKS.values():
            if _is_text(head, encoding):
                return encoding
    return UTF8


def _is_text(head: bytes, encoding: str) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    # Pairs of other bytes are letters of some script, but hardly a line feed.
    return "\0" not in text and "\n" in text


class Utf8Text:
    """The content of a binary file as UTF-8, without a byte order mark."""

    def __init__(self, file: Any, encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._at_start = True

    def read(self, length: int) -> bytes:
        """The text of about so many bytes; none at the end.

        Raises
        ------
        UndecodableError
        """
        text = ""
        while not text:
            read = self._file.read(length)
            try:
                text = self._decoder.decode(read, final=not read)
            except UnicodeDecodeError as error:
                before = error.object[: error.start].decode(error.encoding)
                raise UndecodableError(error.object[error.start], before.encode()) from None
            if text and self._at_start:
                text, self._at_start = text.removeprefix("\ufeff"), False
            if not read:
                break
        return text.encode()
