"""The text of a file that is waiting to be cut into rows."""

from __future__ import annotations

from softgrad.linear_model._data._encoding import UndecodableError, Utf8Text

# A row is in memory, and a quote that nobody closes makes one row of all that follows.
_MOST_ROW_BYTES = 1 << 27


class FaultError(Exception):
    """What is wrong in a text that begins with a row, and where."""

    def __init__(self, text: bytes, position: int, what: str) -> None:
        super().__init__(text, position, what)
        self.text, self.position, self.what = text, position, what


class RowText:
    """Text that begins with a row; `ended` says that none follows it, and then it ends with a line.

    Parameters
    ----------
    content : Utf8Text
    wrong_byte : str
        What is said of a byte that cannot be decoded; the byte is put in the place of the braces.
    """

    def __init__(self, content: Utf8Text, wrong_byte: str) -> None:
        self._content = content
        self._wrong_byte = wrong_byte
        self.text = b""
        self.ended = False

    def fill(self, length: int) -> None:
        """Read on, up to this length or the end.

        Raises
        ------
        FaultError
            A byte cannot be decoded.
        """
        parts = [self.text]
        missing = length - len(self.text)
        while missing > 0 and not self.ended:
            try:
                part = self._content.read(missing)
            except UndecodableError as error:
                before = b"".join([*parts, error.before])
                raise FaultError(before, len(before), self._wrong_byte.format(error.byte)) from None
            self.ended = not part
            parts.append(part)
            missing -= len(part)
        self.text = b"".join(parts)
        if self.ended and self.text and not self.text.endswith(b"\n"):
            self.text += b"\n"

    def grow(self) -> None:
        """Read on, since the text holds no whole row.

        Raises
        ------
        FaultError
            There is no more of it, or it is too long for a row: a quote is open.
        """
        if self.ended:
            raise FaultError(self.text, len(self.text), "the quote at the start of this cell is never closed")
        if len(self.text) >= _MOST_ROW_BYTES:
            raise FaultError(
                self.text,
                len(self.text),
                f"the row has no end within {_MOST_ROW_BYTES >> 20} MiB; is a quote in this cell never closed?",
            )
        self.fill(2 * len(self.text))

    def take(self, end: int) -> bytes:
        """What is before a place, which is no longer waiting then."""
        taken, self.text = self.text[:end], self.text[end:]
        return taken
