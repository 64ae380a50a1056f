"""Writes the figures of docs/guide/distributed.md: `python -m benchmarks._distributed_guide`.

From the file of a run in which `distributed` was asked, docs/performance.json unless --json names another.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import distributed
from benchmarks.__main__ import RESULTS, ROOT
from benchmarks._marked import with_written
from benchmarks._results import Report
from benchmarks._tables import paragraph

GUIDE = ROOT / "docs" / "guide" / "distributed.md"
BEGIN = "<!-- figures: begin, written by python -m benchmarks._distributed_guide -->"
END = "<!-- figures: end -->"


def figures(report: Report) -> str:
    """The tables, and what they were measured on."""
    seed = report.seeds["distributed"]
    head = paragraph(f"One run, {report.conditions}, seed {seed}.")
    return f"{head}\n{distributed.tables(report.questions['distributed'])}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", default=RESULTS)
    report = Report.load(parser.parse_args().json)
    GUIDE.write_text(with_written(GUIDE.read_text(encoding="utf-8"), BEGIN, END, figures(report)), encoding="utf-8")
    print(f"wrote {GUIDE}")


if __name__ == "__main__":
    main()
