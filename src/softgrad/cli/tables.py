"""Tables: the columns of a file or of one of scikit-learn's data sets, part by part, the same at every pass.

In a text file every cell is text until all of its column is known: no guess from its first rows can go wrong later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from softgrad.cli.arrow_arrays import as_numpy
from softgrad.cli.errors import UserError, asked, listing
from softgrad.cli.kinds import Cells, Kind, add_batch, kind_of_type, without_missing_numbers
from softgrad.cli.sources import Source
from softgrad.linear_model._data._cells import NotNumberError, numbers
from softgrad.linear_model._data._read_options import ReadOptions

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Words:
    """A text column: row i holds `vocabulary[codes[i]]`, or nothing where the code is -1.

    The vocabulary is sorted.
    """

    codes: IntArray
    vocabulary: list[str]

    def among(self, rows: IntArray | BoolArray) -> list[str]:
        """The words that some rows hold, ascending."""
        return [self.vocabulary[code] for code in np.unique(self.codes[rows]) if code >= 0]


_WITHOUT_LABEL = "--missing drop of train leaves such rows out"

Labels = IntArray | BoolArray | Words
LabelKind = Literal["text", "integer", "boolean"]


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    `row_numbers` are those in the table: they count from 1, without the header.
    """

    table: Table
    batch: pa.RecordBatch
    row_numbers: IntArray

    @property
    def rows(self) -> int:
        return int(self.batch.num_rows)

    def where(self, rows: BoolArray) -> Part:
        """Some of the rows."""
        return Part(self.table, self.batch.filter(pa.array(rows)), self.row_numbers[rows])

    def at(self, name: str, row: int) -> str:
        """What messages call a cell, whose row counts from 0 in the part."""
        return self.table.origin.cell(name, self.row_numbers[row])

    def row(self, row: int) -> str:
        """What messages call a row, which counts from 0 in the part."""
        return self.table.origin.row(self.row_numbers[row])

    def cells(self, name: str) -> pa.Array:
        """A column as it is, but text without spaces around it; a missing cell is null."""
        cells = self.batch.column(self.table.place(name))
        return self.table.bare(cells)

    def numbers(self, name: str, *, truths: bool | None) -> Float64Array:
        """A column as float64, as `matrix` has it."""
        return self.matrix([name], [truths])[:, 0]

    def matrix(self, names: Sequence[str], truths: Sequence[bool | None]) -> Float64Array:
        """Columns side by side as float64, NaN where a cell is missing.

        `truths` says of each column that the cells of a text file are true and false, which count as 1 and 0; None,
        that they are that or numbers.

        Raises
        ------
        UserError
            A cell is something else, or infinite.
        """
        columns = [self.cells(name) for name in names]
        values = np.empty((len(names), self.rows))
        # Of many columns each would take its time.
        of_text = [place for place, cells in enumerate(columns) if _is_text(cells) and truths[place] is False]
        if of_text:
            values[of_text] = self._parsed([names[place] for place in of_text], [columns[place] for place in of_text])
        for place in sorted(set(range(len(names))) - set(of_text)):
            cells = self._typed(names[place], columns[place], truths[place])
            # Not safe: integers beyond 2**53 are rounded to the nearest float64.
            values[place] = as_numpy(cells.cast(pa.float64(), safe=False))
        infinite = np.isinf(values)
        if infinite.any():
            place, row = divmod(int(infinite.argmax()), self.rows)
            name = names[place]
            raise UserError(f"{self.at(name, row)}: {self._cell(name, row)} is infinite; it must be finite")
        return values.T

    def _parsed(self, names: Sequence[str], columns: Sequence[pa.Array]) -> Float64Array:
        options = self.table.options
        cells = without_missing_numbers(pa.concat_arrays(columns))
        try:
            parsed = numbers(cells, options.decimal, options.thousands)
        except NotNumberError as error:
            place, row = divmod(error.position, self.rows)
            raise self._refused(names[place], row, error.cell, "a number") from None
        values: Float64Array = as_numpy(parsed)
        return values.reshape(len(names), self.rows)

    def _typed(self, name: str, cells: pa.Array, truths: bool | None) -> pa.Array:
        """Cells that Arrow casts to numbers, from those of a typed file or from truth values."""
        if not _is_text(cells):
            if kind_of_type(cells.type) not in ("integer", "number", "truth value", "nothing"):
                raise UserError(f"{self.table.name}, column {name!r}: numbers are needed, this holds {cells.type}")
            return cells
        cells = without_missing_numbers(cells)
        lower = pc.utf8_lower(cells)
        wrong = pc.invert(pc.is_in(lower, pa.array(["true", "false", None], lower.type)))
        if not pc.any(wrong).as_py():
            return pc.equal(lower, "true")
        if truths is None:
            return pa.array(self._parsed([name], [cells])[0])
        row = pc.index(wrong, True).as_py()
        raise self._refused(name, row, cells[row].as_py(), "true or false")

    def _refused(self, name: str, row: int, cell: str, expected: str) -> UserError:
        help = f"{asked('--na', cell)} if it says that a value is missing"
        return UserError(f"{self.at(name, row)}: {cell!r} is not {expected}; {help}")

    def words(self, name: str) -> Words:
        """The column as text, whatever it holds."""
        cells = self.cells(name)
        if kind_of_type(cells.type) == "other":
            raise UserError(f"{self.table.name}, column {name!r}: text is needed, this holds {cells.type}")
        try:
            encoded = cells.cast(pa.large_string()).dictionary_encode()
        except pa.ArrowInvalid as error:
            # Of a time zone that is not known here.
            raise UserError(f"{self.table.name}, column {name!r}: {error}") from None
        vocabulary: list[str] = encoded.dictionary.to_pylist()
        order = sorted(range(len(vocabulary)), key=vocabulary.__getitem__)
        # The code of a missing cell is the last place, which is found by -1.
        rank = np.full(len(order) + 1, -1)
        rank[order] = np.arange(len(order))
        codes = encoded.indices
        codes = as_numpy(pc.fill_null(codes, len(order)) if codes.null_count else codes)
        return Words(rank[codes], [vocabulary[i] for i in order])

    def labels(self, name: str, kind: LabelKind) -> Labels:
        """The column as class labels of a kind; a missing one is refused.

        Raises
        ------
        UserError
            A cell is missing, or is no label of the kind.
        """
        if kind == "text":
            words = self.words(name)
            self.require_complete(name, words.codes < 0, _WITHOUT_LABEL)
            return words
        numbers = self.numbers(name, truths=kind == "boolean")
        self.require_complete(name, np.isnan(numbers), _WITHOUT_LABEL)
        if kind == "boolean":
            return np.asarray(numbers != 0.0)
        fractions = numbers != np.rint(numbers)
        if fractions.any():
            row = int(fractions.argmax())
            raise UserError(
                f"{self.at(name, row)}: {self._cell(name, row)} is not whole; regression targets are not supported, "
                f"and --label-as text takes each number as a class"
            )
        cells = self.cells(name)
        if _is_text(cells):
            cells = without_missing_numbers(cells)
        try:
            return as_numpy(cells.cast(pa.int64()))
        except pa.ArrowInvalid:
            # From there on float64 does not hold every integer.
            large = np.abs(numbers) >= 2**53
            if large.any():
                row = int(large.argmax())
                raise UserError(
                    f"{self.at(name, row)}: {self._cell(name, row)} is too large for a whole number; --label-as text "
                    f"takes each number as a class"
                ) from None
            return numbers.astype(np.int64)

    def missing(self, name: str, kind: LabelKind) -> BoolArray:
        """Where a label is missing."""
        return self.words(name).codes < 0 if kind == "text" else np.isnan(self.numbers(name, truths=kind == "boolean"))

    def require_complete(self, name: str, missing: BoolArray, help: str) -> None:
        """Refuses a column that lacks a value somewhere; `help` says what becomes of it, or can."""
        if missing.any():
            row = int(missing.argmax())
            cell = self._cell(name, row)
            word = "" if cell == "None" else f" ({cell})"
            raise UserError(f"{self.at(name, row)}: the value is missing{word}; {help}")

    def _cell(self, name: str, row: int) -> str:
        cell = self.cells(name)[row].as_py()
        return repr(cell) if isinstance(cell, str) else str(cell)


