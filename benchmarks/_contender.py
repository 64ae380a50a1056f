"""Who takes part in a measurement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

Call = Callable[[], Any]


def _as_it_is(result: Any) -> Any:
    return result


@dataclass(frozen=True)
class Contender:
    """Who takes turns: one call for each of the inputs that are taken in turn."""

    calls: Sequence[Call]
    # Runs untimed before each call, as when the call works in place.
    before: Sequence[Call] = ()
    # How many calls are timed together; chosen by their duration if None.
    together: int | None = None
    during: Callable[[], AbstractContextManager[object]] = nullcontext
    # The result of a call as NumPy arrays.
    read: Callable[[Any], Any] = _as_it_is

    def result(self) -> Any:
        with self.during():
            for prepare in self.before[:1]:
                prepare()
            return self.read(self.calls[0]())
