"""Writes the figures of docs/guide/linear-cross-entropy.md, tables and plot: `python -m benchmarks._linear_head_guide`.

From the file of a run in which `linear_head` and `linear_head_growth` were asked, docs/performance.json unless --json
names another.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.__main__ import RESULTS, ROOT
from benchmarks._linear_head_plot import PLOT, draw, size
from benchmarks._marked import with_written
from benchmarks._results import Report, Row, digits, quantity, spread
from benchmarks._svg import save
from benchmarks._tables import aligned, paragraph

GUIDE = ROOT / "docs" / "guide" / "linear-cross-entropy.md"
BEGIN = "<!-- figures: begin, written by python -m benchmarks._linear_head_guide -->"
END = "<!-- figures: end -->"
_PRODUCTS = "three products"
_TIME = """
Contenders in turns, gradients into arrays that are there; medians, quartiles in brackets. Of the peers: how many times
softgrad's time they take.

"""
_MEMORY = """
Memory beyond inputs and results, D 1024, each call in a process of its own:

"""


def _shape(row: Row) -> str:
    return " x ".join(f"{each:,}" for each in size(row))


def _times(rows: Sequence[Row]) -> str:
    peers = list(dict.fromkeys(name for row in rows for name in row.peers))
    lines = []
    for row in rows:
        of_peers = [f"{digits(row.of_peer(name))}x" if name in row.peers else "-" for name in peers]
        share = f"{100.0 / row.of_floor(_PRODUCTS):.0f} %"
        lines.append([_shape(row), spread(row.softgrad, "s"), f"{digits(row.of_floor(_PRODUCTS))}x", share, *of_peers])
    return aligned(["N x D x V", "softgrad", f"/ {_PRODUCTS}", "share of the products", *peers], lines)


def _memory(rows: Sequence[Row]) -> str:
    peers = list(dict.fromkeys(name for row in rows for name in row.peers))
    lines = []
    for row in rows:
        of_peers = [quantity(row.peers[name].median, "B") if name in row.peers else "-" for name in peers]
        logits = quantity(row.floors["logits"].median, "B")
        share = f"{100.0 * row.of_floor('logits'):.1f} %"
        lines.append([_shape(row), logits, quantity(row.softgrad.median, "B"), share, *of_peers])
    return aligned(["N x V", "logits", "softgrad", "of the logits", *peers], lines)


def figures(report: Report) -> str:
    """The two tables, and what they were measured on."""
    rows = [row for question in ("linear_head", "linear_head_growth") for row in report.questions[question]]
    times, memory = ([row for row in rows if row.unit == unit] for unit in ("s", "B"))
    return paragraph(f"One run, {report.conditions}.") + _TIME + _times(times) + _MEMORY + _memory(memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", default=RESULTS)
    json = parser.parse_args().json
    report = Report.load(json)
    if report.quick:
        raise ValueError(f"{json} is of a quick run, whose sizes say nothing about speed")
    written = with_written(GUIDE.read_text(encoding="utf-8"), BEGIN, END, figures(report))
    GUIDE.write_text(written, encoding="utf-8")
    print(f"wrote {GUIDE}")
    save(draw(report), PLOT)


if __name__ == "__main__":
    main()
