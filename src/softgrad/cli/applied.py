"""The rows of a source as a trained model takes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from softgrad.cli.classes import numbers
from softgrad.cli.columns import Features, NumberColumn, Values, encode, read, require_columns, width_of
from softgrad.cli.data import Data
from softgrad.cli.errors import UserError, counted, listing
from softgrad.cli.model import Model
from softgrad.cli.origin import Origin
from softgrad.cli.probabilities import Targets, probabilities_of
from softgrad.cli.reading import Unseen
from softgrad.cli.sources import open_source
from softgrad.cli.svmlight import (
    SparsePart,
    SvmlightFiles,
    columns_of,
    features_for,
    is_svmlight,
    label_numbers,
)
from softgrad.cli.tables import BoolArray, IntArray, Part, Table
from softgrad.linear_model._data._pieces import piece_rows
from softgrad.linear_model._data._read_options import ReadOptions


class AppliedPart(NamedTuple):
    """Some rows: of those that can be used the features and numbers, and which of all they are.

    `targets` gives what they are scored against, by the column of labels of that name, or as the training had it; it
    raises UserError where a row has none.
    """

    features: Features
    row_numbers: IntArray
    usable: BoolArray
    targets: Callable[[str | None], Targets]


class Found(NamedTuple):
    """What is odd about rows: texts that the training did not have, by column, and rows that cannot be used."""

    texts: dict[str, Counter[str]]
    unused: int

    def notes(self) -> Iterator[str]:
        """It in words."""
        for name, texts in self.texts.items():
            shown = listing((repr(text) for text, _ in texts.most_common(3)), 3)
            yield (
                f"column {name!r} has texts that the training did not have, in {counted(texts.total(), 'cell')} "
                f"({shown}{', ...' if len(texts) > 3 else ''}): they count as none of its texts"
            )
        if self.unused:
            yield f"rows with a missing value, which are not used, as in the training: {self.unused}"


def all_found(shards: Iterable[Found]) -> Found:
    """What is odd about the rows of all shards."""
    texts: dict[str, Counter[str]] = {}
    unused = 0
    for found in shards:
        for name, counts in found.texts.items():
            texts.setdefault(name, Counter()).update(counts)
        unused += found.unused
    return Found(texts, unused)


class AppliedShard(ABC):
    """A shard of the rows of a source, by the encoding of a model.

    Attributes
    ----------
    origin : Origin
        What messages call the rows.
    """

    origin: Origin

    @abstractmethod
    def __iter__(self) -> Iterator[AppliedPart]: ...

    @property
    @abstractmethod
    def found(self) -> Found:
        """What was found in the rows that were passed."""


class AppliedTable(AppliedShard):
    """A shard of a table; `unseen` says what becomes of texts that the training did not have."""

    def __init__(self, model: Model, table: Table, number: int, unseen: Unseen) -> None:
        self.origin = table.origin
        self.table, self.number = table, number
        self._model, self._unseen = model, unseen
        self._texts: dict[str, Counter[str]] = {}
        self._unused = 0

    @property
    def found(self) -> Found:
        return Found(self._texts, self._unused)

    def __iter__(self) -> Iterator[AppliedPart]:
        columns = self._model.columns
        for part in self.table.shard(self.number, piece_rows(width_of(columns), np.dtype(np.float64))):
            values = read(part, columns)
            usable = self._usable(part, values)
            if not usable.all():
                part, values = part.where(usable), values.of(usable)
                self._unused += int((~usable).sum())
            self._look_for_unseen(part, values)
            features = encode(columns, values, self.origin, part.row_numbers)
            yield AppliedPart(features, part.row_numbers, usable, partial(self._targets, part))

    def _targets(self, part: Part, labels: str | None) -> Targets:
        model = self._model
        if labels is None and model.probability_columns:
            return Targets.of_probabilities(probabilities_of(part, model.probability_columns))
        return Targets.of_labels(numbers(part, labels or model.target, model.classes))

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


class AppliedSvmlight(AppliedShard):
    """An svmlight file of several."""

    found = Found({}, 0)

    def __init__(self, model: Model, files: SvmlightFiles, number: int) -> None:
        self.origin = files.origin
        self._classes, self._columns = model.classes, columns_of(model, files.origin)
        self.files, self.number = files, number

    def __iter__(self) -> Iterator[AppliedPart]:
        for part in self.files.shard(self.number):
            features = features_for(self._columns, part, self.origin)
            usable = np.ones(len(part.labels), np.bool_)
            yield AppliedPart(features, part.row_numbers, usable, partial(self._targets, part))

    def _targets(self, part: SparsePart, _: str | None) -> Targets:
        return Targets.of_labels(label_numbers(part.labels, self._classes, self.origin, part.row_numbers))


class AppliedRows(NamedTuple):
    """The shards of a source by the encoding of a model, and what there is to say of it."""

    model: Model
    unseen: Unseen
    shards: Sequence[AppliedShard]
    notes: Sequence[str]


def applied_rows(model: Model, data: Data, options: ReadOptions, unseen: Unseen | None) -> AppliedRows:
    """The rows of a source; `unseen` says what becomes of texts that the training did not have, None as it says.

    Raises
    ------
    UserError
        The data cannot be read or lack a column of the model, or have no texts.
    """
    if is_svmlight(data, options):
        if unseen is not None:
            raise UserError(f"--unseen {unseen}: {data} is an svmlight file, which has no texts")
        files = SvmlightFiles.of(data, options)
        of_files = [AppliedSvmlight(model, files, number) for number in range(files.n_shards)]
        return AppliedRows(model, model.unseen, of_files, [])
    table = Table(open_source(data, options, "file"), options, {})
    require_columns(str(data), table.names, model.columns)
    unseen = unseen or model.unseen
    shards = [AppliedTable(model, table, number, unseen) for number in range(table.n_shards)]
    return AppliedRows(model, unseen, shards, list(table.found_notes()))
