"""Two commits side by side: `python -m benchmarks --compare A B`.

Each is built from what git has of it, and has a process of its own; the two take turns on the same inputs, which the
benchmarks of the working tree draw. Where a process has its arrays and its code in memory makes as much of a difference
as a small change does: so both start several times, with other inputs each time, and each start gives one ratio.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks._compare_builds import Commit, build, commits, uncommitted
from benchmarks._compare_work import BuildWork
from benchmarks._harness import in_order
from benchmarks._machine import description
from benchmarks._results import Spread, digits, quantity
from benchmarks._tables import aligned, paragraph
from benchmarks._worker_process import all_asked, started, timed_in_turns

STARTS, QUICK_STARTS = 7, 2
_SIDES = ("A", "B")


@dataclass(frozen=True)
class Compared:
    """The seconds of one work, of A and of B, a median for each start."""

    work: str
    before: Sequence[float]
    after: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        return [b / a for a, b in zip(self.before, self.after, strict=True)]

    @property
    def verdict(self) -> str:
        """A difference is one that each of the starts has; by chance all fall on one side in 2 of 2**starts works."""
        ratios = self.ratios
        if min(ratios) <= 1.0 <= max(ratios):
            return "within the noise"
        median = Spread.of(ratios).median
        return f"B is {digits(100.0 * abs(median - 1.0))} % {'slower' if median > 1.0 else 'faster'}"


def table(compared: Sequence[Compared]) -> str:
    header = ("work", "A", "B", "B / A", "of the starts", "verdict")
    return aligned(header, [_line(each) for each in compared])


def _line(compared: Compared) -> list[str]:
    ratios = compared.ratios
    return [
        compared.work,
        *(quantity(Spread.of(seconds).median, "s") for seconds in (compared.before, compared.after)),
        f"{Spread.of(ratios).median:.3f}",
        f"{min(ratios):.3f} - {max(ratios):.3f}",
        compared.verdict,
    ]


def measured(packages: Mapping[str, Path], question: str, seed: int, *, quick: bool) -> list[Compared]:
    """The works of a question, timed in fresh processes for each start."""
    seconds: dict[str, list[dict[str, float]]] = {}
    seeds = np.random.default_rng(seed).integers(2**32, size=QUICK_STARTS if quick else STARTS)
    for start, seed_of_start in enumerate(map(int, seeds)):
        workers = {
            side: partial(BuildWork, packages[side], question, seed_of_start, quick) for side in in_order(_SIDES, start)
        }
        for work, of_sides in _of_one_start(workers):
            seconds.setdefault(work, []).append(of_sides)
    return [Compared(work, *([start[side] for start in starts] for side in _SIDES)) for work, starts in seconds.items()]


def _of_one_start(workers: Mapping[str, partial[BuildWork]]) -> Iterator[tuple[str, dict[str, float]]]:
    with started(workers) as processes:
        while True:
            work, same = all_asked(processes, "next_work")
            assert work == same
            if work is None:
                return
            yield work, {side: spread.median for side, spread in timed_in_turns(processes).items()}


def compare(root: Path, names: list[str], questions: Sequence[str], seed: int, *, quick: bool) -> None:
    """Build both, and print a table for each question."""
    both = commits(root, names)
    changed = uncommitted(root)
    if changed:
        print(f"changes that are not committed are not measured: {', '.join(changed)}", file=sys.stderr)
    print("\n".join(f"{what}: {words}" for what, words in description().items()))
    print(f"seed: {seed}")
    for side, commit in zip(_SIDES, both, strict=True):
        print(f"{side}: {commit.shown}")
    if quick:
        print("quick: these sizes say nothing about speed")
    with tempfile.TemporaryDirectory() as folder:
        packages = _built(root, both, Path(folder))
        starts = QUICK_STARTS if quick else STARTS
        print(
            "\n"
            + paragraph(
                f"B / A is the median of {starts} starts, beside it the least and the greatest. A difference is within"
                f" the noise unless B is on the same side of A in all of them, as by chance in one work of"
                f" {2 ** (starts - 1)}."
            )
        )
        for question in questions:
            print(f"{question}\n", flush=True)
            print(table(measured(packages, question, seed, quick=quick)), flush=True)


def _built(root: Path, both: Sequence[Commit], folder: Path) -> dict[str, Path]:
    """The package of each side, one for both if they are the same commit."""
    packages: dict[str, Path] = {}
    for side, commit in zip(_SIDES, both, strict=True):
        if commit.sha not in packages:
            print(f"building {commit.shown}", flush=True)
            packages[commit.sha] = build(root, commit, folder / side)
    return {side: packages[commit.sha] for side, commit in zip(_SIDES, both, strict=True)}
