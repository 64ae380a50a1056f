"""Blocks of rows with what every sum over them needs to be made of them first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from softgrad.linear_model._data._rows import IteratedRows, Rows, RowSource
from softgrad.linear_model._data._terms import Term, added
from softgrad.linear_model._data._workers import Workers

Prepared = TypeVar("Prepared")
Total = TypeVar("Total")


@dataclass
class OfPrepared(Term[Rows, Total], Generic[Prepared, Total]):
    """A sum over what is made of each block of rows."""

    prepare: Callable[[Rows], Prepared]
    term: Term[Prepared, Total]

    def start(self) -> Total:
        return self.term.start()

    def part(self, block: Rows) -> Total:
        return self.term.part(self.prepare(block))

    def add(self, total: Total, part: Total) -> Total:
        return self.term.add(total, part)


class PreparedBlocks(Generic[Prepared]):
    """What is made of each block: once if it is kept, else anew for every sum.

    Parameters
    ----------
    source : RowSource
        Its rows stay in memory if what is made of them is kept.
    workers : Workers
    length : int
        Rows taken at a time.
    prepare : callable
        Can be pickled.
    keep : bool
    """

    def __init__(
        self, source: RowSource, workers: Workers, length: int, prepare: Callable[[Rows], Prepared], *, keep: bool
    ) -> None:
        self._source, self._workers, self._length, self._prepare = source, workers, length, prepare
        self.kept: list[Prepared] | None = None
        if keep:
            assert isinstance(source, IteratedRows)
            self.kept = [block for piece in source for block in workers.map(prepare, piece.blocks(length))]

    def total(self, term: Term[Prepared, Total]) -> Total:
        """A sum over all blocks."""
        if self.kept is not None:
            return added(term, self._workers.map(term.part, self.kept))
        return self._source.total(OfPrepared(self._prepare, term), self._workers, self._length)
