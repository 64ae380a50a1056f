"""What is learnt of the shards of a training before its fit: each by itself, then merged in their order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Self, TypeVar

from softgrad.cli.division import Divided

Source = TypeVar("Source")
OfShard = TypeVar("OfShard", bound="Learnt")


class Counts(NamedTuple):
    """How many rows there are; and of each label how many are used, in the order in which the labels were found."""

    rows: int
    labels: dict[object, int]

    def then(self, others: Counts) -> Counts:
        """The counts of these rows and others that follow."""
        labels = dict(self.labels)
        for label, count in others.labels.items():
            labels[label] = labels.get(label, 0) + count
        return Counts(self.rows + others.rows, labels)


@dataclass
class Learnt:
    """What is known of a shard, or of several; `divided` says how each of them is divided."""

    counts: Counts
    divided: list[Divided]

    def merge(self, other: Self) -> None:
        """Take in what is known of the shards that follow."""
        self.counts = self.counts.then(other.counts)
        self.divided += other.divided

    @property
    def train_rows(self) -> int:
        return sum(shard.train_rows for shard in self.divided)

    @property
    def test_rows(self) -> int:
        return sum(shard.test_rows for shard in self.divided)


class Learning(ABC, Generic[Source, OfShard]):
    """What there is to learn of the shards of a source; it can be pickled."""

    @property
    @abstractmethod
    def counted(self) -> Sequence[str] | None:
        """The columns that `counts` needs; None: all that there are."""

    @abstractmethod
    def counts(self, source: Source, number: int) -> Counts:
        """The counts of a shard; raises UserError where `learn` does."""

    @abstractmethod
    def learn(self, source: Source, number: int, before: Counts) -> OfShard:
        """What is to be known of a shard; `before` counts the shards before it.

        Raises
        ------
        UserError
            A value is missing where none may be, infinite or not what it should be, or there are too many classes.
        """
