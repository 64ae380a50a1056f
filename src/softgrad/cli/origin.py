"""What messages call the rows of a table: the file that each is from, and its number there."""

from __future__ import annotations

from bisect import bisect_left


class Origin:
    """Where the rows of a table come from, file by file; they count from 1 over all files.

    As text it is what the user called the data; `several` says that there are several files.
    """

    def __init__(self, name: str, *, several: bool = False) -> None:
        self._name = name
        self._several = several
        self._files: list[str] = []
        self._before: list[int] = []

    def __str__(self) -> str:
        return self._name

    def begin(self, file: str, before: int) -> None:
        """The rows that follow are those of a file; so many of the table are before them. At every pass the same."""
        if not self._files or before > self._before[-1]:
            self._files.append(file)
            self._before.append(before)

    def row(self, number: int) -> str:
        file, row = self._place(number)
        return f"{file}, row {row}"

    def cell(self, column: str, number: int) -> str:
        file, row = self._place(number)
        return f"{file}, column {column!r}, row {row}"

    def label(self, number: int) -> str:
        file, row = self._place(number)
        return f"{file}, label of row {row}"

    def within(self, number: int) -> str:
        """The row, with its file only where there are several."""
        file, row = self._place(number)
        return f"row {row} of {file}" if self._several else f"row {row}"

    def _place(self, number: int) -> tuple[str, int]:
        if not self._files:
            return self._name, number
        place = bisect_left(self._before, number) - 1
        return self._files[place], number - self._before[place]
