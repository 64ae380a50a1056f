"""The limit that `torch.set_num_threads` sets, which holds for the core's threads too."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import ParamSpec, TypeVar

import torch

from softgrad._native import get_num_threads, set_num_threads

P = ParamSpec("P")
R = TypeVar("R")


class _Limit:
    """The core's number of threads, which is the whole process's, lowered until torch has another number.

    Not for a call alone: others may be at work with it, and a small call has no time for that.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._lowered: tuple[int, int] | None = None
        """From how many threads to how many."""

    def keep(self) -> None:
        most = torch.get_num_threads()
        if get_num_threads() <= most and (self._lowered is None or self._lowered[1] == most):
            return
        with self._lock:
            # Unless the user has chosen another number since.
            if self._lowered is not None and get_num_threads() == self._lowered[1]:
                set_num_threads(self._lowered[0])
            self._lowered = None
            before = get_num_threads()
            if before > most:
                self._lowered = before, most
                set_num_threads(most)


_limit = _Limit()


def within_torch_threads(function: Callable[P, R]) -> Callable[P, R]:
    """A function made to work with no more threads than torch would."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        _limit.keep()
        return function(*args, **kwargs)

    return inside
