"""Curves of the relative gap against time: `python -m benchmarks._regression_plot --json FILE`.

From a file that `python -m benchmarks regression --json FILE` wrote, into the guide to SoftmaxRegression.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks._results import Report

PLOT = Path(__file__).parents[1] / "docs" / "guide" / "softmax-regression.svg"
_COLOURS = {
    "softgrad": "#d62728",
    "lbfgs": "#1f77b4",
    "newton-cg": "#2ca02c",
    "newton-cholesky": "#9467bd",
    "saga": "#8c564b",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks._regression_plot", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", required=True)
    rows = Report.load(parser.parse_args().json).questions["regression"]
    draw({row.work.partition(", to ")[0]: row.curves for row in rows if row.curves}, PLOT)
    print(f"wrote {PLOT}")


def draw(curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], file: Path) -> None:
    from matplotlib.figure import Figure

    rows = -(-len(curves) // 3)
    figure = Figure(figsize=(12, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False)
    for axis, (name, of_solvers) in zip(axes.flat, curves.items(), strict=False):
        for solver, points in of_solvers.items():
            shown = [(seconds, max(gap, 1e-12)) for seconds, gap in points]
            if not shown:
                continue
            axis.loglog(*zip(*shown, strict=True), ".-", color=_COLOURS[solver], label=solver, markersize=4)
        axis.axhline(1e-6, color="#888888", linewidth=0.5)
        axis.set_ylim(1e-12, 3.0)
        axis.set_title(name, fontsize=9)
    for axis in list(axes.flat)[len(curves) :]:
        axis.axis("off")
    axes.flat[0].legend(fontsize=8)
    figure.supxlabel("seconds")
    figure.supylabel("relative gap")
    figure.savefig(file)


if __name__ == "__main__":
    main()
