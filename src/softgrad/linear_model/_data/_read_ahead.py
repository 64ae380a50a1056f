"""Reading while something else is worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item]) -> Generator[Item]:
    """The items, each made by a thread while the one before is worked on.

    One item is made ahead and no more. What making it raises is raised where it would have been given. The thread ends
    with the items, or when nobody wants more of them.
    """
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1, "softgrad-read-ahead") as thread:
        made = thread.submit(next, iterator, end)
        while (item := made.result()) is not end:
            made = thread.submit(next, iterator, end)
            yield item  # type: ignore[misc]
