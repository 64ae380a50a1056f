"""docs/performance.md from the file of a run, and with them the table of the READMEs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _performance_text as text
from benchmarks._questions import APART, QUESTIONS, heading_and_notes
from benchmarks._readme_table import READMES, readme_with
from benchmarks._results import Report, Row, digits
from benchmarks._tables import aligned, paragraph, tables


def _verdict(report: Report) -> str:
    missed = [
        f"- {row.work}: {goal.words}"
        for rows in report.questions.values()
        for row in rows
        for goal in row.goals()
        if goal.met is False
    ]
    return "Goals that are missed:\n\n" + "\n".join(missed) if missed else "Every goal that was measured is met."


def _bandwidths(rows: Sequence[Row]) -> str:
    lines = [[row.work, f"{digits(row.bandwidth / 1e9)} GB/s"] for row in rows if row.bandwidth is not None]
    return aligned(["work", "copy"], lines)


def page(report: Report) -> str:
    missing = f"Not installed and left out: {', '.join(report.missing)}. " if report.missing else ""
    parts = [
        text.HEAD.format(
            conditions=paragraph(f"{report.conditions}."),
            missing=missing,
            verdict=_verdict(report),
        )
    ]
    for question in QUESTIONS:
        if question not in report.questions:
            continue
        rows = report.questions[question]
        heading, notes = heading_and_notes(question)
        command = f"`python -m benchmarks {question} --json docs/performance.json --seed {report.seeds[question]}`"
        parts.append(f"\n## {heading}\n\n{command}.\n{notes}\n\n{tables(question, rows)}")
        if question == "cross_entropy":
            parts += [text.BANDWIDTH, _bandwidths(rows)]
    return "".join(parts)


def write(results_file: Path, root: Path) -> None:
    report = Report.load(results_file)
    if report.quick:
        raise ValueError(f"{results_file} is of a quick run, whose sizes say nothing about speed")
    unasked = [question for question in QUESTIONS if question not in (*report.questions, *APART)]
    if unasked:
        raise ValueError(f"{results_file} has no answer to {', '.join(unasked)}; the pages are made of a full run")
    pages = {root / "docs" / "performance.md": page(report)}
    for name, language in READMES.items():
        readme = root / name
        pages[readme] = readme_with(readme.read_text(encoding="utf-8"), report, language)
    for file, words in pages.items():
        file.write_text(words, encoding="utf-8")
        print(f"wrote {file}")
