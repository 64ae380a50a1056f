"""What the columns of a table hold; in a text file, what all cells of a column together stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from softgrad.cli.arrow_arrays import as_numpy
from softgrad.cli.origin import Origin
from softgrad.linear_model._data._cells import NotNumberError, numbers
from softgrad.linear_model._data._column_types import is_plain_decimal
from softgrad.linear_model._data._read_options import ReadOptions

# "nothing": no cell has a value. "other": what is neither number nor text, as lists are, and decimals
# that Arrow cannot cast.
Kind = Literal["integer", "number", "truth value", "text", "date", "nothing", "other"]

# How programs that export tables write that a number is missing; an empty cell is missing everywhere.
MISSING_NUMBERS = ("na", "n/a", "#n/a", "<na>", "nan", "null", "none", "\\n")
# d/m/Y and its relatives, and months by name, which Arrow does not read.
_MONTH = (
    r"(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep(t|tember)?|oct(ober)?|nov(ember)?|"
    r"dec(ember)?)\.?"
)
_TIME = r"([ T]\d{1,2}:\d{2}(:\d{2})?( ?[ap]m)?)?"
_DATE = re.compile(
    rf"(\d{{1,2}}[/.-]\d{{1,2}}[/.-]|\d{{1,2}}[ /-]{_MONTH}[ /-]|{_MONTH} \d{{1,2}}, ?)(\d{{4}}|\d{{2}}){_TIME}",
    re.IGNORECASE | re.ASCII,
)
# A number with a currency before or behind it or a unit behind it, or with another decimal sign.
_LIKE_A_NUMBER = r"^[-+(]?[$€£¥]?\s?\d[\d.,' ]*\s?(%|[$€£¥]|[A-Za-zµ°]{1,4}[²³]?)?\)?$"


@dataclass(frozen=True)
class Example:
    """A cell and its row, counted from 0."""

    cell: str
    row: int

    def told(self, origin: Origin) -> str:
        """It in words; `origin` is what messages call the rows."""
        return f"the first {self.cell!r} in {origin.within(self.row + 1)}"

    def after(self, rows: int) -> Example:
        """Itself where so many rows are before those that it was counted from."""
        return replace(self, row=self.row + rows)


@dataclass
class Cells:
    """What the cells of a column of a text file stand for, found part by part. Missing cells are null.

    Attributes
    ----------
    rows, missing : int
        `missing` are empty, or a word that the user says.
    worded : int
        Words that stand for a missing value where the others are numbers, truth values or dates, and are text where
        they are not.
    numbers, integers, truths, dates, like_numbers : int
        Cells that are that; an integer is a number, and a number is like one.
    leading_zero : Example or None
        The first number that begins with a zero which its value does not have.
    no_number : Example or None
        The first cell that is no number, though it has a value.
    like_number : Example or None
        The first of those that is like one.
    has_texts : bool
        Whether the cells are looked at one by one, or rather the different ones.
    """

    options: ReadOptions
    rows: int = 0
    missing: int = 0
    worded: int = 0
    numbers: int = 0
    integers: int = 0
    truths: int = 0
    dates: int = 0
    like_numbers: int = 0
    leading_zero: Example | None = None
    no_number: Example | None = None
    like_number: Example | None = None
    has_texts: bool = False

    def add_numbers(self, rows: int, missing: int, worded: int, *, whole: bool, leading_zero: Example | None) -> None:
        """Take in the next cells, all of which are numbers, missing, or say in a word that they are."""
        numbers = rows - missing - worded
        self.rows += rows
        self.missing += missing
        self.worded += worded
        self.numbers += numbers
        self.like_numbers += numbers
        self.integers += numbers if whole else 0
        self.leading_zero = self.leading_zero or leading_zero

    def add(self, cells: pa.Array) -> None:
        """Take in the next cells, some of which are no numbers."""
        first_row = self.rows
        self.rows += len(cells)
        self.missing += cells.null_count
        self.has_texts = True
        self._add_texts(cells, first_row)

    def merge(self, other: Cells) -> None:
        """Take in what was found of the cells that follow."""
        if other.leading_zero is not None and not self.has_texts:
            self.leading_zero = self.leading_zero or other.leading_zero.after(self.rows)
        if other.no_number is not None:
            self.no_number = self.no_number or other.no_number.after(self.rows)
        if other.like_number is not None:
            self.like_number = self.like_number or other.like_number.after(self.rows)
        self.rows += other.rows
        self.missing += other.missing
        self.worded += other.worded
        self.numbers += other.numbers
        self.integers += other.integers
        self.truths += other.truths
        self.dates += other.dates
        self.like_numbers += other.like_numbers
        self.has_texts |= other.has_texts

    def _add_texts(self, cells: pa.Array, first_row: int) -> None:
        encoded = cells.dictionary_encode()
        vocabulary: list[str] = encoded.dictionary.to_pylist()
        codes = as_numpy(encoded.indices.drop_null())
        counts = np.bincount(codes, minlength=len(vocabulary))
        of_word = dict(zip(vocabulary, counts.tolist(), strict=True))
        for word in vocabulary:
            if word.lower() in MISSING_NUMBERS:
                self.worded += of_word.pop(word)
            elif word.lower() in ("true", "false"):
                self.truths += of_word[word]
        # Most texts have no digit, which is soon seen of all of them.
        for word in list(filter(_may_be_a_number, of_word)):
            single, count = pa.array([word]), of_word[word]
            self.dates += count if is_date(word) else 0
            if _cast(single, self.options) is not None:
                self.numbers += of_word.pop(word)
                self.like_numbers += count
                self.integers += count if _are_integers(single) else 0
            elif re.match(_LIKE_A_NUMBER, word):
                self.like_numbers += count
                self.like_number = self.like_number or _example(encoded, word, first_row)
        if of_word and self.no_number is None:
            self.no_number = _example(encoded, next(iter(of_word)), first_row)

    @property
    def given(self) -> int:
        """Cells that have a value, whatever the column is taken as."""
        return self.rows - self.missing

    @property
    def kind(self) -> Kind:
        present = self.given - self.worded
        if present == 0:
            return "text" if self.worded else "nothing"
        if self.numbers == present:
            return "integer" if self.integers == present else "number"
        for count, kind in ((self.truths, "truth value"), (self.dates, "date")):
            if count == present:
                return kind  # type: ignore[return-value]
        return "text"


def add_batch(columns: Sequence[Cells], cells: Sequence[pa.Array]) -> None:
    """Take in the next cells of all columns of a file: text without spaces around it."""
    numeric = [place for place, column in enumerate(columns) if not column.has_texts]
    # All at once: of many columns each would take its time.
    if numeric and _cast(pa.concat_arrays([cells[place] for place in numeric]), columns[0].options) is not None:
        _add_numbers([columns[place] for place in numeric], [cells[place] for place in numeric])
        numeric_places = set(numeric)
    else:
        numeric_places = set()
    for place, column in enumerate(columns):
        if place in numeric_places:
            continue
        if not column.has_texts and _cast(cells[place], column.options) is not None:
            _add_numbers([column], [cells[place]])
        else:
            column.add(cells[place])


def _add_numbers(columns: Sequence[Cells], cells: Sequence[pa.Array]) -> None:
    rows = len(cells[0])
    together = pa.concat_arrays(cells)
    missing = np.count_nonzero(_of_columns(together.is_null(), len(cells)), axis=1).tolist()
    worded = np.count_nonzero(_of_columns(_are_missing_numbers(together), len(cells)), axis=1).tolist()
    # "01", "-01", but not "0" nor "0.5".
    zeros = _of_columns(pc.match_substring_regex(together, "^[+-]?0[0-9]"), len(cells))
    leading: list[Example | None] = [None] * len(cells)
    for place in np.flatnonzero(np.count_nonzero(zeros, axis=1)).tolist():
        row = int(zeros[place].argmax())
        leading[place] = Example(cells[place][row].as_py(), columns[place].rows + row)
    whole = _whole(columns, cells)
    for place, column in enumerate(columns):
        column.add_numbers(rows, missing[place], worded[place], whole=whole[place], leading_zero=leading[place])


def _of_columns(truths: pa.Array, columns: int) -> NDArray[np.bool_]:
    """Truth values of cells that stand column by column, false where there are none, with a row for each column."""
    return as_numpy(pc.fill_null(truths, False)).reshape(columns, -1)


def _whole(columns: Sequence[Cells], cells: Sequence[pa.Array]) -> list[bool]:
    """Which columns hold nothing but integers."""
    so_far = [place for place, column in enumerate(columns) if column.integers == column.numbers]
    if so_far and _are_integers(pa.concat_arrays([cells[place] for place in so_far])):
        whole = set(so_far)
    else:
        whole = {place for place in so_far if _are_integers(cells[place])}
    return [place in whole for place in range(len(columns))]


def _example(encoded: pa.DictionaryArray, word: str, first_row: int) -> Example:
    """The first cell that holds a word."""
    code = pc.index(encoded.dictionary, word).cast(encoded.indices.type)
    return Example(word, first_row + int(pc.index(encoded.indices, code).as_py()))


def _may_be_a_number(word: str) -> bool:
    return any(map(str.isdigit, word)) or word.lower().strip("+-") in ("inf", "infinity")


def _cast(cells: pa.Array, options: ReadOptions) -> pa.Array | None:
    """The cells as float64, words for missing numbers being null; None if one is no number."""
    try:
        return numbers(without_missing_numbers(cells), options.decimal, options.thousands)
    except NotNumberError:
        return None


def _are_integers(cells: pa.Array) -> bool:
    try:
        without_missing_numbers(cells).cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return True


def without_missing_numbers(cells: pa.Array) -> pa.Array:
    """The cells, null where a word says that a number is missing."""
    worded = _are_missing_numbers(cells)
    return pc.if_else(worded, pa.scalar(None, cells.type), cells) if pc.any(worded).as_py() else cells


def _are_missing_numbers(cells: pa.Array) -> pa.Array:
    return pc.is_in(pc.utf8_lower(cells), pa.array(MISSING_NUMBERS, cells.type))


def is_date(cell: str) -> bool:
    if _DATE.fullmatch(cell):
        return True
    try:
        pa.array([cell]).cast(pa.timestamp("ns"))
    except pa.ArrowInvalid:
        return bool(re.match(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}", cell))
    return True


def kind_of_type(kind: pa.DataType) -> Kind:
    """What a column of a typed file holds."""
    types = pa.types
    if types.is_null(kind):
        return "nothing"
    if types.is_boolean(kind):
        return "truth value"
    if types.is_integer(kind):
        return "integer"
    if types.is_floating(kind) or is_plain_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    return "date" if types.is_temporal(kind) and not types.is_interval(kind) else "other"
