"""What is learnt of the shards of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from softgrad.cli.columns import Column, as_it_is
from softgrad.cli.division import Divided, Division
from softgrad.cli.kinds import Kind
from softgrad.cli.labels_found import FoundLabels
from softgrad.cli.learning import Numbers, Texts, learner
from softgrad.cli.roles import Roles
from softgrad.cli.shard_learning import Counts, Learning, Learnt
from softgrad.cli.tables import Table
from softgrad.linear_model._data._pieces import piece_rows


@dataclass
class TableLearnt(Learnt):
    """Also what is known of each feature, and of which labels a row for the training has a weight above 0."""

    columns: dict[str, Numbers | Texts]
    weighted: set[object]

    def merge(self, other: Self) -> None:
        super().merge(other)
        for name, column in self.columns.items():
            column.merge(other.columns[name])  # type: ignore[arg-type]
        self.weighted |= other.weighted

    @property
    def dropped_rows(self) -> int:
        return self.counts.rows - self.train_rows - self.test_rows


@dataclass(frozen=True)
class TableLearning(Learning[Table, TableLearnt]):
    """Of features of these kinds, divided by a fraction and a seed."""

    roles: Roles
    kinds: Mapping[str, Kind]
    fraction: float
    seed: int

    @property
    def counted(self) -> Sequence[str] | None:
        return None if self.roles.missing == "drop" else self.roles.of_target

    def counts(self, table: Table, number: int) -> Counts:
        roles = self.roles
        found, rows = FoundLabels(table.name, roles.target, ()), 0
        for whole in table.shard(number, self._length):
            part = whole if self.counted else roles.kept(whole, self._columns)[0]
            found.add(roles.labels_of(part))
            rows += whole.rows
        return Counts(rows, found.counts)

    def learn(self, table: Table, number: int, before: Counts) -> TableLearnt:
        roles = self.roles
        learnt = {name: learner(name, kind, roles.missing) for name, kind in self.kinds.items()}
        found = FoundLabels(table.name, roles.target, before.labels)
        division = Division(self.fraction, self.seed, before.labels)
        weighted: set[object] = set()
        rows = train_rows = test_rows = 0
        for whole in table.shard(number, self._length):
            part, values = roles.kept(whole, self._columns)
            weights = roles.weights(part)
            codes = found.add(roles.labels_of(part))
            train = division.train(found.labels, codes)
            weighted.update(found.labels[code] for code in np.unique(codes[train & (weights > 0.0)]))
            rows += whole.rows
            train_rows += int(train.sum())
            test_rows += int((~train).sum())
            for name, column in learnt.items():
                of_column = values.numbers[name] if isinstance(column, Numbers) else values.words[name]
                column.add(of_column, train, codes, part.row_numbers)  # type: ignore[arg-type]
        for column in learnt.values():
            if isinstance(column, Texts):
                column.forget_too_many()
        divided = Divided(self.fraction, self.seed, before.labels, train_rows, test_rows)
        return TableLearnt(Counts(rows, found.counts), [divided], learnt, weighted)

    @cached_property
    def _columns(self) -> list[Column]:
        # What takes the place of a missing value is known afterwards.
        return [as_it_is(name, kind) for name, kind in self.kinds.items()]

    @property
    def _length(self) -> int:
        return piece_rows(len(self.kinds), np.dtype(np.float64))
