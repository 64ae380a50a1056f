"""What a cluster on this machine alone takes and gives back: a folder, and variables of the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TypeVar

Started = TypeVar("Started")


def own_folder(engine: str) -> TemporaryDirectory[str]:
    """A folder that only its owner can enter, which is gone in the end."""
    # TMPDIR may be too deep: the path of a socket has 107 bytes at most, and Ray takes most of them.
    place = "/tmp" if os.path.isdir("/tmp") else None
    return TemporaryDirectory(prefix=f"softgrad-{engine}-{os.getpid()}-", dir=place, ignore_cleanup_errors=True)


@contextmanager
def started(start: Callable[[], Started]) -> Iterator[Started]:
    """What `start` starts; in the end the variables of the environment that it set are as they were."""
    before = dict(os.environ)

    def changed() -> dict[str, str | None]:
        names = before.keys() | os.environ.keys()
        return {name: before.get(name) for name in names if before.get(name) != os.environ.get(name)}

    by_engine: dict[str, str | None] = {}
    try:
        try:
            running = start()
        finally:
            by_engine = changed()
        yield running
    finally:
        for name, value in by_engine.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
