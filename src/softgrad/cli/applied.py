"""The rows of a table as a trained model takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from softgrad.cli.columns import Features, NumberColumn, Values, encode, read, require_columns, width_of
from softgrad.cli.data import Data
from softgrad.cli.errors import UserError, counted, listing
from softgrad.cli.model import Model
from softgrad.cli.reading import Unseen
from softgrad.cli.sources import open_source
from softgrad.cli.tables import BoolArray, Part, Table
from softgrad.linear_model._data._pieces import piece_rows
from softgrad.linear_model._data._read_options import ReadOptions


class AppliedPart(NamedTuple):
    """Some rows: those that can be used, their features, and which of all they are."""

    part: Part
    features: Features
    usable: BoolArray


class AppliedRows:
    """The rows of a source by the encoding of a model.

    `unseen` says what becomes of texts that the training did not have; None: what the training says.

    Attributes
    ----------
    origin : Origin
        What messages call the rows.
    unused : int
        Rows with a missing value, where the training left these out.
    """

    def __init__(self, model: Model, data: Data, options: ReadOptions, unseen: Unseen | None) -> None:
        self._table = Table(open_source(data, options, "file"), options, {})
        self.origin = self._table.origin
        self._model = model
        self._unseen = model.unseen if unseen is None else unseen
        self._texts: dict[str, Counter[str]] = {}
        self.unused = 0
        require_columns(str(data), self._table.names, model.columns)

    def __iter__(self) -> Iterator[AppliedPart]:
        columns = self._model.columns
        for part in self._table.parts(piece_rows(width_of(columns), np.dtype(np.float64))):
            values = read(part, columns)
            usable = self._usable(part, values)
            if not usable.all():
                part, values = part.where(usable), values.of(usable)
                self.unused += int((~usable).sum())
            self._look_for_unseen(part, values)
            yield AppliedPart(part, encode(columns, values, self._table.origin, part.row_numbers), usable)

    def notes(self) -> Iterator[str]:
        """What a user should know of the rows that were read."""
        yield from self._table.found_notes()
        for name, texts in self._texts.items():
            shown = listing((repr(text) for text, _ in texts.most_common(3)), 3)
            yield (
                f"column {name!r} has texts that the training did not have, in {counted(texts.total(), 'cell')} "
                f"({shown}{', ...' if len(texts) > 3 else ''}): they count as none of its texts"
            )
        if self.unused:
            yield f"rows with a missing value, which are not used, as in the training: {self.unused}"

    def _usable(self, part: Part, values: Values) -> BoolArray:
        missing = np.zeros(part.rows, np.bool_)
        for column in self._model.columns:
            of_column = values.missing(column.name)
            if self._model.missing != "drop":
                part.require_complete(column.name, of_column, "--missing of train says what takes its place")
            missing |= of_column
        return ~missing

    def _look_for_unseen(self, part: Part, values: Values) -> None:
        for column in self._model.columns:
            if isinstance(column, NumberColumn):
                continue
            words = values.words[column.name]
            unseen = (column.places(words) < 0) & (words.codes >= 0)
            if not unseen.any():
                continue
            if self._unseen == "error":
                place = int(unseen.argmax())
                raise UserError(
                    f"{part.at(column.name, place)}: the training did not have "
                    f"{words.vocabulary[words.codes[place]]!r}, only {listing(map(repr, column.categories))}; "
                    f"--unseen zero takes it as none of these"
                )
            codes, counts = np.unique(words.codes[unseen], return_counts=True)
            found = self._texts.setdefault(column.name, Counter())
            for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
                found[words.vocabulary[code]] += count
