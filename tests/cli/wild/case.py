"""A file as people have it, and what the command must make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

X = ("1.5", "2", "3.25", "4", "5", "6", "2", "3", "4", "5", "6", "7.5")
COLOUR = ("red", "blue", "green") * 4
KIND = tuple("aabbabaabbab")
NAMES = ("x", "colour", "kind")
PLAIN = {"x": "number", "colour": "text"}


@dataclass(frozen=True)
class Case:
    """A file of a few rows.

    Parameters
    ----------
    name : str
    content : str or bytes
    arguments : sequence of str
        Besides the file, --target, --test-fraction 0 and --model.
    file : str
    stdin : bool
        Whether the content comes from there; then `file` is "-".
    kinds : mapping of str to str, optional
        What each feature is taken as.
    missing : mapping of str to int
        How many cells of a feature are missing; of the others none is.
    classes : sequence, optional
        The labels, ascending.
    rows : int
    says : sequence of sequence of str
        The words of each note and warning; there are no others.
    like : str or bytes, optional
        A clean file which the same model comes of, with `like_arguments`.
    error : sequence of str
        The words of the one line that refuses the file, besides its name.
    of_options : bool
        Whether the options are wrong for any file, so that the line does not name this one.
    """

    name: str
    content: str | bytes
    arguments: Sequence[str] = ()
    file: str = "data.csv"
    stdin: bool = False
    target: str = "kind"
    kinds: Mapping[str, str] | None = None
    missing: Mapping[str, int] = field(default_factory=dict)
    classes: Sequence[object] = ("a", "b")
    rows: int = 12
    says: Sequence[Sequence[str]] = ()
    like: str | bytes | None = None
    like_arguments: Sequence[str] = ()
    error: Sequence[str] = ()
    of_options: bool = False

    @property
    def bytes(self) -> bytes:
        return as_bytes(self.content)


def as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def table(
    *,
    x: Sequence[str] = X,
    colour: Sequence[str] = COLOUR,
    kind: Sequence[str] = KIND,
    names: Sequence[str] | None = NAMES,
    delimiter: str = ",",
    end: str = "\n",
) -> str:
    """Twelve rows of a number, a text and a label, as text; without names if they are None."""
    rows = [*([names] if names is not None else []), *zip(x, colour, kind, strict=True)]
    return end.join([*(delimiter.join(row) for row in rows), ""])


def changed(cells: Sequence[str], row: int, cell: str) -> tuple[str, ...]:
    """The column with another cell in one row, counted from 1."""
    return (*cells[: row - 1], cell, *cells[row:])
