"""Draws docs/why.svg, the figure of the landing page: `python -m benchmarks._landing_figure`.

Errors are worked out anew; times are those of docs/performance.json, unless --json names another file.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import torch

import softgrad as sg
from benchmarks.__main__ import RESULTS, ROOT
from benchmarks._results import Report, quantity

FIGURE = ROOT / "docs" / "why.svg"
WORK = "cross_entropy.value_and_grad 1024 x 1000"
GAPS = np.arange(0.5, 30.5, 0.5, np.float32)

_LEFT, _TOP, _WIDTH, _HEIGHT = 66.0, 66.0, 350.0, 230.0
_BARS, _LONGEST = 500.0, 170.0
_DECADES = 9
_STYLE = """\
    .page { fill: #ffffff; }
    .grid { stroke: #d1d5db; }
    text { fill: #111827; font: 13px sans-serif; }
    .title { font-size: 15px; font-weight: bold; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .softgrad { stroke: #1d4ed8; fill: #1d4ed8; }
    .PyTorch { stroke: #b45309; fill: #b45309; }
    .NumPy { stroke: #6b7280; fill: #6b7280; }
    .JAX { stroke: #047857; fill: #047857; }
    path[class] { fill: none; stroke-width: 2.5; }
    text[class] { stroke: none; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; }
      .grid { stroke: #30363d; }
      text { fill: #e6edf3; }
      .softgrad { stroke: #6ea8fe; fill: #6ea8fe; }
      .PyTorch { stroke: #f0a35e; fill: #f0a35e; }
      .NumPy { stroke: #9ca3af; fill: #9ca3af; }
      .JAX { stroke: #34d399; fill: #34d399; }
    }
"""


def _two_steps(row: np.ndarray[Any, Any]) -> float:
    exponentials = np.exp(row - row.max())
    return -float(np.log(exponentials[0] / exponentials.sum()))


# The last is drawn over the others.
_LOSSES: Mapping[str, Callable[[np.ndarray[Any, Any]], float]] = {
    "NumPy": _two_steps,
    "PyTorch": lambda row: torch.nn.functional.cross_entropy(torch.from_numpy(row), torch.tensor(0)).item(),
    "softgrad": lambda row: float(sg.cross_entropy(row, 0)),
}


def errors() -> dict[str, list[float]]:
    """The relative errors of the losses of rows (gap, 0), whose label is 0, for each of `GAPS`."""
    with mpmath.workdps(50):
        exact = [mpmath.log1p(mpmath.exp(-float(gap))) for gap in GAPS]
    rows = [np.array([gap, 0], np.float32) for gap in GAPS]
    return {
        name: [float(abs(loss(row) / truth - 1)) for row, truth in zip(rows, exact, strict=True)]
        for name, loss in _LOSSES.items()
    }


def errors_in(svg: str) -> dict[str, list[float]]:
    """The errors that a figure was drawn from."""
    found = re.findall(r'<path class="(\w+)" data-errors="([^"]*)"', svg)
    return {name: [float(each) for each in numbers.split()] for name, numbers in found}


def _curve(name: str, of_name: Sequence[float]) -> str:
    across = _LEFT + _WIDTH * GAPS / GAPS[-1]
    # What is exact has no logarithm.
    down = [_TOP + _HEIGHT * min(1.0, -math.log10(max(each, 10.0**-_DECADES)) / _DECADES) for each in of_name]
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, down, strict=True))
    return f'  <path class="{name}" data-errors="{" ".join(map(repr, of_name))}" d="M{line}"/>'


def _text(x: float, y: float, words: str, *classes: str) -> str:
    return f'  <text class="{" ".join(classes)}" x="{x:g}" y="{y:g}">{words}</text>'


def drawn(of_names: Mapping[str, Sequence[float]], report: Report) -> str:
    """The figure, as SVG."""
    row = next(row for rows in report.questions.values() for row in rows if row.work == WORK)
    seconds = {"softgrad": row.softgrad.median} | {name: spread.median for name, spread in row.peers.items()}
    bottom = _TOP + _HEIGHT
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 350" width="760" height="350" role="img" '
        'aria-labelledby="title">',
        '  <title id="title">The error of the loss of a confident row, and the time of a loss and its gradient</title>',
        f"  <style>\n{_STYLE}  </style>",
        '  <rect class="page" width="760" height="350"/>',
        _text(_LEFT, 26, "Its digits stay", "title"),
        _text(_LEFT, 46, "relative error of cross-entropy, float32, label at the larger logit"),
    ]
    for decade, words in ((0, "1"), (3, "0.001"), (6, "10⁻⁶"), (9, "10⁻⁹")):
        y = _TOP + _HEIGHT * decade / _DECADES
        lines.append(f'  <line class="grid" x1="{_LEFT:g}" x2="{_LEFT + _WIDTH:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(_text(_LEFT - 8, round(y + 4, 1), words, "end"))
    for gap in (0, 10, 20, 30):
        lines.append(_text(_LEFT + _WIDTH * gap / 30, bottom + 20, str(gap), "middle"))
    lines.append(_text(_LEFT + _WIDTH / 2, bottom + 40, "gap between the two logits", "middle"))
    lines += [_curve(name, of_name) for name, of_name in of_names.items()]
    lines += [
        _text(_LEFT + 0.62 * _WIDTH, _TOP + 20, "PyTorch", "PyTorch"),
        _text(_LEFT + 0.62 * _WIDTH, _TOP + 38, "NumPy: softmax, then log", "NumPy"),
        _text(_LEFT + 0.62 * _WIDTH, _TOP + 0.72 * _HEIGHT, "softgrad", "softgrad"),
        _text(_BARS, 26, "And it is fast", "title"),
        _text(_BARS, 46, "loss and gradient of 1024 x 1000"),
    ]
    for place, (name, time) in enumerate(sorted(seconds.items(), key=lambda pair: pair[1])):
        y, width = _TOP + 14 + 56 * place, _LONGEST * time / max(seconds.values())
        lines.append(_text(_BARS, y, name))
        lines.append(f'  <rect class="{name}" x="{_BARS:g}" y="{y + 6:g}" width="{width:.1f}" height="24"/>')
        lines.append(_text(round(_BARS + width + 8, 1), y + 23, quantity(time, row.unit)))
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", default=RESULTS)
    FIGURE.write_text(drawn(errors(), Report.load(parser.parse_args().json)), encoding="utf-8")
    print(f"wrote {FIGURE}")


if __name__ == "__main__":
    main()
