"""Threads that share the blocks of rows of a sum."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain, islice
from typing import Self, TypeVar

from softgrad._native import get_num_threads
from softgrad.linear_model._data._one_thread import on_one_thread

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """A context in which `map` works on several threads, and every library on one.

    Parameters
    ----------
    n_threads : int or None
        None: as many as softgrad works with.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = get_num_threads() if n_threads is None else n_threads
        self._pool: ThreadPoolExecutor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(on_one_thread())
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
        self._pool = None

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in the order of the items, so that a sum of them does not depend on the threads."""
        iterator = iter(items)
        head = list(islice(iterator, 2))
        if self.n_threads == 1 or len(head) < 2:
            return map(function, chain(head, iterator))
        return self._on_threads(function, chain(head, iterator))

    def _on_threads(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        if self._pool is None:
            self._pool = self._stack.enter_context(ThreadPoolExecutor(self.n_threads))
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(self._pool.submit(function, item))
            if len(pending) > 2 * self.n_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
