"""The section on the data: how many rows of which class, and what the columns hold."""

from __future__ import annotations

from collections.abc import Sequence

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
from softgrad.cli.preprocessing import Column, NumberColumn, TextColumn, Values
from softgrad.cli.tables import Float64Array, Words

MOST_COLUMNS = 100


def data_section(findings: Findings) -> list[Html]:
    parts, model = findings.parts, findings.model
    summary = facts(
        [
            ("rows", str(len(findings.codes))),
            ("for training", str(len(parts.train))),
            ("for the test", str(len(parts.test))),
            ("columns", str(len(model.columns))),
            ("features", str(model.coef.shape[1])),
            ("target", model.target),
            ("classes", str(len(findings.names))),
        ]
    )
    content = [summary, _classes(findings)]
    if findings.grid is None:
        content.append(_columns(findings.model.columns, findings.values))
    else:
        content.append(_mean_images(findings, findings.grid))
    return content


def _classes(findings: Findings) -> Html:
    count = len(findings.names)
    train = np.bincount(findings.codes[findings.parts.train], minlength=count).tolist()
    test = np.bincount(findings.codes[findings.parts.test], minlength=count).tolist()
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


def _columns(columns: Sequence[Column], values: Values) -> Html:
    """A table of the columns of numbers and one of those of text, where there are any."""
    ranges = [(each.name, _range(values.numbers[each.name])) for each in columns if isinstance(each, NumberColumn)]
    texts = [(each.name, _texts(values.words[each.name])) for each in columns if isinstance(each, TextColumn)]
    tables = []
    if ranges:
        headings = ["column", numbers("lowest"), numbers("mean"), numbers("highest")]
        tables.append(table(f"Numbers, all rows{_first(ranges)}", headings, ranges[:MOST_COLUMNS]))
    if texts:
        headings = ["column", numbers("different"), "most frequent", numbers("share")]
        tables.append(table(f"Texts, all rows{_first(texts)}", headings, texts[:MOST_COLUMNS]))
    return joined(tables)


def _first(rows: Sequence[object]) -> str:
    return f" (the first {MOST_COLUMNS} columns of {len(rows)})" if len(rows) > MOST_COLUMNS else ""


def _range(column: Float64Array) -> list[Html]:
    # The mean in units of the largest magnitude: the sum cannot overflow.
    unit = float(np.abs(column).max()) or 1.0
    mean = float((column / unit).mean()) * unit
    return [number_cell(f"{value:.4g}") for value in (column.min(), mean, column.max())]


def _texts(column: Words) -> list[Html]:
    counts = np.bincount(column.codes)
    most = int(counts.argmax())
    share = counts[most] / counts.sum()
    return [number_cell(str(len(column.vocabulary))), cell(column.vocabulary[most]), number_cell(f"{share:.3f}")]


def _mean_images(findings: Findings, grid: Grid) -> Html:
    codes = findings.codes[findings.parts.train]
    sums = np.array([np.bincount(codes, pixel[findings.parts.train]) for pixel in findings.pixels])
    means = (sums / np.bincount(codes)).T
    low, high = findings.pixel_range
    images = []
    for code in findings.drawn:
        name = findings.names[code]
        images.append(figure(ink(means[code], low, high, grid, f"Mean of the training rows of class {name}"), name))
    about = f"The features are pixels, {grid.size}, from {low:g} to {high:g}: the mean of each class."
    return element("div", note(about + findings.which_drawn), element("div", *images, class_="gallery"))
