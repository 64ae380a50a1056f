"""Rows as a table, and the words around it, that read as well on a terminal as in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from unicodedata import east_asian_width

from benchmarks._peers import PEERS
from benchmarks._questions import module
from benchmarks._results import Row, digits, quantity, spread

# A line breaks at a space, or behind a full-width mark, whose right half is blank.
_BREAK = re.compile(r"( |(?<=[，。；：、）])(?![，。；：、）]))")
_WIDEST = 120


def columns(words: str) -> int:
    """The width on a terminal, of which a Chinese character takes two columns."""
    return sum(2 if east_asian_width(character) in "FW" else 1 for character in words)


def paragraph(words: str) -> str:
    """The words in lines for a terminal; those of an item of a list stand under its first one."""
    indent = "  " if words.startswith("- ") else ""
    first, *rest = _BREAK.split(words)
    lines = [first]
    for gap, word in zip(rest[::2], rest[1::2], strict=True):
        if columns(lines[-1] + gap + word) > _WIDEST:
            lines.append(indent + word)
        else:
            lines[-1] += gap + word
    return "".join(f"{line}\n" for line in lines)


def aligned(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(header), *map(list, rows)]
    widths = [max(columns(line[column]) for line in lines) for column in range(len(header))]
    padded = [
        " | ".join(cell + " " * (width - columns(cell)) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    padded.insert(1, " | ".join("-" * width for width in widths))
    return "".join(f"| {line} |\n" for line in padded)


def verdict(row: Row) -> str:
    goals = row.goals()
    missed = [goal.words for goal in goals if goal.met is False]
    unknown = [goal.words for goal in goals if goal.met is None]
    parts = []
    if missed:
        parts.append(f"**missed**: {', '.join(missed)}")
    if unknown:
        parts.append(f"not measured: {', '.join(unknown)}")
    if goals and not parts:
        return "met"
    return "; ".join(parts) or "-"


def _names(mappings: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def peers_of(rows: Sequence[Row]) -> list[str]:
    """The peers that take part, always in one order."""
    found = _names(row.peers for row in rows)
    return [name for name in PEERS if name in found] + [name for name in found if name not in PEERS]


def _of_peer(row: Row, name: str) -> str:
    """Times as multiples of softgrad's; memory as it is, since softgrad's is often next to nothing."""
    if name not in row.peers:
        return "-"
    return quantity(row.peers[name].median, "B") if row.unit == "B" else f"{digits(row.of_peer(name))}x"


def _share(row: Row) -> str:
    return "-" if row.roofline is None else f"{100.0 * row.roofline:.0f} %"


def results(rows: Sequence[Row]) -> str:
    """The table of a question: softgrad, its share of the roofline, floors, peers, goals and what became of them."""
    floors, peers = _names(row.floors for row in rows), peers_of(rows)
    header = ["work", "softgrad", "roofline", *(f"/ {name}" for name in floors), *peers, "goal", "met or missed"]
    lines = []
    for row in rows:
        lines.append(
            [
                row.work,
                spread(row.softgrad, row.unit),
                _share(row),
                *(f"{digits(row.of_floor(name))}x" if name in row.floors else "-" for name in floors),
                *(_of_peer(row, name) for name in peers),
                ", ".join(goal.words for goal in row.goals()) or "-",
                verdict(row),
            ]
        )
    return aligned(header, lines)


def tables(question: str, rows: Sequence[Row]) -> str:
    """Those of the question's own module, where it makes some; else `results`."""
    make: Callable[[Sequence[Row]], str] = getattr(module(question), "tables", results)
    return make(rows)
