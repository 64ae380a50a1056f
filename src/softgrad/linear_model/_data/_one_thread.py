"""A context in which every library works on one thread, which calls in several threads may share.

BLAS then stays on the thread of its caller: its own threads gain little on the thin matrices of few classes, and lose a
factor of ten where another process has one of the cores, for they wait by spinning. A product of many features also has
other bits when it is divided.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock
from typing import NamedTuple

from threadpoolctl import LibController, ThreadpoolController

from softgrad._native import num_threads


class _Libraries(NamedTuple):
    """BLAS, by whether its number of threads is the whole process's or each calling thread's."""

    of_process: list[LibController]
    of_thread: list[LibController]


@cache
def _libraries() -> _Libraries:
    """Finding them takes milliseconds, as long as a small fit."""
    blas = ThreadpoolController().select(user_api="blas")
    of_thread = blas.select(threading_layer="openmp").lib_controllers
    return _Libraries([library for library in blas.lib_controllers if library not in of_thread], of_thread)


def _free_control(libraries: list[LibController]) -> None:
    """Since 3.8 threadpoolctl ignores all threads but the first to set OpenBLAS's, and here another may be the last."""
    for library in libraries:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


def _set_threads(libraries: list[LibController], counts: list[int]) -> None:
    _free_control(libraries)
    for library, count in zip(libraries, counts, strict=True):
        library.set_num_threads(count)


@contextmanager
def _limited(libraries: list[LibController]) -> Iterator[None]:
    """Without what threadpoolctl's own context finds out about each library, which takes longer than setting it."""
    before = [library.num_threads for library in libraries]
    _set_threads(libraries, [1] * len(libraries))
    try:
        yield
    finally:
        _set_threads(libraries, before)
        _free_control(libraries)


class _Overlap:
    """What is the whole process's is set by the first who comes in, and set back by the last who leaves."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._settings = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._settings.enter_context(_limited(_libraries().of_process))
                self._settings.enter_context(num_threads(1))
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._settings.close()


_OVERLAP = _Overlap()


@contextmanager
def on_one_thread() -> Iterator[None]:
    with _OVERLAP, _limited(_libraries().of_thread):
        yield
