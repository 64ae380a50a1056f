"""The tables of the question about shapes: a line for each number of classes, a column for each function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks._results import Row, digits, quantity
from benchmarks._shapes_point import Point
from benchmarks._tables import aligned, paragraph, peers_of


def _ratio(row: Row, peer: str) -> str:
    if peer not in row.peers:
        return "-"
    words = f"{digits(row.of_peer(peer))}x"
    return f"**{words}**" if peer in row.at_least and row.beats(peer) is False else words


def _cell(row: Row | None, peers: Sequence[str]) -> str:
    if row is None:
        return "-"
    ratios = f" ({', '.join(_ratio(row, peer) for peer in peers)})" if peers else ""
    return f"{quantity(row.softgrad.median, 's')}{ratios}"


def _of_size(rows: Mapping[Point, Row], peers: Sequence[str]) -> str:
    functions = list(dict.fromkeys(point.function for point in rows))
    by_place = {(point.classes, point.function): row for point, row in rows.items()}
    lines = [
        [str(classes), *(_cell(by_place.get((classes, function)), peers) for function in functions)]
        for classes in dict.fromkeys(point.classes for point in rows)
    ]
    return aligned(["classes", *functions], lines)


def _missed(rows: Sequence[Row]) -> str:
    """Where a peer is ahead of its goal, with the errors of both on the same input."""
    lines = [
        [
            row.work,
            f"{name} >= {row.at_least[name]:g}x",
            f"{digits(row.of_peer(name))}x",
            f"{digits(row.errors[name])} ulp",
            f"{digits(row.errors['softgrad'])} ulp",
        ]
        for row in rows
        for name in row.at_least
        if row.beats(name) is False
    ]
    if not lines:
        return ""
    table = aligned(["work", "**missed**", "takes", "error of the peer", "error of softgrad"], lines)
    return f"\n### Where a goal is missed\n\n{table}"


def tables(rows: Sequence[Row]) -> str:
    """A table for each size, and one of the goals that are missed."""
    points = {Point.of(row.work): row for row in rows}
    peers = peers_of(rows)
    of_peers = f"; in brackets how many times that {' and '.join(peers)} take" if peers else ""
    parts = [paragraph(f"The time of softgrad{of_peers}. **Bold**: a goal is missed.")]
    for size in dict.fromkeys(point.size for point in points):
        of_size = {point: row for point, row in points.items() if point.size == size}
        parts.append(f"\n### {size}\n\n{_of_size(of_size, peers)}")
    return "".join([*parts, _missed(rows)])
