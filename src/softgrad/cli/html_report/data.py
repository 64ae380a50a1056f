"""The section on the data: how many rows of which class, and what the columns hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from softgrad.cli.html_report.findings import Findings
from softgrad.cli.html_report.images import Grid, ink
from softgrad.cli.html_report.markup import (
    Html,
    cell,
    element,
    facts,
    figure,
    joined,
    note,
    number_cell,
    numbers,
    table,
)
from softgrad.cli.learning import Numbers, Texts

MOST_COLUMNS = 100


def data_section(findings: Findings) -> list[Html]:
    training, test, model = findings.training, findings.test, findings.model
    test_rows = 0 if test is None else len(test.codes)
    summary = facts(
        [
            ("rows", str(len(training.codes) + test_rows)),
            ("for training", str(len(training.codes))),
            ("for the test", str(test_rows)),
            ("columns", str(len(model.columns))),
            ("features", str(model.coef.shape[1])),
            ("target", model.target),
            ("classes", str(len(findings.names))),
        ]
    )
    content = [summary, *(note(remark) for remark in findings.remarks), _classes(findings)]
    if findings.grid is None:
        content.append(_columns(findings.learnt))
    else:
        content.append(_mean_images(findings, findings.grid))
    return content


def _classes(findings: Findings) -> Html:
    count = len(findings.names)
    train = np.bincount(findings.training.codes, minlength=count).tolist()
    test = [0] * count if findings.test is None else np.bincount(findings.test.codes, minlength=count).tolist()
    most = max(map(sum, zip(train, test, strict=True)))
    rows = [
        (name, [number_cell(str(a)), number_cell(str(b)), bar((a + b) / most)])
        for name, a, b in zip(findings.names, train, test, strict=True)
    ]
    return table("Rows of each class", ["class", numbers("training"), numbers("test"), "both"], rows, "bars")


def bar(share: float) -> Html:
    """A cell with a bar from its left edge, for a share from 0 to 1; in the other colour for a negative one."""
    kind = "negative" if share < 0.0 else "positive"
    drawn = element("span", class_=kind, style=f"width: {100.0 * abs(share):.1f}%")
    return element("td", element("div", drawn, class_="measure", aria_hidden="true"), class_="bar")


def _columns(learnt: Mapping[str, Numbers | Texts]) -> Html:
    """A table of the columns of numbers and one of those of text, where there are any."""
    ranges = [(name, _range(column)) for name, column in learnt.items() if isinstance(column, Numbers)]
    texts = [(name, _texts(column)) for name, column in learnt.items() if isinstance(column, Texts)]
    tables = []
    if ranges:
        headings = ["column", numbers("lowest"), numbers("mean in training"), numbers("highest"), numbers("missing")]
        tables.append(table(f"Numbers, all rows{_first(ranges)}", headings, ranges[:MOST_COLUMNS]))
    if texts:
        headings = ["column", numbers("different"), "most frequent in training", numbers("share"), numbers("missing")]
        tables.append(table(f"Texts, all rows{_first(texts)}", headings, texts[:MOST_COLUMNS]))
    return joined(tables)


def _first(rows: Sequence[object]) -> str:
    return f" (the first {MOST_COLUMNS} columns of {len(rows)})" if len(rows) > MOST_COLUMNS else ""


def _range(column: Numbers) -> list[Html]:
    values = (column.least[0], column.average, column.most[0])
    return [*(number_cell(f"{value:.4g}") for value in values), number_cell(str(column.missing))]


def _texts(column: Texts) -> list[Html]:
    most = column.most_frequent
    share = column.trained[most] / column.trained.total()
    shown = [number_cell(str(column.different)), cell(most), number_cell(f"{share:.3f}")]
    return [*shown, number_cell(str(column.missing))]


def _mean_images(findings: Findings, grid: Grid) -> Html:
    codes = findings.training.codes
    sums = np.array([np.bincount(codes, pixel) for pixel in findings.pixels(findings.training.features).T])
    means = (sums / np.bincount(codes)).T
    low, high = findings.pixel_range
    images = []
    for code in findings.drawn:
        name = findings.names[code]
        images.append(figure(ink(means[code], low, high, grid, f"Mean of the training rows of class {name}"), name))
    about = f"The features are pixels, {grid.size}, from {low:g} to {high:g}: the mean of each class."
    return element("div", note(about + findings.which_drawn), element("div", *images, class_="gallery"))
