"""The page: what stands above the sections, the sections, and the file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import softgrad
from softgrad.cli.files import replacing
from softgrad.cli.html_report.data import data_section
from softgrad.cli.html_report.findings import Findings
from softgrad.cli.html_report.markup import Html, element, facts, joined
from softgrad.cli.html_report.measures import calibration_error
from softgrad.cli.html_report.scores import (
    classes_section,
    confusion_section,
    mistakes_section,
    reliability_section,
)
from softgrad.cli.html_report.training import gradient_section, training_section
from softgrad.cli.html_report.weights import weights_section

# The browser itself then loads nothing and runs nothing, whatever the data hold.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_report(findings: Findings, path: Path) -> None:
    """Write the page; the file appears whole or not at all.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    page = _page(findings)
    with replacing(path) as file:
        file.write(page.encode("utf-8"))


def _page(findings: Findings) -> str:
    # Identifier, heading, content, and whether it needs the whole width.
    sections: list[tuple[str, str, list[Html], bool]] = [
        ("data", "Data", data_section(findings), False),
        ("gradient", "Gradient check", gradient_section(findings), False),
        ("training", "Loss curve", training_section(findings), False),
        ("confusion", "Confusion matrix", confusion_section(findings), False),
        ("reliability", "Reliability", reliability_section(findings), False),
        ("classes", "Classes", classes_section(findings), False),
        ("mistakes", "Most confident mistakes", mistakes_section(findings), False),
        ("weights", "Weights", weights_section(findings), True),
    ]
    links = [element("li", element("a", name, href=f"#{key}")) for key, name, _, _ in sections]
    title = f"softgrad: {findings.origin}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        # Without it a browser asks the server of the page for one.
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Html(_style())),
    )
    header = element(
        "header",
        element("h1", title),
        _headline(findings),
        element("nav", element("ul", *links), aria_label="Sections"),
    )
    main = element("main", *(_section(*each) for each in sections))
    made = f"Made by softgrad {softgrad.__version__} train, seed {findings.model.training['seed']}."
    footer = element("footer", element("p", made, class_="note"))
    return joined([Html("<!doctype html>\n"), element("html", head, element("body", header, main, footer), lang="en")])


def _headline(findings: Findings) -> Html:
    scores, part = findings.scores, findings.part
    return facts(
        [
            (f"{part} accuracy", f"{scores.accuracy:.4f}"),
            (f"{part} loss", f"{scores.loss:.4g}"),
            ("mean F1 of the classes", f"{findings.class_scores.macro[2]:.4f}"),
            ("calibration error", f"{calibration_error(findings.bins):.4f}"),
        ]
    )


def _section(key: str, heading: str, content: list[Html], wide: bool) -> Html:
    named = element("h2", heading, id=f"{key}-heading")
    return element(
        "section", named, *content, id=key, aria_labelledby=f"{key}-heading", class_="wide" if wide else None
    )


def _style() -> str:
    return resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
