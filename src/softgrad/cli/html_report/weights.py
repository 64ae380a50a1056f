"""The section on the weights: as images where the features are pixels, else the largest of each class."""

from __future__ import annotations

import numpy as np

from softgrad.cli.html_report.data import bar
from softgrad.cli.html_report.findings import Findings
from softgrad.cli.html_report.images import Grid, diverging
from softgrad.cli.html_report.markup import Html, element, figure, note, number_cell, numbers, table

MOST_WEIGHTS = 8


def weights_section(findings: Findings) -> list[Html]:
    most = float(np.abs(findings.model.coef[findings.drawn]).max())
    unit = "Numbers are standardised: a weight is what one standard deviation adds to the logit of the class."
    if findings.grid is not None:
        images = [_image(findings, findings.grid, code, most) for code in findings.drawn]
        key = element("p", f"{-most:.2f}", element("span", aria_hidden="true"), f"{most:+.2f}", class_="key")
        return [note(unit + findings.which_drawn), key, element("div", *images, class_="gallery")]
    tables = [_table(findings, code, most) for code in findings.drawn]
    return [note(unit + findings.which_drawn), element("div", *tables, class_="cards")]


def _image(findings: Findings, grid: Grid, code: int, most: float) -> Html:
    weights, name = findings.model.coef[code], findings.names[code]
    high, low = int(weights.argmax()), int(weights.argmin())
    about = (
        f"Weights of class {name} by pixel: the largest is {weights[high]:+.3f} in {grid.place(high)}, "
        f"the smallest {weights[low]:+.3f} in {grid.place(low)}"
    )
    return figure(diverging(weights, most, grid, about), name)


def _table(findings: Findings, code: int, most: float) -> Html:
    weights, name = findings.model.coef[code], findings.names[code]
    order = np.argsort(-np.abs(weights), kind="stable")[:MOST_WEIGHTS].tolist()
    rows = [
        (
            findings.feature_names[place],
            [number_cell(f"{weights[place]:+.3f}"), bar(float(weights[place]) / most if most else 0.0)],
        )
        for place in order
    ]
    return table(f"Class {name}", ["feature", numbers("weight"), "size"], rows, "bars")
