"""The rows of a table larger than memory as features and class numbers, by an encoding that one pass over it tells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from softgrad.cli import preprocessing, targets
from softgrad.cli.preprocessing import Column
from softgrad.cli.stream_columns import Numbers, Texts
from softgrad.cli.stream_labels import Division, FoundLabels
from softgrad.cli.stream_table import StreamedTable
from softgrad.cli.tables import BoolArray, Float64Array, IntArray, Words
from softgrad.linear_model._data._pieces import piece_rows


class EncodedRows:
    """The rows of a table, and which of them are for the training; their encoding is learnt in one pass.

    Attributes
    ----------
    target : str
    classes : Classes
    columns : tuple of Column
    train_rows, test_rows : int

    Raises
    ------
    UserError
        If a value is missing, infinite or too large, a column cannot be encoded, or the classes are too few or too
        many.
    """

    def __init__(self, table: StreamedTable, target: str, division: Division) -> None:
        self.target = target
        self._table = table
        self._division = division
        names = [name for name in table.names if name != target]
        labels = FoundLabels(target, division)
        learnt: dict[str, Numbers | Texts] = {}
        for part in table.parts(piece_rows(len(names), np.dtype(np.float64))):
            train = labels.add(part.labels(target), part.first_row)
            for name in names:
                values = part.feature(name)
                if isinstance(values, Words):
                    texts = learnt.setdefault(name, Texts(name))
                    assert isinstance(texts, Texts)
                    texts.add(values, train)
                else:
                    numbers = learnt.setdefault(name, Numbers(name))
                    assert isinstance(numbers, Numbers)
                    numbers.add(values, train, part.first_row)
        self.classes = labels.classes()
        self.train_rows, self.test_rows = labels.train_rows, labels.test_rows
        self.columns: tuple[Column, ...] = tuple(learnt[name].column() for name in names)
        self._width = preprocessing.width_of(self.columns)
        # The rows that the fit takes at a time.
        self._length = piece_rows(self._width, np.dtype(np.float64))

    def training(self) -> Iterator[tuple[Float64Array, IntArray]]:
        """A pass over the training rows, in the pieces that the fit takes: it neither cuts nor joins them again."""
        held = 0
        features, codes = self._piece()
        for values, numbers, train in self._read():
            rows = np.flatnonzero(train)
            while len(rows):
                now, rows = rows[: self._length - held], rows[self._length - held :]
                end = held + len(now)
                for column, block in preprocessing.blocks(self.columns, features[held:end]):
                    column.fill(block, values, now)
                codes[held:end] = numbers[now]
                held = end
                if held == self._length:
                    yield features, codes
                    held = 0
                    features, codes = self._piece()
        if held:
            yield features[:held], codes[:held]

    def sample(self) -> tuple[Float64Array, IntArray]:
        """Features and class numbers of the first of the training rows."""
        features, codes, train = next(self.parts())
        return features[train], codes[train]

    def parts(self) -> Iterator[tuple[Float64Array, IntArray, BoolArray]]:
        """A pass over all rows: features and class numbers of some, and which of them are for the training."""
        for values, numbers, train in self._read():
            yield preprocessing.encode(self.columns, values, len(numbers)), numbers, train

    def _read(self) -> Iterator[tuple[preprocessing.Values, IntArray, BoolArray]]:
        """A pass over all rows as they are in the table, their class numbers, and which are for the training."""
        trained_in = self._division.start()
        for part in self._table.parts(self._length):
            values = preprocessing.read_known(part, self.columns)
            yield values, targets.number(part, self.target, self.classes), trained_in(part.first_row, part.rows)

    def _piece(self) -> tuple[Float64Array, IntArray]:
        return np.zeros((self._length, self._width)), np.empty(self._length, np.int64)
