"""The figures of the guide to SoftmaxRegression are those of the file they are written from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks._marked import with_written
from benchmarks._regression_guide import BEGIN, END, GUIDE, by_problem, draw, figures
from benchmarks._results import Report, Row, Spread
from benchmarks.regression import FASTEST, GAPS


def exactly(value: float) -> Spread:
    return Spread(value, value, value, 1)


def row(
    problem: str, gap: float, seconds: float, peers: dict[str, float], curves: dict[str, list[tuple[float, float]]]
) -> Row:
    of_peers = {name: exactly(value) for name, value in peers.items()}
    return Row(f"{problem}, to {gap:g}", exactly(seconds), {"pass": exactly(0.1)}, of_peers, curves=curves)


CURVES = {
    "softgrad": [(1.0, 1e-4), (2.0, 1e-7)],
    "lbfgs": [(1.0, 1.0), (9.0, 1e-2)],
    "saga": [(5.0, 0.5), (7.0, np.inf)],
}
REPORT = Report(
    {"processor": "some processor"},
    {"softgrad": "0.1.0"},
    [],
    quick=False,
    seeds={"regression": 7},
    questions={
        "regression": [
            *(row("wine, raw", gap, 2.0, {"lbfgs": 5.0, "saga": 3.0}, {}) for gap in GAPS),
            *(row("slow", gap, 2.0, {}, CURVES) for gap in GAPS),
            Row("geometric mean", exactly(1.0), {}, {FASTEST: exactly(2.29)}),
        ]
    },
)


def cells(words: str, first: str) -> list[str]:
    line = next(line for line in words.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table() -> None:
    words = figures(REPORT)
    assert "some processor, softgrad 0.1.0, seed 7" in words
    # Of the solvers that have no curve in any row.
    absent = "intelex lbfgs, newton-cg, newton-cholesky, torch LBFGS"
    assert f"Not installed and left out: {absent}." in " ".join(words.splitlines())
    assert cells(words, "wine, raw")[1:] == ["2.00 s", "2.00 s", "2.00 s", "3.00 s, saga", "1.50x"]
    # The least of the longest fits is all that is known.
    assert cells(words, "slow")[-2:] == ["more than 7.00 s", "> 3.50x"]
    assert cells(words, "geometric mean")[-1] == "2.29x"


def test_it_stands_between_the_marks_of_the_guide() -> None:
    assert figures(REPORT) in with_written(GUIDE.read_text(encoding="utf-8"), BEGIN, END, figures(REPORT))


def test_the_plot_has_the_curves(tmp_path: Path) -> None:
    draw({name: to[1e-6].curves for name, to in by_problem(REPORT.questions["regression"]).items()}, tmp_path / "p.svg")
    text = (tmp_path / "p.svg").read_text(encoding="utf-8")
    assert "<!-- wine, raw -->" in text
    assert "<!-- slow -->" in text
    # The colours of the three solvers that have fits, beside those of the legend.
    assert [text.count(colour) > 1 for colour in ("#d62728", "#1f77b4", "#8c564b", "#2ca02c")] == [
        True,
        True,
        True,
        False,
    ]