def _is_text(cells: pa.Array) -> bool:
    return kind_of_type(cells.type) == "text"


class Table:
    """The rows of a source.

    Attributes
    ----------
    source : Source
    name : str
        What the user called it.
    origin : Origin
    reading : ReadingProgress or None
    names : list of str
    target : str or None
        The column to predict where the data set itself says so.
    """

    def __init__(self, source: Source, options: ReadOptions, declared: Mapping[str, Kind]) -> None:
        self.name = source.name
        self.origin = source.origin
        self.reading = source.reading
        self.names = list(source.names)
        self.target = source.target
        self.options = options
        self.source = source
        self._has_types = not source.untyped
        self._places = {name: place for place, name in enumerate(self.names)}
        self._declared = declared
        for name in declared:
            self.place(name)
        self._cells: dict[str, Cells] | None = None

    def found_notes(self) -> Iterator[str]:
        """What was found of the file that nobody said, in words."""
        for found in self.source.found:
            yield f"{found}, as its first bytes show"

    def elements(self, name: str) -> list[str]:
        """The columns that the elements of lists of this name have become; none where there are no such lists."""
        return self.source.elements(name)

    def place(self, name: str) -> int:
        if name not in self._places:
            alone = not self._has_types and len(self.names) == 1
            raise UserError(
                f"{self.name} has no column {name!r}; its columns are {listing(self.names)}"
                f"{'; --delimiter says what stands between cells' if alone else ''}"
            )
        return self._places[name]

    def bare(self, cells: pa.Array) -> pa.Array:
        """Cells without spaces around text, as those of a text file are."""
        return pc.utf8_trim_whitespace(cells) if self._has_types and kind_of_type(cells.type) == "text" else cells

    @property
    def n_shards(self) -> int:
        return self.source.n_shards

    @property
    def untyped(self) -> bool:
        return self.source.untyped

    def passed(self, number: int, rows: int) -> None:
        """Take note that somebody passed over a shard of so many rows; those before it were passed."""
        self.source.passed(number, rows)

    def parts(self, length: int) -> Iterator[Part]:
        """All rows, at most so many at a time."""
        return (part for number in range(self.n_shards) for part in self.shard(number, length))

    def shard(self, number: int, length: int) -> Iterator[Part]:
        """The rows of a shard of the source, at most so many at a time."""
        row = self.source.first_row(number) + 1
        for batch in self.source.shard(number):
            for start in range(0, batch.num_rows, length):
                data = batch.slice(start, length)
                yield Part(self, data, row + np.arange(data.num_rows))
                row += data.num_rows

    @property
    def cells(self) -> Mapping[str, Cells]:
        """What the cells of each column of a text file are; none in a file with types.

        By default a pass finds it when it is asked for.
        """
        if self._cells is None:
            self.know_cells(map(self.cells_of, range(0 if self._has_types else self.n_shards)))
        return self._cells or {}

    def cells_of(self, number: int) -> list[Cells]:
        """What the cells of each column are in a shard of a text file."""
        found = [Cells(self.options) for _ in self.names]
        for batch in self.source.shard(number):
            add_batch(found, batch.columns)
        return found

    def know_cells(self, shards: Iterable[Sequence[Cells]]) -> None:
        """Take in what `cells_of` gives of each shard, in their order."""
        cells: dict[str, Cells] = {}
        for number, of_shard in enumerate(shards):
            self.passed(number, of_shard[0].rows)
            for name, found in zip(self.names, of_shard, strict=True):
                if name in cells:
                    cells[name].merge(found)
                else:
                    cells[name] = found
        self._cells = cells

    def type_of(self, name: str) -> pa.DataType:
        """The type of a column in its file; a text file has text alone."""
        return self.source.types[self.place(name)]

    def shown(self, name: str) -> str:
        """What a column holds that is neither number nor text: its type, or the first cell that is no number."""
        if self._has_types:
            return f" ({self.type_of(name)})"
        example = self.cells[name].no_number
        return "" if example is None else f", {example.told(self.origin)}"

    def kind(self, name: str) -> Kind:
        """What a column is taken as: what the user says, or what it holds."""
        if name in self._declared:
            return self._declared[name]
        kind = self.type_of(name)
        return kind_of_type(kind) if self._has_types else self.cells[name].kind
