"""Writes the figures of docs/guide/softmax-regression.md, table and plot: `python -m benchmarks._regression_guide`.

From the file of a run in which `regression` was asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

from benchmarks.__main__ import ROOT
from benchmarks._marked import with_written
from benchmarks._regression_solvers import SOLVERS
from benchmarks._results import Report, Row, digits, quantity
from benchmarks._tables import aligned, paragraph
from benchmarks.regression import FASTEST, GAPS, GOAL_GAP

GUIDE = ROOT / "docs" / "guide" / "softmax-regression.md"
PLOT = GUIDE.with_suffix(".svg")
BEGIN = "<!-- figures: begin, written by python -m benchmarks._regression_guide -->"
END = "<!-- figures: end -->"
_HEAD = (
    "One run, {conditions}, seed {seed}. Seconds until the relative gap to the optimum was at most so much. lbfgs, "
    "newton-cg, newton-cholesky and saga are scikit-learn's; intelex lbfgs is scikit-learn-intelex's, which has no "
    "code of its own for sparse rows; torch LBFGS fits an `nn.Linear` to all rows at once. "
    '"More than": none of the others got there before it was left; the least of their longest fits is named.'
)
# Those of one algorithm have one colour.
_LINES = {
    "softgrad": ("#d62728", "-"),
    "lbfgs": ("#1f77b4", "-"),
    "intelex lbfgs": ("#1f77b4", "--"),
    "torch LBFGS": ("#1f77b4", ":"),
    "newton-cg": ("#2ca02c", "-"),
    "newton-cholesky": ("#9467bd", "-"),
    "saga": ("#8c564b", "-"),
}


def by_problem(rows: Sequence[Row]) -> dict[str, dict[float, Row]]:
    """The rows of each problem by the gap that they are to."""
    found: dict[str, dict[float, Row]] = {}
    for row in rows:
        problem, is_problem, gap = row.work.rpartition(", to ")
        if is_problem:
            found.setdefault(problem, {})[float(gap)] = row
    return found


def _fastest(row: Row) -> tuple[str, float]:
    """The fastest of the others in words, and how many times softgrad's time it took, or took at least."""
    if row.peers:
        name = min(row.peers, key=lambda peer: row.peers[peer].median)
        return f"{quantity(row.peers[name].median, 's')}, {name}", row.of_peer(name)
    fits = [points for name, points in row.curves.items() if name != "softgrad" and points]
    longest = min(max(seconds for seconds, _ in points) for points in fits)
    return f"more than {quantity(longest, 's')}", longest / row.softgrad.median


def figures(report: Report) -> str:
    """The table, and what it was measured on."""
    rows = report.questions["regression"]
    lines = []
    for problem, to in by_problem(rows).items():
        own = [quantity(to[gap].softgrad.median, "s") if gap in to else "-" for gap in GAPS]
        words, ratio = _fastest(to[GOAL_GAP])
        sign = "" if to[GOAL_GAP].peers else "> "
        lines.append([problem, *own, words, f"{sign}{digits(ratio)}x"])
    lines += [
        [row.work, *["-"] * len(GAPS), FASTEST, f"{digits(row.of_peer(FASTEST))}x"]
        for row in rows
        if FASTEST in row.peers
    ]
    header = ["problem", *(f"softgrad, to {gap:g}" for gap in GAPS), f"{FASTEST}, to {GOAL_GAP:g}", "times softgrad's"]
    absent = [solver for solver in SOLVERS if not any(solver in row.curves for row in rows)]
    head = _HEAD.format(conditions=report.conditions, seed=report.seeds["regression"])
    if absent:
        head += f" Not installed and left out: {', '.join(absent)}."
    return f"{paragraph(head)}\n{aligned(header, lines)}"


def draw(curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], file: Path) -> None:
    """The gap against time, a picture for each problem."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows = -(-len(curves) // 3)
    figure = Figure(figsize=(12, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False)
    for axis, (name, of_solvers) in zip(axes.flat, curves.items(), strict=False):
        for solver, points in of_solvers.items():
            ended = [(at, gap) for at, gap in points if isfinite(gap)]
            seconds, reached = [at for at, _ in ended], [max(gap, 1e-12) for _, gap in ended]
            colour, style = _LINES[solver]
            # A mark at each fit would hide the dashes.
            axis.loglog(seconds, reached, style, color=colour, marker=".", markersize=4, markevery=[-1])
        axis.axhline(GOAL_GAP, color="#888888", linewidth=0.5)
        axis.set_ylim(1e-12, 3.0)
        axis.set_title(name, fontsize=9)
    for axis in list(axes.flat)[len(curves) :]:
        axis.axis("off")
    lines = [Line2D([], [], color=colour, linestyle=style) for colour, style in _LINES.values()]
    axes.flat[0].legend(lines, list(_LINES), fontsize=8)
    figure.supxlabel("seconds")
    figure.supylabel("relative gap")
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", required=True)
    report = Report.load(parser.parse_args().json)
    GUIDE.write_text(with_written(GUIDE.read_text(encoding="utf-8"), BEGIN, END, figures(report)), encoding="utf-8")
    draw({name: to[GOAL_GAP].curves for name, to in by_problem(report.questions["regression"]).items()}, PLOT)
    print(f"wrote {GUIDE} and {PLOT}")


if __name__ == "__main__":
    main()
