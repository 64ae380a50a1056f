"""Dates, which are neither numbers nor categories."""

from __future__ import annotations

from tests.cli.wild.case import Case, changed, table


def _refused(written: str) -> Case:
    days = [written.format(day) for day in range(10, 22)]
    return Case(
        f"dates as {days[0]}",
        table(x=days),
        error=("column 'x'", "dates", repr(days[0].strip('"')), "--text x", "--drop x"),
    )


DAYS = [f"2024-03-{day}" for day in (10, 11, 12)] * 4
CASES = [
    *map(
        _refused,
        (
            "{}/3/2024",
            "3/{}/2024",
            "{}.03.2024",
            "2024-03-{}",
            "2024-03-{} 10:30:00",
            "2024-03-{}T10:30:00.25Z",
            "3/{}/2024 1:05:00 PM",
            "{}-Mar-24",
            "{} March 2024",
            '"Mar {}, 2024"',
        ),
    ),
    Case(
        "dates as text",
        table(x=DAYS),
        ("--text", "x"),
        kinds={"x": "text", "colour": "text"},
        like=table(x=["u", "v", "w"] * 4),
    ),
    Case(
        "names with numbers",
        table(x=["12-Marble-24", "3-Mayo-24", "10-Decem-24"] * 4),
        kinds={"x": "text", "colour": "text"},
    ),
    Case("dates left out", table(x=DAYS), ("--drop", "x"), kinds={"colour": "text"}),
    Case(
        "dates but for one",
        table(x=changed(DAYS, 2, "soon")),
        kinds={"x": "text", "colour": "text"},
        says=[("'x'", "11 of 12 cells are dates", "--drop x", "--text x")],
    ),
    Case(
        "dates and a word for nothing",
        table(x=changed(DAYS, 2, "NA")),
        error=("column 'x'", "dates", "'2024-03-10'", "--drop x"),
    ),
]
