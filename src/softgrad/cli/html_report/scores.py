"""The sections on what the model makes of rows whose class is known."""

from __future__ import annotations

import math

import numpy as np

from softgrad.cli.columns import dense
from softgrad.cli.html_report.charts import reliability_diagram
from softgrad.cli.html_report.findings import Findings
from softgrad.cli.html_report.images import heat_map, ink
from softgrad.cli.html_report.markup import (
    Html,
    cell,
    element,
    figure,
    note,
    number_cell,
    numbers,
    paragraph,
    table,
)
from softgrad.cli.html_report.measures import BINS, calibration_error, confident_mistakes
from softgrad.cli.report import MOST_IN_MATRIX

MOST_MISTAKES = 12
MOST_CONFUSIONS = 20
REASONS = 3
# More letters than this, over all columns, do not fit a telephone side by side.
WIDEST_HEADINGS = 36


def confusion_section(findings: Findings) -> list[Html]:
    if len(findings.names) > MOST_IN_MATRIX:
        return _large_confusion(findings)
    confusion = findings.scores.confusion
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    rows = [
        (name, [_count(int(confusion[i, j]), float(shares[i, j]), i == j) for j in range(len(confusion))])
        for i, name in enumerate(findings.names)
    ]
    upright = len(findings.names) * max(map(len, findings.names)) > WIDEST_HEADINGS
    headings = [_class_heading(name, upright) for name in findings.names]
    return [
        table(
            f"True class down, predicted across; {findings.shown_rows}",
            [Html("<td></td>"), *headings],
            rows,
            "confusion",
        ),
        note(
            "Shaded by the share of the true class; mistakes by the square root of theirs, so that rare ones can be "
            "seen."
        ),
    ]


def _class_heading(name: str, upright: bool) -> Html:
    return element("th", element("span", name, class_="upright" if upright else None), scope="col", title=name)


def _count(count: int, share: float, right: bool) -> Html:
    if count == 0:
        return element("td", "0", class_="none")
    kind, shade = ("right", share) if right else ("wrong", math.sqrt(share))
    return element("td", str(count), class_=kind, style=f"--share: {shade:.3f}")


def _large_confusion(findings: Findings) -> list[Html]:
    confusion = findings.scores.confusion
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    mistakes = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(int(place), len(confusion)) for place in order if mistakes.flat[place]]
    rows = [
        (
            findings.names[i],
            [cell(findings.names[j]), number_cell(str(confusion[i, j])), number_cell(f"{shares[i, j]:.3f}")],
        )
        for i, j in pairs
    ]
    about = (
        f"Heat map of the confusion matrix of {len(confusion)} classes; the most frequent confusions are in the table"
    )
    return [
        figure(
            heat_map(np.sqrt(shares), about),
            "A row for each true class, a column for each predicted one, shaded by the square root of the share.",
        ),
        table("Most frequent confusions", ["true class", "taken for", numbers("rows"), numbers("share")], rows),
    ]


def reliability_section(findings: Findings) -> list[Html]:
    rows = [
        (
            f"{entry.low:.1f} to {entry.high:.1f}",
            [
                number_cell(str(entry.rows)),
                number_cell(f"{entry.confidence:.3f}"),
                number_cell(f"{entry.accuracy:.3f}"),
                number_cell("{:.3f} to {:.3f}".format(*entry.interval)),
            ],
        )
        for entry in findings.bins
    ]
    columns = ["confidence", numbers("rows"), numbers("mean"), numbers("accuracy"), numbers("95% interval")]
    error = calibration_error(findings.bins)
    return [
        paragraph(
            "Expected calibration error ",
            element("strong", f"{error:.4f}"),
            f": {findings.shown_rows} in {BINS} bins of confidence.",
        ),
        figure(
            reliability_diagram(findings.bins),
            "Points on the diagonal are calibrated: a probability of 0.8 is right 8 times in 10. Bands are 95% "
            "intervals of the accuracy (Wilson).",
        ),
        element("details", element("summary", "The bins as a table"), table("Bins of confidence", columns, rows)),
    ]


def classes_section(findings: Findings) -> list[Html]:
    scores = findings.class_scores
    rows = [
        (
            name,
            [
                *(number_cell(_score(float(each[k]))) for each in (scores.precision, scores.recall, scores.f1)),
                number_cell(str(scores.rows[k])),
                number_cell(str(scores.predicted[k])),
            ],
        )
        for k, name in enumerate(findings.names)
    ]
    total = number_cell(str(findings.scores.rows))
    rows.append(("mean, total", [*(number_cell(_score(each)) for each in scores.macro), total, total]))
    columns = [numbers(name) for name in ("precision", "recall", "F1", "rows", "predicted")]
    content = [table(f"Precision, recall and F1, {findings.shown_rows}", ["class", *columns], rows)]
    if np.isnan([scores.precision, scores.recall, scores.f1]).any():
        content.append(note("None: there are no rows to take the share of; the mean leaves such classes out."))
    return content


def _score(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3f}"


def mistakes_section(findings: Findings) -> list[Html]:
    codes, probabilities = findings.shown.codes, findings.probabilities
    wrong = findings.scores.rows - int(findings.scores.confusion.trace())
    chosen = confident_mistakes(probabilities, codes, MOST_MISTAKES)
    if not chosen.size:
        return [paragraph(f"None: all {findings.shown_rows} are right.")]
    predicted = probabilities.argmax(axis=1)
    rows = [
        (
            str(findings.shown.rows[i]),
            [
                cell(findings.names[codes[i]]),
                cell(findings.names[predicted[i]]),
                number_cell(_probability(float(probabilities[i, predicted[i]]))),
                number_cell(_probability(float(probabilities[i, codes[i]]))),
                _evidence(findings, i, int(predicted[i]), int(codes[i])),
            ],
        )
        for i in chosen.tolist()
    ]
    evidence = "what spoke for it" if findings.grid is None else "image"
    columns = ["row", "true", "predicted", numbers("probability"), numbers("of the true"), evidence]
    content = [table(f"{len(rows)} of {wrong}, among {findings.shown_rows}", columns, rows)]
    if findings.grid is None:
        content.append(note("Beside a feature: by how much it raises the logit of the predicted over the true class."))
    return content


def _probability(value: float) -> str:
    """Four digits, and what is missing to 1 where they would show 1."""
    if 0.99995 <= value < 1.0:
        return f"1 - {1.0 - value:.0e}"
    return f"{value:.4f}" if value >= 1e-3 else f"{value:.0e}"


def _evidence(findings: Findings, place: int, predicted: int, true: int) -> Html:
    row = dense(findings.shown.features[[place]])[0]
    if findings.grid is not None:
        image = findings.pixels(row)
        about = f"Row {findings.shown.rows[place]}: a {findings.names[true]} taken for {findings.names[predicted]}"
        return cell(ink(image, *findings.pixel_range, findings.grid, about))
    model = findings.model
    spoke = (model.coef[predicted] - model.coef[true]) * row
    spoke = np.append(spoke, model.intercept[predicted] - model.intercept[true])
    names = [*findings.feature_names, "intercept"]
    order = [reason for reason in np.argsort(-spoke, kind="stable")[:REASONS].tolist() if spoke[reason] > 0.0]
    reasons = [element("div", f"{names[reason]} ({spoke[reason]:+.2f})") for reason in order]
    return element("td", *reasons, class_="evidence")
