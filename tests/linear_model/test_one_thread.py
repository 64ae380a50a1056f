"""Every library stays on one thread until the last of several fits has ended, and then has its threads back."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import softgrad
from softgrad.linear_model._data._one_thread import on_one_thread


def threads() -> set[int]:
    blas = {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
    return blas | {softgrad.get_num_threads()}


class Inside:
    """A thread of its own that is in the context until it is told to leave; it lives on."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._entered, self._leave = Event(), Event()
        self._left: Future[None] = pool.submit(self._stay)
        assert self._entered.wait(10.0)

    def _stay(self) -> None:
        with on_one_thread():
            self._entered.set()
            assert self._leave.wait(10.0)

    def leave(self) -> None:
        self._leave.set()
        self._left.result(10.0)


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_threads_that_overlap(first_leaves_first: bool) -> None:
    # Whoever calls it may hold the limits of BLAS himself.
    with threadpool_limits(2, user_api="blas"), softgrad.num_threads(2), ThreadPoolExecutor(2) as pool:
        first = Inside(pool)
        assert threads() == {1}
        second = Inside(pool)
        leaving = [first, second] if first_leaves_first else [second, first]
        leaving[0].leave()
        assert threads() == {1}
        leaving[1].leave()
        assert threads() == {2}


def test_a_caller_may_set_limits_afterwards() -> None:
    # The thread that was inside lives on.
    with ThreadPoolExecutor(1) as pool:
        Inside(pool).leave()
        for count in (2, 3):
            with threadpool_limits(count, user_api="blas"):
                assert count in threads()
