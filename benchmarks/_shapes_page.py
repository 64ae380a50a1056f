"""Writes docs/performance-shapes.md and its picture: `python -m benchmarks._shapes_page --json FILE`.

From the file of a run in which `shapes` was asked.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.__main__ import ROOT
from benchmarks._questions import heading_and_notes
from benchmarks._results import Report
from benchmarks._shapes_plot import draw
from benchmarks._shapes_tables import tables
from benchmarks._svg import save
from benchmarks._tables import paragraph

PAGE = ROOT / "docs" / "performance-shapes.md"
_WORDS = """# {heading}

{conditions}

`python -m benchmarks --json FILE shapes --seed {seed}` measures.
`python -m benchmarks._shapes_page --json FILE` writes this page.

{notes}

![The time of an entry against the number of classes, a panel for each function]({picture})

## The times

{tables}
## The bound of the machine

Rows that stay in a cache take the time of their instructions: by the source ([rows](design/rows.md)) a vector of 512
bits needs 22 of its two ports in logsumexp and 25 in softmax, from 65 to 1024 classes 27 and 32. Rows in memory take
the time of a copy where that is longer.
"""


def page(report: Report) -> str:
    heading, notes = heading_and_notes("shapes")
    return _WORDS.format(
        heading=heading,
        conditions=paragraph(f"{report.conditions}."),
        seed=report.seeds["shapes"],
        notes=notes,
        picture=PAGE.with_suffix(".svg").name,
        tables=tables(report.questions["shapes"]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", required=True)
    report = Report.load(parser.parse_args().json)
    if report.quick:
        raise ValueError("a quick run says nothing about speed")
    PAGE.write_text(page(report), encoding="utf-8")
    print(f"wrote {PAGE}")
    save(draw(report.questions["shapes"]), PAGE.with_suffix(".svg"))


if __name__ == "__main__":
    main()
