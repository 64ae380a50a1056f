"""What was measured, as it stands in the JSON file: figures, their ratios, and the goals they are held to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of the observations: seconds, or bytes."""

    first_quartile: float
    median: float
    third_quartile: float
    observations: int

    @classmethod
    def of(cls, observations: Sequence[float]) -> Spread:
        first, median, third = (float(quartile) for quartile in np.quantile(observations, (0.25, 0.5, 0.75)))
        return cls(first, median, third, len(observations))


@dataclass(frozen=True)
class Goal:
    """A goal in words, and whether it is met; None if what it is held against was not measured."""

    words: str
    met: bool | None


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Floors are what softgrad is measured in units of: a copy, the same call on one thread, the bare products of
    matrices. Peers do the same work, and are measured in units of softgrad.
    """

    work: str
    softgrad: Spread
    floors: Mapping[str, Spread]
    peers: Mapping[str, Spread]
    unit: str = "s"
    # What must move between memory and processor, and what the floor "copy" moves; 0 where there is no such limit.
    bytes_needed: int = 0
    bytes_copied: int = 0
    # (seconds, relative distance from the optimum) of each contender's fits.
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    # softgrad is at most this many times the floor; the peer at least this many times softgrad.
    at_most: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    # In the unit of the row.
    within: float | None = None
    # The worst errors of softgrad and of peers for these inputs, in ulp, where a goal is missed.
    errors: Mapping[str, float] = field(default_factory=dict)

    def of_floor(self, name: str) -> float:
        return self.softgrad.median / self.floors[name].median

    def of_peer(self, name: str) -> float:
        return self.peers[name].median / self.softgrad.median

    @property
    def bandwidth(self) -> float | None:
        """Bytes a second, as the copy of this row has them."""
        return self.bytes_copied / self.floors["copy"].median if self.bytes_copied else None

    @property
    def roofline(self) -> float | None:
        """The time in which a copy moves the bytes that must move, in units of softgrad's."""
        if self.bandwidth is None:
            return None
        return self.bytes_needed / self.bandwidth / self.softgrad.median

    def goals(self) -> list[Goal]:
        found = []
        if self.within is not None:
            found.append(Goal(f"<= {quantity(self.within, self.unit)}", self.softgrad.median <= self.within))
        for name, factor in self.at_most.items():
            met = self.of_floor(name) <= factor if name in self.floors else None
            found.append(Goal(f"{name} <= {factor:g}x", met))
        found += [Goal(f"{name} >= {factor:g}x", self.beats(name)) for name, factor in self.at_least.items()]
        return found

    def beats(self, name: str) -> bool | None:
        """Whether the peer takes as many times softgrad's time as it is to; None if it was not measured."""
        return self.of_peer(name) >= self.at_least[name] if name in self.peers else None


@dataclass(frozen=True)
class Report:
    """The rows by question, each with the seed of its inputs, and what they were measured on."""

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    missing: Sequence[str]
    quick: bool
    seeds: Mapping[str, int]
    questions: Mapping[str, Sequence[Row]]

    @property
    def facts(self) -> list[str]:
        """What the machine is, and the versions, each in words."""
        return [f"{what} {words}" for what, words in (*self.machine.items(), *self.versions.items())]

    @property
    def conditions(self) -> str:
        return ", ".join(self.facts)

    def of_the_same(self, other: Report) -> bool:
        """Whether both are of the same machine, versions and sizes."""
        mine, others = (replace(report, seeds={}, questions={}) for report in (self, other))
        return mine == others

    def with_answer(self, question: str, seed: int, rows: Sequence[Row]) -> Report:
        return replace(self, seeds={**self.seeds, question: seed}, questions={**self.questions, question: rows})

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Report:
        read = json.loads(path.read_text(encoding="utf-8"))
        questions = {name: [_row(row) for row in rows] for name, rows in read["questions"].items()}
        return cls(**{**read, "questions": questions})


def _row(read: dict[str, Any]) -> Row:
    spreads = {kind: {name: Spread(**spread) for name, spread in read[kind].items()} for kind in ("floors", "peers")}
    curves = {name: [tuple(point) for point in points] for name, points in read["curves"].items()}
    return Row(**{**read, **spreads, "softgrad": Spread(**read["softgrad"]), "curves": curves})


# From which value on a unit is used, its size, its name.
_UNITS = {
    "s": ((1.0, 1.0, "s"), (1e-4, 1e-3, "ms"), (0.0, 1e-6, "us")),
    "B": ((0.0, 2.0**20, "MiB"),),
}


def digits(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value >= 100.0:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10.0 else f"{value:.2f}"


def quantity(value: float, unit: str) -> str:
    scale, name = _scale(value, unit)
    return f"{digits(value / scale)} {name}"


def spread(of: Spread, unit: str) -> str:
    """The median with the quartiles behind it, in one unit; a single observation has none."""
    if of.observations == 1:
        return quantity(of.median, unit)
    scale, name = _scale(of.median, unit)
    return (
        f"{digits(of.median / scale)} {name} ({digits(of.first_quartile / scale)}-{digits(of.third_quartile / scale)})"
    )


def _scale(value: float, unit: str) -> tuple[float, str]:
    return next((size, name) for least, size, name in _UNITS[unit] if value >= least)
