"""Times softgrad and its peers side by side, in turns.

All contenders of a case live in one process and take turns, each round beginning with another. PyTorch's OpenMP
workers were seen to spin for 4 to 50 ms after a call, those of NumPy's BLAS for 100 ms, XLA's for up to 16 ms: on two
cores they would slow whoever comes next. So before each turn the harness waits until every other thread of the process
sleeps. That needs no guess of how long, and spares alternating processes, each with its own copy of the arrays. Within
a turn a contender is called without pause, as in a loop of its user, and the first call is not timed.

Arrays that fit the cache are drawn several times and taken in turn, until they fill a quarter of the last level: what
is called "in cache" is then neither the innermost cache nor a row that the branch predictor knows by heart.
"""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._contender import Contender
from benchmarks._machine import cache_bytes
from benchmarks._peers import Array, Peer
from benchmarks._results import Row, Spread

_TASKS = Path("/proc/self/task")
# Shorter calls are timed several at a time.
_BATCH_SECONDS = 2e-4
_TURN_SECONDS = 5e-3
_MOST_OF_A_TURN = 32
# A longer call needs no untimed one before it: its threads are awake long before it ends.
_LONG_SECONDS = 2e-2
_SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class Case:
    """A row to be measured; the fields of `Row` are explained there."""

    work: str
    softgrad: Contender
    # Raises AssertionError unless what softgrad or a peer gives is the right result.
    check: Callable[[Any], None]
    floors: Mapping[str, Contender] = field(default_factory=dict)
    peers: Mapping[str, Contender] = field(default_factory=dict)
    bytes_needed: int = 0
    bytes_copied: int = 0
    at_most: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    within: float | None = None


@dataclass(frozen=True)
class Effort:
    """Rounds are taken until `seconds` have passed, but at least `rounds`."""

    rounds: int
    seconds: float


FULL = Effort(rounds=5, seconds=12.0)
QUICK = Effort(rounds=2, seconds=0.0)


def rotations(nbytes: int) -> int:
    """How many arrays of this size are taken in turn."""
    return int(np.clip(cache_bytes() // 4 // nbytes, 1, 16))


def _running() -> bool:
    """Whether another thread of this process runs."""
    own = str(threading.get_native_id())
    for task in _TASKS.iterdir():
        if task.name == own:
            continue
        try:
            state = (task / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
        if state == "R":
            return True
    return False


def settle() -> None:
    """Return when every other thread of this process sleeps."""
    if not _TASKS.exists():
        # Without Linux's figures: longer than any spin that was seen.
        time.sleep(0.12)
        return
    deadline = time.monotonic() + _SETTLE_SECONDS
    while _running():
        if time.monotonic() > deadline:
            raise RuntimeError(f"a thread of this process is still running after {_SETTLE_SECONDS:g} s of waiting")
        time.sleep(5e-4)


class Turns:
    """A contender with the place in its inputs at which it stands."""

    def __init__(self, contender: Contender) -> None:
        self._during = contender.during
        self._calls = itertools.cycle(contender.calls)
        self._before = itertools.cycle(contender.before) if contender.before else None
        self._together = 1
        self._untimed = 1
        self._observations = 1
        with contender.during():
            duration = self._observe()
            if duration < _LONG_SECONDS:
                duration = min(self._observe() for _ in range(3))
        if contender.together is not None:
            self._together = contender.together
        elif not contender.before:
            self._together = max(1, round(_BATCH_SECONDS / duration))
        self._untimed = int(duration < _LONG_SECONDS)
        self._observations = int(np.clip(_TURN_SECONDS / (duration * self._together), 1, _MOST_OF_A_TURN))

    def _observe(self) -> float:
        if self._before is not None:
            next(self._before)()
        calls = itertools.islice(self._calls, self._together)
        start = time.perf_counter()
        for call in calls:
            call()
        return (time.perf_counter() - start) / self._together

    def take(self) -> list[float]:
        with self._during():
            for _ in range(self._untimed):
                self._observe()
            # A contender that waits for a thread that was scheduled away may take a thousand times its usual time.
            deadline = time.monotonic() + 4.0 * _TURN_SECONDS
            observations = [self._observe()]
            while len(observations) < self._observations and time.monotonic() < deadline:
                observations.append(self._observe())
            return observations


def in_order(names: Sequence[str], taken: int) -> list[str]:
    """Who has the turns of a round: each round begins with another."""
    first = taken % len(names)
    return [*names[first:], *names[:first]]


def _in_turns(contenders: Mapping[str, Contender], effort: Effort) -> dict[str, Spread]:
    turns = {}
    for name, contender in contenders.items():
        settle()
        turns[name] = Turns(contender)
    observations: dict[str, list[float]] = {name: [] for name in turns}
    names = list(turns)
    started = time.monotonic()
    gc.collect()
    gc.disable()
    try:
        for taken in itertools.count():
            if taken >= effort.rounds and time.monotonic() - started >= effort.seconds:
                break
            for name in in_order(names, taken):
                settle()
                observations[name] += turns[name].take()
    finally:
        gc.enable()
    return {name: Spread.of(of_one) for name, of_one in observations.items()}


def measure(case: Case, effort: Effort) -> Row:
    """Check the results of softgrad and of its peers, then time all contenders in turns."""
    for name, contender in {"softgrad": case.softgrad, **case.peers}.items():
        try:
            case.check(contender.result())
        except AssertionError as error:
            raise AssertionError(f"{case.work}: the result of {name} is wrong: {error}") from None
    spreads = _in_turns({"softgrad": case.softgrad, **case.floors, **case.peers}, effort)
    return Row(
        case.work,
        spreads["softgrad"],
        {name: spreads[name] for name in case.floors},
        {name: spreads[name] for name in case.peers},
        bytes_needed=case.bytes_needed,
        bytes_copied=case.bytes_copied,
        at_most=case.at_most,
        at_least=case.at_least,
        within=case.within,
    )


@dataclass(frozen=True)
class Bench:
    """What every question is given."""

    quick: bool
    peers: Mapping[str, Peer]
    rng: np.random.Generator

    def timed(self, cases: Iterable[Case]) -> Iterator[Row]:
        for case in cases:
            yield measure(case, QUICK if self.quick else FULL)
            # The arrays of a case may be as large as the memory allows: they go before the next are drawn.
            del case
            gc.collect()

    def contenders(
        self, function: str, inputs: Sequence[tuple[Array | None, ...]], *names: str, **options: Any
    ) -> dict[str, Contender]:
        """The peers, or those of the given names, that are installed and have the function."""
        return {
            name: peer.contender(function, inputs, **options)
            for name, peer in self.peers.items()
            if function in peer.functions and (not names or name in names)
        }
